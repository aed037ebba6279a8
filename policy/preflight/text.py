"""Text as regopy is given it, and back.

regopy works on JSON's escaped form: to it `"\\n"` is two characters. So whatever JSON would escape travels as one
character of Unicode's private plane 15 each. One character stays one character, equal text stays equal, and UTF-8
keeps the order of code points; so functions that take text as a row of characters are right on it. Those that look
at what a character *is* (case, blanks, bytes) are guarded (``policy.preflight.builtins``).
"""

from __future__ import annotations

import re
from typing import Any

from maestro import canonical_json

_BASE = 0xF0000
_ESCAPED = [*range(0x20), 0x22, 0x5C, 0x7F]
_TO = {code: chr(_BASE + code) for code in _ESCAPED}
_BACK = {_BASE + code: chr(code) for code in _ESCAPED}
_KEPT = re.compile("[\U000f0000-\U000f00ff\ud800-\udfff\ufffe\uffff]")
_JSON_ESCAPE = re.compile(r"\\(?:u([0-9a-f]{4})|(.))|\x7f")
_SHORT = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\", "/": "/"}


def reserved(text: str) -> bool:
    """Whether a text holds what the encoding itself uses, or what is no character of Unicode."""
    return _KEPT.search(text) is not None


def encode(text: str) -> str:
    """The text as regopy holds it."""
    return text.translate(_TO)


def decode(text: str) -> str:
    """The text that regopy's stands for."""
    return text.translate(_BACK)


def encode_json(value: Any) -> str:
    """A JSON value without any escape in it.

    Raises:
        ValueError: it is no JSON value, or holds what is reserved.
    """
    written = canonical_json.dumps(value).decode()
    if not written.isascii() and _KEPT.search(written):
        raise ValueError("text with characters that are kept for the engine (U+F0000 to U+F00FF) or are none")
    return _JSON_ESCAPE.sub(_one, written) if "\\" in written or "\x7f" in written else written


def _one(found: re.Match[str]) -> str:
    if found[1]:
        return _TO[int(found[1], 16)]
    character = _SHORT[found[2]] if found[2] else "\x7f"
    return _TO.get(ord(character), character)


def decoded(value: Any) -> Any:
    """A JSON value of regopy's with its strings decoded."""
    if isinstance(value, str):
        return decode(value)
    if isinstance(value, list):
        return [decoded(member) for member in value]
    if isinstance(value, dict):
        return {decode(key): decoded(member) for key, member in value.items()}
    return value
