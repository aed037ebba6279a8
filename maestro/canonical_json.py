"""One way to write a JSON value as bytes, so that equal values have equal digests.

Keys are sorted by code point, separators are compact, text is UTF-8 and escaped only where RFC 8259 demands it,
integers keep all their digits, floats are Python's shortest ``repr`` (so ``1`` and ``1.0`` have different digests).

Relation to RFC 8785 (JCS): the bytes are the same wherever keys hold no character beyond U+FFFF (JCS sorts by UTF-16
unit) and numbers are integers within ±(2**53 - 1). Outside of that JCS would round a large integer to a double and
write ``1.0`` as ``1``; a digest of a policy's input must not lose that difference, so this is not called JCS.
"""

from __future__ import annotations

import hashlib
import json

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))


def _refuse_other_keys(value: object) -> None:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            for key in item:
                if not isinstance(key, str):
                    raise TypeError(f"an object's keys are text, not {type(key).__name__}: {key!r:.80}")
            pending.extend(item.values())
        elif isinstance(item, (list, tuple)):
            pending.extend(item)


def dumps(value: object) -> bytes:
    """The canonical bytes of a JSON value (None, bool, int, float, str, list or tuple, dict with text keys).

    Raises:
        ValueError: the value is not JSON: NaN or infinity, a lone surrogate, a key that is not text, a circle,
            a type JSON does not have, nesting beyond what the interpreter's stack holds.
    """
    try:
        text = _ENCODER.encode(value)
        _refuse_other_keys(value)
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"text with a lone surrogate has no UTF-8 form: {error.object[error.start]!r}") from error
    except TypeError as error:
        raise ValueError(f"not a JSON value: {error}") from error
    except RecursionError as error:
        raise ValueError("nested too deeply to be written") from error


def digest_of_bytes(data: bytes) -> str:
    """``sha256:`` and the lower-case hexadecimal SHA-256 of ``data``."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def digest(value: object) -> str:
    """The digest (``sha256:…``) of a value's canonical bytes.

    Raises:
        ValueError: as ``dumps``.
    """
    return digest_of_bytes(dumps(value))
