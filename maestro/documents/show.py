"""How a value from a file is quoted in a message: short, on one line, unmistakable."""

from __future__ import annotations

import json

from maestro.documents.json_value import Json

_LONGEST = 60


def show(value: Json) -> str:
    """A text as JSON writes it (control characters escaped, cut when long), a collection in words."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if value is None:
        return "empty"
    if isinstance(value, str):
        return show_text(value)
    try:
        text = json.dumps(value)
    except ValueError:  # more digits than Python converts
        return "a very long number"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def show_text(text: str) -> str:
    """A text in double quotes."""
    cut = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    quoted = json.dumps(cut, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in quoted)
