"""Edits of a file's text that change one thing and keep everything else: comments, order, layout, line ends.

Every edit is tried before it is handed out: the edited text is read again, and must hold what was asked and nothing
else that is new. What cannot be done that way (a value shared through an alias, for one) is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from maestro.documents.json_value import Json
from maestro.documents.pointer import dotted, has, step_into
from maestro.documents.positions import Node
from maestro.documents.reading import RawDocument, read
from maestro.documents.source import Source
from maestro.documents.writing import written
from maestro.errors import MaestroError
from maestro.findings import Edit

Steps = Sequence[str | int]


class EditRefused(MaestroError):
    """No edit of the text alone does what was asked; the file must be edited by hand."""


def set_value(raw: RawDocument, pointer: Steps, value: Json) -> Edit:
    """The edit that gives an existing value another one.

    Raises:
        EditRefused: there is no such value, or it is shared with other places.
    """
    key, node = _reach(raw, pointer)
    text = raw.source.text
    start, end = node.start, node.end
    if node.kind == "scalar" and node.style in ("|", ">"):
        end = max(start + 1, len(text[:end].rstrip()))
    style = node.style if node.kind == "scalar" and node.style in ("'", '"') else "plain"
    new = _written(raw, value, style)
    if key is not None and start == end:
        between = text[key.end : start]
        new = (": " if ":" not in between else "" if between[-1:].isspace() else " ") + new
    elif start == end and text[start - 1 : start] == "-":
        new = " " + new
    elif node.kind in ("map", "seq") and node.style == "block" and key is not None:
        # After the colon, because a list may stand no deeper than its key, where a scalar may not.
        colon = re.match(r"\s*:", text[key.end : start])
        if colon is None:
            raise _refused(pointer)
        start = key.end + colon.end()
        new = f" {new}{text[start : node.start].rstrip()}"
    return _tried(raw, start, end, new, [*pointer], value)


def insert_key(raw: RawDocument, parent: Steps, key: str, value: Json) -> Edit:
    """The edit that adds ``key: value`` to the mapping at ``parent``, after its other keys.

    Raises:
        EditRefused: there is no such mapping, it has the key already, or it is shared with other places.
    """
    _, node = _reach(raw, parent)
    if has(raw.value, [*parent, key]):
        raise EditRefused(f"{dotted([*parent, key])} is there already", where=_where(raw, parent))
    if node.kind == "scalar" and node.start == node.end and parent:
        return set_value(raw, parent, {key: value})
    if node.kind != "map":
        raise EditRefused(f"{dotted(parent) or 'the document'} is no mapping", where=_where(raw, parent))
    pair = f"{_written(raw, key)}: {_written(raw, value)}"
    at, new = _in_flow(raw, node, pair) if node.style == "flow" else _in_block(raw, node, pair)
    return _tried(raw, at, at, new, [*parent, key], value)


def rename_key(raw: RawDocument, pointer: Steps, new: str) -> Edit:
    """The edit that gives the key at ``pointer`` another name.

    Raises:
        EditRefused: there is no such key, the new one is taken, or it is shared with other places.
    """
    key, _ = _reach(raw, pointer)
    if key is None:
        raise _refused(pointer)
    renamed = [*pointer[:-1], new]
    if has(raw.value, renamed):
        raise EditRefused(f"{dotted(renamed)} is there already", where=_where(raw, pointer))
    style = key.style if key.style in ("'", '"') else "plain"
    return _tried(raw, key.start, key.end, _written(raw, new, style), renamed, None, renamed_from=[*pointer])


def apply(text: str, edits: Iterable[Edit]) -> str:
    """``text`` with ``edits`` done; each speaks of the text as it was.

    Raises:
        ValueError: an edit is outside of the text, or two overlap.
    """
    source = Source("", text)
    spans = []
    for edit in edits:
        place = edit.location
        start = source.offset(place.line, place.column)
        ended = place.end_line is not None and place.end_column is not None
        end = source.offset(place.end_line or 1, place.end_column or 1) if ended else start
        if end < start:
            raise ValueError(f"the edit at line {place.line} ends before it begins")
        spans.append((start, end, edit.text))
    out = []
    at = 0
    for start, end, new in sorted(spans, key=lambda span: span[:2]):
        if start < at:
            raise ValueError(f"two edits overlap at line {source.line_and_column(start)[0]}")
        out += [text[at:start], new]
        at = end
    return "".join(out) + text[at:]


def _where(raw: RawDocument, pointer: Steps) -> str:
    place = raw.locate(pointer)
    return f"{place.path}:{place.line}:{place.column}"


def _refused(pointer: Steps) -> EditRefused:
    return EditRefused(f"{dotted(pointer) or 'the document'} cannot be edited here", remedy="edit the file by hand")


def _written(raw: RawDocument, value: Json, style: str = "plain") -> str:
    try:
        return written(value, style=style, as_json=raw.path.endswith(".json"))
    except (ValueError, RecursionError) as error:
        raise EditRefused(f"this value cannot be written as YAML: {error}") from error


def _reach(raw: RawDocument, pointer: Steps) -> tuple[Node | None, Node]:
    """The key node and node of a value that stands in its own place: not behind an alias, not merged from elsewhere."""
    key: Node | None = None
    node = raw.root
    for step in pointer:
        if node is None or node.kind not in ("map", "seq"):
            raise _refused(pointer)
        key, node = _own_child(node, step)
    if node is None:
        raise _refused(pointer)
    return key, node


def _own_child(node: Node, step: str | int) -> tuple[Node | None, Node | None]:
    if node.kind == "seq":
        return None, node.items[step] if isinstance(step, int) and 0 <= step < len(node.items) else None
    for key, value in reversed(node.pairs()):
        if key.kind == "scalar" and key.text == str(step):
            return key, value
    return None, None


def _newline(text: str) -> str:
    first = text.find("\n")
    return "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"


def _in_block(raw: RawDocument, node: Node, pair: str) -> tuple[int, str]:
    text = raw.source.text
    newline = _newline(text)
    indent = " " * (raw.source.line_and_column(node.items[0].start)[1] - 1)
    last = node
    while last.items:
        last = last.items[-1]
    if last.kind == "scalar" and last.style in ("|", ">"):
        at = last.end  # its trailing empty lines may be part of it
    else:
        at = text.find("\n", node.end)
        at = len(text) if at < 0 else at + 1
    before = "" if text[at - 1 : at] == "\n" else newline
    return at, f"{before}{indent}{pair}{newline}"


def _in_flow(raw: RawDocument, node: Node, pair: str) -> tuple[int, str]:
    text = raw.source.text
    if not node.items:
        return node.start + 1, pair
    last = node.items[-1]
    # A comma may follow already; a comment may not be mistaken for one.
    comma = re.match(r"\s*,", text[last.end : node.end])
    at = last.end + comma.end() if comma else last.end
    first_key, last_key = node.items[0], node.items[-2]
    line_start = text.rfind("\n", 0, last_key.start) + 1
    indent = text[line_start : last_key.start]
    gap = " "
    if not indent.strip() and text.rfind("\n", 0, first_key.start) >= node.start:
        gap = _newline(text) + indent
    return at, ("" if comma else ",") + gap + pair


def _tried(
    raw: RawDocument,
    start: int,
    end: int,
    new: str,
    steps: list[str | int],
    value: Json,
    *,
    renamed_from: list[str | int] | None = None,
) -> Edit:
    """The edit, once reading the edited text has shown that it does what was asked and nothing besides."""
    source = raw.source
    edited = source.text[:start] + new + source.text[end:]
    before = read(raw.path, source.text.encode(), dialect=raw.dialect)
    after = read(raw.path, edited.encode(), dialect=raw.dialect)
    wanted = {document.index: document.value for document in before.documents}
    if renamed_from is None:
        wanted[raw.index] = _with(raw.value, steps, value)
    else:
        wanted[raw.index] = _renamed(raw.value, renamed_from, str(steps[-1]))
    found = {document.index: document.value for document in after.documents}
    if _exactly(found) != _exactly(wanted):
        raise _refused(renamed_from or steps)
    return Edit(source.location(start, end), new)


def _exactly(value: object) -> str:
    import json

    return json.dumps(value, sort_keys=True)  # unlike ==, it tells 1 from true and 1.0; a reading's depth is limited


def _with(value: Json, steps: list[str | int], new: Json) -> Json:
    if not steps:
        return new
    first, *rest = steps
    if isinstance(value, dict):
        inner = value.get(str(first))
        return {**value, str(first): _with(inner, rest, new) if rest else new}
    if isinstance(value, list) and isinstance(first, int):
        return [*value[:first], _with(value[first], rest, new), *value[first + 1 :]]
    return {str(first): _with(None, rest, new)}


def _renamed(value: Json, steps: list[str | int], new: str) -> Json:
    if len(steps) > 1:
        return _with(value, steps[:1], _renamed(step_into(value, steps[0]), steps[1:], new))
    if not isinstance(value, dict):
        return value
    return {new if key == str(steps[0]) else key: item for key, item in value.items()}
