"""JSON as text that any stream, any reader and any build log can take."""

from __future__ import annotations

import json
import re

from maestro.report.visible_text import well_formed

_LOG_COMMAND = re.compile(r"(##[A-Za-z]*)\[")


def dump(value: object) -> str:
    """Indented ASCII JSON. Lone surrogates are written as escapes; ``##[`` (which starts a command in the log of a
    build, wherever it stands) is written with its bracket escaped: the value is the same."""
    text = json.dumps(_well_formed(value), indent=2, ensure_ascii=True, allow_nan=False)
    return _inert(text) + "\n"


def _inert(text: str) -> str:
    return _LOG_COMMAND.sub(r"\1\\u005b", text)


def _well_formed(value: object) -> object:
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, list):
        return [_well_formed(item) for item in value]
    if isinstance(value, dict):
        return {well_formed(key): _well_formed(item) for key, item in value.items()}
    return value
