"""Where every value of a file stands: a tree of nodes over the text, built only when a place is asked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from maestro.documents.yaml_events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

_PROPERTIES = re.compile(r"(?:[&!][^\s,\[\]{}]*\s+)+")


@dataclass(slots=True, eq=False)
class Node:
    """One node. ``start`` and ``end`` are offsets in code points; ``end`` is exclusive.

    A block collection ends where its last child ends; a scalar starts after its anchor and tag.
    """

    kind: Literal["scalar", "map", "seq", "alias"]
    start: int
    end: int
    style: Literal["plain", "'", '"', "|", ">", "flow", "block"] = "plain"
    text: str = ""
    """A scalar's value before any meaning is given to it."""
    items: list[Node] = field(default_factory=list)
    """A sequence's items; a mapping's keys and values in turn."""
    target: Node | None = None
    """What an alias stands for."""

    def pairs(self) -> list[tuple[Node, Node]]:
        """A mapping's keys with their values."""
        return list(zip(self.items[::2], self.items[1::2], strict=False))


_STYLES: dict[str | None, Literal["plain", "'", '"', "|", ">"]] = {
    "'": "'",
    '"': '"',
    "|": "|",
    ">": ">",
}


def node_trees(next_event: Callable[[], Any], text: str, offset: int = 0) -> list[Node]:
    """The root node of every document; ``offset`` is added to the parser's places.

    Raises:
        yaml.error.YAMLError: a syntax error.
    """
    roots: list[Node] = []
    stack: list[tuple[Node, str | None]] = []
    anchors: dict[str, Node] = {}
    while (event := next_event()) is not None:
        kind = type(event)
        name = getattr(event, "anchor", None)
        if kind is DocumentStartEvent:
            anchors = {}
            continue
        if kind is ScalarEvent:
            start, end = event.start_mark.index + offset, event.end_mark.index + offset
            if name is not None or event.tag is not None:
                properties = _PROPERTIES.match(text, start)
                start = min(properties.end(), end) if properties else end
            node = Node("scalar", start, end, _STYLES.get(event.style, "plain"), event.value)
        elif kind is AliasEvent:
            node = Node("alias", event.start_mark.index + offset, event.end_mark.index + offset)
            node.target = anchors.get(event.anchor)
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            start = event.start_mark.index + offset
            if name is not None or event.tag is not None:
                properties = _PROPERTIES.match(text, start)
                start = properties.end() if properties else start
            node = Node(
                "map" if kind is MappingStartEvent else "seq", start, start, "flow" if event.flow_style else "block"
            )
            stack.append((node, name))
            continue
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            node, name = stack.pop()
            # A block collection's own end mark is the next token, beyond comments and blank lines.
            node.end = event.end_mark.index + offset if node.style == "flow" else max(node.start, _last_end(node, text))
        else:
            continue
        if name is not None and kind is not AliasEvent:
            anchors[name] = node
        if stack:
            stack[-1][0].items.append(node)
        else:
            roots.append(node)
    return roots


def _last_end(node: Node, text: str) -> int:
    if not node.items:
        return node.start
    last = node.items[-1]
    if last.kind == "scalar" and last.style in ("|", ">"):
        return len(text[: last.end].rstrip())
    return last.end


def find(root: Node, steps: list[str | int]) -> tuple[Node | None, Node, int]:
    """Follow ``steps`` as far as they go.

    Returns:
        The key node of the last step taken (None at the root and within lists), the node reached, and the number
        of steps taken. Of a key written twice the last one counts, of merged ones the first (:mod:`compose`).
    """
    key: Node | None = None
    node = root
    for taken, step in enumerate(steps):
        here = node.target if node.kind == "alias" and node.target is not None else node
        found = _child(here, step)
        if found is None:
            return key, node, taken
        key, node = found
    return key, node, len(steps)


def _child(node: Node, step: str | int) -> tuple[Node | None, Node] | None:
    if node.kind == "seq":
        if isinstance(step, int) and 0 <= step < len(node.items):
            return None, node.items[step]
        return None
    if node.kind != "map":
        return None
    wanted = str(step)
    pending = [node]
    seen = 0
    while pending and seen < 1000:  # aliases may merge one mapping many times over
        seen += 1
        here = pending.pop()
        pairs = here.pairs()
        for key, value in reversed(pairs):
            if key.text == wanted and key.kind == "scalar" and not (wanted == "<<" and key.style == "plain"):
                return key, value
            if key.kind == "alias" and key.target is not None and key.target.text == wanted:
                return key, value
        for key, value in pairs:
            if key.text == "<<" and key.style == "plain":
                source = value.target if value.kind == "alias" and value.target is not None else value
                sources = source.items if source.kind == "seq" else [source]
                plain = [one.target if one.kind == "alias" and one.target is not None else one for one in sources]
                pending.extend(one for one in reversed(plain) if one.kind == "map")
    return None
