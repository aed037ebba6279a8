"""Reading JSON that an attacker may have written: one meaning for every reader, or none."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from maestro.evidence.errors import BadEvidence

SIZE_LIMIT = 16 << 20
"""Bytes; a segment of 10,000 receipts is 1.5 MB."""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return value


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text[:20]} is too large a number")
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant, parse_float=_finite)
_PLAIN = json.JSONDecoder(parse_constant=_constant)
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))


def _decode(text: str) -> Any:  # noqa: ANN401 - JSON
    """The value, with duplicate keys refused.

    What is written as we write it (canonical JSON) is its own proof that no key stands twice: written again it is the
    same. That takes a third of the time of looking at each object, and nearly all that is verified is of that kind.
    """
    if '": ' in text:  # laid out for people: surely not canonical, or in a string, where this is only slower
        return _DECODER.decode(text)
    value = _PLAIN.decode(text)
    try:
        if _ENCODER.encode(value) == text.removesuffix("\n"):
            return value
    except ValueError:
        pass
    return _DECODER.decode(text)


def loads(data: bytes, *, what: str) -> dict[str, Any]:
    """The JSON object in ``data``. Refused are duplicate keys, NaN, infinity, lone surrogates, bytes not in UTF-8.

    Raises:
        BadEvidence: naming ``what`` (words for the message) and what is wrong with it.
    """
    if len(data) > SIZE_LIMIT:
        raise BadEvidence(f"{what} is larger than {SIZE_LIMIT} bytes")
    try:
        text = data.decode("utf-8")
        value = _decode(text)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise BadEvidence(f"{what} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise BadEvidence(f"{what} is not a JSON object")
    return value
