"""Edits of a METADATA block that keep comments, order and layout."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from maestro.documents.edit import EditRefused, apply, insert_key, set_value
from maestro.documents.pointer import has
from maestro.documents.reading import RawDocument, read
from policy.rego_text import read_text


def with_custom(path: str, source: str, line: int, changes: Mapping[str, str | None]) -> str:
    """``source`` with these members of ``custom`` in the block at ``line``; None takes a member away.

    Raises:
        EditRefused: no edit of the text alone does it.
    """
    block = next(one for one in read_text(source).blocks if one.line == line)
    text = block.yaml
    for key, value in changes.items():
        raw = _read(path, text)
        if value is None:
            text = _without(path, text, raw, key)
        elif has(raw.value, ["custom", key]):
            text = apply(text, [set_value(raw, ["custom", key], value)])
        elif has(raw.value, ["custom"]):
            text = apply(text, [insert_key(raw, ["custom"], key, value)])
        else:
            text = apply(text, [insert_key(raw, [], "custom", {key: value})])
    lines = source.split("\n")
    before, after = block.yaml.split("\n")[:-1], text.split("\n")[:-1]
    shown = lines[line : line + len(before)]
    lead = "# " if shown[0].startswith("# ") else "#"
    end = "\r" if shown[0].endswith("\r") else ""
    out: list[str] = []
    for tag, start, stop, new_start, new_stop in difflib.SequenceMatcher(None, before, after, False).get_opcodes():
        out += shown[start:stop] if tag == "equal" else [f"{lead}{new}{end}" for new in after[new_start:new_stop]]
    return "\n".join([*lines[:line], *out, *lines[line + len(before) :]])


def _read(path: str, text: str) -> RawDocument:
    reading = read(path, text.encode(), dialect="strict")
    if reading.problems or len(reading.documents) != 1:
        raise EditRefused("the METADATA block cannot be read", where=path)
    return reading.documents[0]


def _without(path: str, text: str, raw: RawDocument, key: str) -> str:
    """The text without the line that holds ``custom.KEY`` alone."""
    if not has(raw.value, ["custom", key]):
        return text
    place = raw.locate(["custom", key], key=True)
    lines = text.split("\n")
    kept = "\n".join([*lines[: place.line - 1], *lines[place.line :]])
    value = raw.value
    custom = value.get("custom") if isinstance(value, dict) else None
    if isinstance(value, dict) and isinstance(custom, dict):
        wanted = {**value, "custom": {name: member for name, member in custom.items() if name != key}}
        reading = read(path, kept.encode(), dialect="strict")
        if not reading.problems and [one.value for one in reading.documents] == [wanted]:
            return kept
    raise EditRefused(f"custom.{key} does not stand alone in its line", where=path, remedy="take it out by hand first")
