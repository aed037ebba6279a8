"""Values as YAML text on one line: read back as the same value by YAML 1.1 and 1.2 alike."""

from __future__ import annotations

import json
import math
import re

from maestro.documents.json_value import Json
from maestro.documents.scalars import differs_in_1_1, resolve

_PLAIN = re.compile(r"[A-Za-z0-9_/.][-A-Za-z0-9_/.@+]*(?: [A-Za-z0-9_/.+][-A-Za-z0-9_/.@+]*)*")
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def written(value: Json, *, style: str = "plain", as_json: bool = False) -> str:
    """``value`` in flow style; ``style`` (``plain``, ``'``, ``"``) is what a text gets where it can.

    Raises:
        ValueError: a number that is not finite, or a text with half a surrogate pair.
    """
    if isinstance(value, str):
        return _quoted(value) if as_json else _text(value, style)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} cannot be written")
    if isinstance(value, list):
        return "[" + ", ".join(written(item, as_json=as_json) for item in value) + "]"
    if isinstance(value, dict):
        pairs = (f"{written(key, as_json=as_json)}: {written(item, as_json=as_json)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    return json.dumps(value)


def _text(text: str, style: str) -> str:
    if style == "plain" and _is_plain(text):
        return text
    if style == "'" and text.isprintable() and not _ESCAPED.search(text):
        return "'" + text.replace("'", "''") + "'"
    return _quoted(text)


def _is_plain(text: str) -> bool:
    if not _PLAIN.fullmatch(text) or not text.strip("."):
        return False
    try:
        return resolve(text) == text and differs_in_1_1(text) is None
    except ValueError:
        return False


def _quoted(text: str) -> str:
    text.encode("utf-8")
    quoted = json.dumps(text, ensure_ascii=False)
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)
