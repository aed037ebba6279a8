"""From YAML events to values: YAML 1.2 core schema, without recursion, everything wrong reported and gone past.

The events come from libyaml (:mod:`yaml_events`), one at a time, so a limit that is passed ends the work at once.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from maestro.documents import rules
from maestro.documents.scalars import NumberTooBig, describe, differs_in_1_1, resolve, resolve_1_1
from maestro.documents.show import show_text
from maestro.documents.yaml_events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

if TYPE_CHECKING:
    from maestro.documents.json_value import Json
    from maestro.findings import Rule


@dataclass(frozen=True, slots=True)
class Limits:
    """What a file may cost. ``expanded`` counts characters of scalars plus one for every node, aliases written out."""

    size: int
    depth: int
    expanded: int


STRICT: Final = Limits(size=1 << 20, depth=100, expanded=4 << 20)
LENIENT: Final = Limits(size=10 << 20, depth=200, expanded=32 << 20)


class Report(Protocol):
    """Takes one problem; offsets are code points of the text that the parser was given."""

    def __call__(self, rule: Rule, message: str, start: int, end: int, *, quote: str | None = None) -> None:
        """``quote``: the text that, put into quotes in this place, would repair it."""


class Composed(NamedTuple):
    """One document: its value, where it starts, and whether nothing at all stands in it."""

    value: Json
    start: int
    empty: bool


class Stopped(Exception):
    """The file cannot be read to its end: a limit, or an alias without its anchor."""

    def __init__(self, rule: Rule, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.rule = rule
        self.message = message
        self.start = start
        self.end = end


class _Mark:
    """A place holder that no document can hold."""

    __slots__ = ()


_NO_KEY: Final = _Mark()
_DISCARD: Final = _Mark()
_MERGE: Final = _Mark()

_PREFIX = "tag:yaml.org,2002:"


class _Open(NamedTuple):
    """An anchored collection that is still being read."""

    name: str
    level: int
    weight: int


class _Anchored(NamedTuple):
    value: Any
    weight: int
    height: int
    """How many levels of collections it holds: 0 for a scalar."""


def compose(
    next_event: Callable[[], Any], limits: Limits, *, strict: bool, report: Report, note: Report, as_1_1: bool = False
) -> list[Composed]:
    """All documents of a stream; with ``as_1_1`` plain scalars that are values mean what they mean in YAML 1.1.

    Raises:
        Stopped: nothing of the file can be trusted.
        yaml.error.MarkedYAMLError, yaml.reader.ReaderError: a syntax error.
    """
    documents: list[Composed] = []
    weight = 0
    stack: list[tuple[Any, Any, bool]] = []  # (collection, pending key, whether a mapping)
    value: Any = None
    container: Any = None
    key: Any = _NO_KEY
    in_map = False
    anchors: dict[str, _Anchored] = {}
    opened: list[_Open] = []
    deepest: list[int] = []  # beside `opened`: the deepest level seen within
    merged: dict[int, set[str]] = {}  # by id of a mapping: its keys that came through `<<`
    start = 0
    empty = False
    while True:
        event = next_event()
        kind = type(event)
        if kind is ScalarEvent:
            text = event.value
            weight += len(text) + 1
            tag = event.tag
            if tag is not None:
                value = _tagged(event, strict, report)
            elif event.implicit[0]:
                try:
                    value = resolve(text)
                except NumberTooBig:
                    _too_big(event, report)
                    value = None
                if not strict:
                    _note_difference(event, value, note)
                    if as_1_1 and not (in_map and key is _NO_KEY):
                        value = resolve_1_1(text, value)
            else:
                value = text
            if event.anchor is not None:
                anchors[event.anchor] = _Anchored(value, len(text) + 1, 0)
            if not stack and not text and event.implicit[0] and tag is None:
                empty = True
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            weight += 1
            level = len(stack) + 1
            if level > limits.depth:
                raise Stopped(rules.TOO_DEEP, f"nested deeper than {limits.depth} levels", *_span(event))
            if strict and event.tag is not None:
                _report_tag(event, report)
            if opened:
                deepest[-1] = max(deepest[-1], level)
            if event.anchor is not None:
                opened.append(_Open(event.anchor, level, weight - 1))
                deepest.append(level)
            if in_map and key is _NO_KEY:
                report(rules.KEY_NOT_TEXT, "a key is text, not a list or a mapping", *_span(event))
            stack.append((container, key, in_map))
            in_map = kind is MappingStartEvent
            container = {} if in_map else []
            key = _NO_KEY
            continue
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            value = container
            level = len(stack)
            if opened and opened[-1].level == level:
                name, _, before = opened.pop()
                reached = deepest.pop()
                if deepest:
                    deepest[-1] = max(deepest[-1], reached)
                anchors[name] = _Anchored(value, weight - before, reached - level + 1)
            if merged:
                merged.pop(id(container), None)
            container, key, in_map = stack.pop()
        elif kind is AliasEvent:
            known = anchors.get(event.anchor)
            if known is None:
                raise Stopped(rules.UNKNOWN_ALIAS, _unknown_alias(event.anchor, opened), *_span(event))
            weight += known.weight
            value = known.value
            level = len(stack) + known.height
            if level > limits.depth:
                raise Stopped(
                    rules.TOO_DEEP, f"nested deeper than {limits.depth} levels through aliases", *_span(event)
                )
            if opened:
                deepest[-1] = max(deepest[-1], level)
        elif kind is DocumentStartEvent:
            start = event.start_mark.index
            anchors.clear()
            empty = False
            if strict and (event.tags or event.version == (1, 1)):
                report(rules.DIRECTIVE, "a %TAG or %YAML 1.1 directive changes what the text means", *_span(event))
            continue
        elif kind is DocumentEndEvent:
            documents.append(Composed(value, start, empty))
            continue
        elif kind is StreamStartEvent:
            continue
        elif kind is StreamEndEvent or event is None:
            return documents
        else:  # pragma: no cover - the parser has no other events
            raise TypeError(kind)

        if weight > limits.expanded:
            raise Stopped(
                rules.ALIAS_BOMB if anchors else rules.TOO_LARGE,
                f"written out, this file is larger than {limits.expanded >> 20} MiB",
                *_span(event),
            )
        # `value` is complete: hand it to what holds it.
        if in_map:
            if key is not _NO_KEY:
                if key.__class__ is str:
                    container[key] = value
                elif key is _MERGE:
                    _merge(container, value, event, merged, report, note)
                key = _NO_KEY
            elif value.__class__ is str and (value != "<<" or kind is not ScalarEvent or not event.implicit[0]):
                key = value
                if key in container:
                    if merged and key in merged.get(id(container), ()):
                        merged[id(container)].discard(key)
                    else:
                        report(
                            rules.DUPLICATE_KEY, f"the key {show_text(key)} stands here more than once", *_span(event)
                        )
            elif value.__class__ is str:
                key = _MERGE
                if strict:
                    report(rules.MERGE_KEY, "`<<` would merge keys from elsewhere into this mapping", *_span(event))
                    key = _DISCARD
            else:
                key = _other_key(value, event, kind, container, strict, report)
        elif stack:
            container.append(value)


def _span(event: Any) -> tuple[int, int]:  # noqa: ANN401 - the C parser's events have no types
    return event.start_mark.index, event.end_mark.index


def _unknown_alias(name: str, opened: list[_Open]) -> str:
    if any(one.name == name for one in opened):
        return f"the alias *{name} stands within its own anchor: the value would hold itself"
    return f"the alias *{name} has no anchor &{name} before it in this document"


def _too_big(event: Any, report: Report) -> None:  # noqa: ANN401
    report(
        rules.NUMBER, f"{show_text(event.value)} is not a number that JSON can hold", *_span(event), quote=event.value
    )


def _note_difference(event: Any, value: Json, note: Report) -> None:  # noqa: ANN401
    text = event.value
    then = differs_in_1_1(text)
    if then is not None:
        note(
            rules.YAML_1_1,
            f"`{text}` is {describe(value)} in YAML 1.2, but {then} in YAML 1.1",
            *_span(event),
            quote=text if isinstance(value, str) else None,
        )


def _report_tag(event: Any, report: Report) -> None:  # noqa: ANN401
    tag = event.tag
    short = "!!" + tag[len(_PREFIX) :] if tag.startswith(_PREFIX) else tag
    report(rules.TAG, f"the tag {show_text(short)} is not allowed here", *_span(event))


def _tagged(event: Any, strict: bool, report: Report) -> Json:  # noqa: ANN401
    """A scalar with a tag: reported when strict; else standard tags are honoured and others make it text."""
    text: str = event.value
    if strict:
        _report_tag(event, report)
        return text
    name = event.tag[len(_PREFIX) :] if event.tag.startswith(_PREFIX) else ""
    if name == "binary":
        try:
            return base64.b64decode("".join(text.split()), validate=True).decode("utf-8")
        except ValueError:
            report(rules.TAG, "the !!binary value is not base64 of UTF-8 text", *_span(event))
            return text
    if name not in ("int", "float", "bool", "null"):
        return text
    try:
        value: Json = resolve(text)
    except NumberTooBig:
        _too_big(event, report)
        return None
    kind = "bool" if isinstance(value, bool) else "null" if value is None else type(value).__name__
    if kind != name and (kind, name) != ("int", "float"):
        report(rules.TAG, f"{show_text(text)} is not what its tag !!{name} promises", *_span(event))
        return text
    return value


def _other_key(
    value: object,
    event: Any,  # noqa: ANN401
    kind: type,
    container: dict[str, Json],
    strict: bool,
    report: Report,
) -> str | _Mark:
    """The key that stands for one that is no text: its text where another dialect allows it, else none."""
    if isinstance(value, dict | list):
        if kind is AliasEvent:  # else it was reported where it begins
            report(rules.KEY_NOT_TEXT, "a key is text, not a list or a mapping", *_span(event))
        return _DISCARD
    if value is None:
        report(rules.KEY_NOT_TEXT, "a key is text, not empty or null", *_span(event))
        return _DISCARD
    written = event.value if kind is not AliasEvent else None
    if strict:
        said = f"`{written}`" if written is not None else "this"
        report(rules.KEY_NOT_TEXT, f"a key is text, but {said} is {describe(value)}", *_span(event), quote=written)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if strict and written is not None:
        text = str(written)
    else:
        text = ("false", "true")[value] if isinstance(value, bool) else str(value)
    if text in container:
        report(rules.DUPLICATE_KEY, f"the key {show_text(text)} stands here more than once", *_span(event))
    return text


def _merge(
    container: dict[str, Json],
    value: object,
    event: Any,  # noqa: ANN401
    merged: dict[int, set[str]],
    report: Report,
    note: Report,
) -> None:
    """``<<``: keys of the merged mappings, an earlier mapping's before a later one's.

    A key written before the ``<<`` is overwritten, one after it wins. The specification of merge keys says that written
    keys always win; kubectl and conftest (goyaml.v2) read it in the order written, and what is judged must be what they
    read. So it is read in order, and a note says where the two differ.
    """
    sources: list[Any] = value if isinstance(value, list) else [value]
    if not all(isinstance(source, dict) for source in sources):
        report(rules.MERGE_KEY, "`<<` needs a mapping, or a list of mappings", *_span(event))
        return
    own = merged.setdefault(id(container), set())
    lost = sorted({key for source in sources for key in source if key in container and key not in own})
    if lost:
        note(
            rules.MERGE_ORDER,
            f"`<<` stands after the key {show_text(lost[0])} and overwrites it for some readers (kubectl, conftest), "
            "not for others",
            *_span(event),
        )
    for source in reversed(sources):
        container.update(source)
        own.update(source)
