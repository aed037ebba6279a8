"""Bytes to documents, in two dialects.

``strict`` is for Maestro's own kinds. ``lenient`` is for files written for other tools: merge keys are honoured, tags
that are not YAML's own are passed over, a key that is a number or boolean becomes its text, a key written twice keeps
its last value with a warning, ``.json`` files are read as JSON (RFC 8259).

Nothing a file holds makes ``read`` raise.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from maestro.documents import rules
from maestro.documents.compose import LENIENT, STRICT, Composed, Limits, Stopped, compose
from maestro.documents.problem import Problem
from maestro.documents.source import BOM, Source
from maestro.documents.yaml_events import CParser, MarkedYAMLError, ReaderError, YAMLError
from maestro.findings import Edit, Fix, Location, Rule

if TYPE_CHECKING:
    from maestro.documents.json_value import Json
    from maestro.documents.positions import Node

Dialect = Literal["strict", "lenient"]

_BOM_BYTES = BOM.encode()
_UNICODE_BREAKS = ("\u0085", "\u2028", "\u2029")
_MOST_PROBLEMS = 1000
_MOST_DIRECTIVES = 100  # libyaml compares each with all others
# What libyaml refuses: everything but YAML 1.2.2's c-printable, and a byte order mark inside of the text.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


class _File:
    """The bytes of one file, and the places in it once somebody asks."""

    __slots__ = ("_roots", "_source", "data", "dialect", "path")

    def __init__(self, path: str, data: bytes, dialect: Dialect) -> None:
        self.path = path
        self.data = data
        self.dialect = dialect
        self._source: Source | None = None
        self._roots: list[Node] | None = None

    @property
    def source(self) -> Source:
        if self._source is None:
            self._source = Source(self.path, self.data.decode("utf-8", "replace"))
        return self._source

    def parser(self) -> Any:  # noqa: ANN401
        return CParser(self.data[3:] if self.has_bom else self.data)

    @property
    def has_bom(self) -> bool:
        return self.data.startswith(_BOM_BYTES)

    @property
    def shift(self) -> int:
        """What to add to the parser's offsets."""
        return 1 if self.has_bom else 0

    @property
    def roots(self) -> list[Node]:
        if self._roots is None:
            from maestro.documents.positions import node_trees

            text = self.source.text
            try:
                parser = self.parser()
                if self.path.endswith(".json"):
                    from maestro.documents.json_reading import without_surrogate_escapes

                    parser = CParser(without_surrogate_escapes(text[self.shift :]).encode())
                self._roots = node_trees(parser.get_event, text, self.shift)
            except (YAMLError, UnicodeError):
                self._roots = []
        return self._roots


class RawDocument:
    """One document of a file: its value, and the way back to the text.

    ``index`` counts the documents of the file from 0, ones without any content included.
    """

    __slots__ = ("_file", "_start", "index", "path", "value")

    def __init__(self, file: _File, index: int, value: Json, start: int) -> None:
        self.path = file.path
        self.index = index
        self.value = value
        self._file = file
        self._start = start

    @property
    def dialect(self) -> Dialect:
        """How it was read."""
        return self._file.dialect

    @property
    def source(self) -> Source:
        """The text of the whole file."""
        return self._file.source

    @property
    def root(self) -> Node | None:
        """The tree of places, or None where the file's text cannot be mapped to its values."""
        roots = self._file.roots
        return roots[self.index] if self.index < len(roots) else None

    @property
    def start(self) -> Location:
        """Where the document's content begins."""
        root = self.root
        return self.source.location(root.start if root is not None else self._start)

    def locate(self, pointer: Sequence[str | int], *, key: bool = False) -> Location:
        """Where a value stands, or its key; for what is not there, the nearest thing around it (its key)."""
        from maestro.documents.positions import find

        root = self.root
        if root is None:
            return self.start
        steps = list(pointer)
        key_node, node, taken = find(root, steps)
        if taken < len(steps) or key:
            if key_node is not None:
                return self.source.location(key_node.start, key_node.end)
            if taken == 0 and node.kind in ("map", "seq"):
                first = node.items[0] if node.items else node
                return self.source.location(first.start, first.end)
        if node.kind == "scalar" and node.start == node.end and key_node is not None:
            return self.source.location(key_node.start, key_node.end)
        return self.source.location(node.start, node.end)

    def __repr__(self) -> str:
        return f"RawDocument({self.path!r}, {self.index})"


@dataclass(frozen=True, slots=True)
class Reading:
    """What one file holds.

    ``documents`` is empty when the file cannot be read to its end. ``problems`` are in the order of the text; whether
    one blocks is its rule's mode. ``notes`` (mode warn, ``lenient`` only): scalars that YAML 1.1 reads differently,
    merges that readers disagree on.
    """

    path: str
    documents: tuple[RawDocument, ...]
    problems: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()


class _Notebook:
    """Collects problems; places are worked out at the end, so that a file without problems pays nothing.

    Of too many some are only counted, but never the first of a rule: a thousand warnings must not hide what blocks.
    """

    __slots__ = ("_known", "dropped", "entries")

    def __init__(self) -> None:
        self.entries: list[tuple[Rule, str, int, int, str | None]] = []
        self.dropped = 0
        self._known: set[str] = set()

    def __call__(self, rule: Rule, message: str, start: int, end: int, *, quote: str | None = None) -> None:
        if len(self.entries) < _MOST_PROBLEMS or rule.id not in self._known:
            self.entries.append((rule, message, start, end, quote))
            self._known.add(rule.id)
        else:
            self.dropped += 1

    def problems(self, file: _File, composed: Sequence[Composed], milder: dict[str, Rule]) -> tuple[Problem, ...]:
        if not self.entries:
            return ()
        starts = [one.start for one in composed]
        first = _first_keys(file) if any(entry[0] is rules.DUPLICATE_KEY for entry in self.entries) else {}
        out = []
        for rule, message, start, end, quote in self.entries:
            if rule is rules.DUPLICATE_KEY and start + file.shift in first:
                message += f"; the first time on line {first[start + file.shift]}"
            location = file.source.location(start + file.shift, end + file.shift)
            fix = None
            if quote is not None:
                quoted = '"' + quote + '"'
                fix = Fix(f"write it as text: {quoted}", (Edit(location, quoted),))
            document = sum(one <= start for one in starts) - 1 if starts else None
            out.append(Problem(milder.get(rule.id, rule), message, location, fix, document=document))
        if self.dropped:
            last = out[_MOST_PROBLEMS - 1]
            out.append(Problem(last.rule, f"and {self.dropped} more problems in this file", last.location))
        return tuple(out)


def _first_keys(file: _File) -> dict[int, int]:
    """By the offset of a key that its mapping has already: the line of the first one."""
    out: dict[int, int] = {}
    pending = list(file.roots)
    while pending:
        node = pending.pop()
        pending.extend(node.items)
        if node.kind == "map":
            seen: dict[str, int] = {}
            for key, _ in node.pairs():
                if key.kind == "scalar" and seen.setdefault(key.text, key.start) != key.start:
                    out[key.start] = file.source.line_and_column(seen[key.text])[0]
    return out


_LENIENT_RULES = {rules.DUPLICATE_KEY.id: dataclasses.replace(rules.DUPLICATE_KEY, mode="warn")}


def read(path: str, data: bytes, *, dialect: Dialect, as_1_1: bool = False) -> Reading:
    """All documents of a file, and everything wrong with it. Never raises for content.

    ``as_1_1`` (``lenient`` only): values are those that YAML 1.1 reads, for readers that still do.
    """
    strict = dialect == "strict"
    limits = STRICT if strict else LENIENT
    refused = _refuse(path, data, limits)
    if refused is not None:
        return Reading(path, (), (refused,))
    file = _File(path, data, dialect)
    if not strict and path.endswith(".json"):
        from maestro.documents.json_reading import read_json

        value, problems = read_json(file.source, file.shift, limits)
        return Reading(path, () if _blocked(problems) else (RawDocument(file, 0, value, file.shift),), problems)
    report, note = _Notebook(), _Notebook()
    try:
        parser = file.parser()
        composed = compose(parser.get_event, limits, strict=strict, report=report, note=note, as_1_1=as_1_1)
    except Stopped as stopped:
        place = file.source.location(stopped.start + file.shift, stopped.end + file.shift)
        return Reading(path, (), (*report.problems(file, (), {}), Problem(stopped.rule, stopped.message, place)))
    except MarkedYAMLError as error:
        return Reading(path, (), (*report.problems(file, (), {}), _syntax(file, error)))
    except ReaderError:
        return Reading(path, (), (_unprintable(file),))
    except YAMLError as error:
        return Reading(path, (), (Problem(rules.SYNTAX, f"this is not valid YAML: {error}", Location(path)),))
    problems = report.problems(file, composed, {} if strict else _LENIENT_RULES)
    notes = note.problems(file, composed, {})
    if not data.isascii() or not data:
        problems, notes = _about_the_text(file, strict, problems, notes)
    if strict:
        documents = tuple(
            RawDocument(file, index, one.value, one.start + file.shift)
            for index, one in enumerate(composed)
            if not one.empty
        )
        if not documents and not problems:
            problems = (Problem(rules.EMPTY, "this file holds no document", Location(path)),)
    else:
        documents = tuple(
            RawDocument(file, index, one.value, one.start + file.shift) for index, one in enumerate(composed)
        )
    return Reading(path, documents, problems, notes)


def _blocked(problems: Sequence[Problem]) -> bool:
    return any(problem.rule.mode == "enforce" for problem in problems)


def _refuse(path: str, data: bytes, limits: Limits) -> Problem | None:
    """What keeps a file from being parsed at all."""
    if len(data) > limits.size:
        most = f"{limits.size >> 20} MiB"
        return Problem(rules.TOO_LARGE, f"this file has {len(data):,} bytes; at most {most} are read", Location(path))
    nul = data.find(b"\0")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        if nul < 0 or error.start < nul:
            good = data[: error.start].decode("utf-8")
            byte = data[error.start]
            return Problem(
                rules.NOT_UTF8,
                f"this file is not UTF-8: the byte 0x{byte:02x} here belongs to no character",
                Source(path, good).location(len(good)),
            )
    if nul >= 0:
        good = data[:nul].decode("utf-8")
        return Problem(rules.NUL_BYTE, "this file holds a NUL byte", Source(path, good).location(nul and len(good)))
    if data.count(b"\n%") > _MOST_DIRECTIVES:
        return Problem(rules.DIRECTIVE, "this file begins with too many directives", Location(path))
    return None


def _syntax(file: _File, error: MarkedYAMLError) -> Problem:
    from maestro.documents.syntax_errors import explain

    found = explain(error, file.source.text[file.shift :])
    return Problem(found.rule, found.message, file.source.location(found.offset + file.shift), remedy=found.remedy)


def _unprintable(file: _File) -> Problem:
    text = file.source.text
    bad = _UNPRINTABLE.search(text, file.shift)
    if bad is None:
        return Problem(
            rules.CONTROL_CHARACTER, "this file holds a character that YAML does not allow", Location(file.path)
        )
    return Problem(
        rules.CONTROL_CHARACTER,
        f"the character U+{ord(bad[0]):04X} is not allowed in YAML",
        file.source.location(bad.start(), bad.end()),
    )


def _about_the_text(
    file: _File, strict: bool, problems: tuple[Problem, ...], notes: tuple[Problem, ...]
) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """A byte order mark, and characters that only YAML 1.1 takes for ends of lines."""
    found = []
    if file.has_bom:
        found.append(Problem(rules.BYTE_ORDER_MARK, "this file begins with a byte order mark", Location(file.path)))
    text = file.source.text
    for char in _UNICODE_BREAKS:
        at = text.find(char)
        if at >= 0:
            rule = rules.LINE_BREAK if strict else dataclasses.replace(rules.LINE_BREAK, mode="warn")
            found.append(
                Problem(
                    rule,
                    f"the character U+{ord(char):04X} ends a line for some YAML readers and not for others",
                    file.source.location(at, at + 1),
                )
            )
    if strict:
        return (*found, *problems), notes
    return problems, (*found, *notes)
