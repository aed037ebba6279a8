"""A copy of a pack in which every body says that it was true.

Rego has one side effect: ``print``. The copy ends each body with a print of the body's number, so that the engine
itself, on its own way through indexes, early exits and caches, tells which bodies held. OPA's coverage counts the
same event (a rule's Exit) at a rule's head.

Three things are rewritten so that "printed" means "true to the end": a value or key of the head that could be undefined
is computed in the body, before the print; the print waits, by variables that depend on each other, until OPA's ordering
for safety has placed everything else before it; and a default, which has no body, becomes the ``else`` of a rule over
the others, which are renamed. A body that is not understood stays as it is and is known to be so: it is never taken for
reached.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from policy.rego_bodies import Body, Module, Part, Span, Statement, bodies, read_modules

_CONSTANT_WORDS = frozenset({"true", "false", "null"})
_CONSTANT_SYMBOLS = frozenset("[]{},:-")
_MOST_STEPS = 40
"""A body with more expressions than this is left as it is."""


@dataclass(frozen=True)
class Marked:
    """The copy. ``mark``, a number and ``;`` are printed; the number is an index into ``bodies``. ``unknown`` bodies
    print nothing. ``places``: per module, the first and last line in the copy of each body that prints."""

    modules: Mapping[str, bytes]
    mark: str
    bodies: tuple[Body, ...]
    unknown: frozenset[Body]
    places: Mapping[str, tuple[tuple[int, int, Body], ...]]

    def bodies_at(self, module: str, line: int) -> list[Body]:
        """The bodies on a line of the copy, for a compile error there."""
        return [body for first, last, body in self.places.get(module, ()) if first <= line <= last]


def mark_bodies(sources: Mapping[str, bytes], *, v1: bool, nonce: str, leave: Iterable[Body] = ()) -> Marked:
    """The copy of a pack's modules. ``nonce``: letters and digits that occur nowhere in them. ``leave``: bodies to
    leave as they are."""
    modules = read_modules(sources, v1=v1)
    every = bodies(modules)
    unknown = set(leave)
    if any(_shadows_print(module) for module in modules):
        unknown |= set(every)
    for module in modules:
        for statement in module.statements:
            unknown |= _left_together(module, statement, unknown)
    above = _defaults_above(modules, unknown)
    numbers = {body: number for number, body in enumerate(every)}
    copies, places = {}, {}
    for module in modules:
        text, places[module.name] = _Writer(module, nonce, numbers, unknown, above).write()
        copies[module.name] = text.encode("utf-8", "surrogatepass")
    return Marked(copies, f"maestro-{nonce}:", tuple(every), frozenset(unknown), places)


def _shadows_print(module: Module) -> bool:
    """Whether ``print`` may mean something else than OPA's."""
    tokens = module.text.tokens
    importing = False
    for at, token in enumerate(tokens):
        if token.first:
            importing = token.text == "import"
        if token.text != "print" or token.kind != "word":
            continue
        called = at + 1 < len(tokens) and tokens[at + 1].text == "("
        member = at > 0 and tokens[at - 1].text == "." and not importing
        if not called and not member:
            return True
    return any(statement.head.name == "print" for statement in module.statements)


def _left_together(module: Module, statement: Statement, unknown: set[Body]) -> set[Body]:
    """What of a statement must be left: a head shared by several bodies can only be rewritten for all of them."""
    left = {
        part.place
        for part in statement.parts
        if not part.understood or part.place in unknown or _steps(module, statement, part) > _MOST_STEPS
    }
    sharing = {part.place for part in statement.parts if part.place.kind in ("rule", "chained")}
    return left | sharing if left & sharing else left


def _steps(module: Module, statement: Statement, part: Part) -> int:
    """At least as many as the expressions of a body, with those that the copy adds to it."""
    if part.body is None:
        return 1
    inside = module.text.tokens[part.body.start : part.body.stop]
    depth = inside[0].depth if inside else 0
    lines = sum(
        token.depth == depth and (token.first or before.text == ";") for before, token in itertools.pairwise(inside)
    )
    return 1 + lines + len(_moved(module, statement, part))


def _moved(module: Module, statement: Statement, part: Part) -> list[Span]:
    """What of the head is computed in the body: keys, then the value."""
    keys = statement.keys if part.place.kind in ("rule", "chained") else []
    spans = [*keys, *([part.value] if part.value else [])]
    return [span for span in spans if not _is_constant(module, span)]


def _is_constant(module: Module, span: Span) -> bool:
    return all(
        token.kind in ("string", "raw", "number")
        or (token.kind == "word" and token.text in _CONSTANT_WORDS)
        or (token.kind == "symbol" and token.text in _CONSTANT_SYMBOLS)
        for token in module.text.tokens[span.start : span.stop]
    )


_Name = tuple[tuple[str, ...], str]
"""A rule: its package and its name."""


def _defaults_above(modules: Sequence[Module], unknown: set[Body]) -> frozenset[_Name]:
    """The rules whose default can become the last resort of a rule above their bodies. Any other default is added to
    ``unknown``, unless it stands alone: then it is a fact."""
    by_name: dict[_Name, list[Statement]] = {}
    for module in modules:
        for statement in module.statements:
            by_name.setdefault((module.text.package or (), statement.head.name), []).append(statement)
    above = set()
    for name, statements in by_name.items():
        places = [statement.parts[0].place for statement in statements if statement.head.default]
        plain = all(one.head.shape in ("complete", "function") and not one.keys for one in statements)
        if len(places) != 1 or not plain or unknown & set(places):
            unknown |= set(places)
        elif len(statements) > 1:
            above.add(name)
    return frozenset(above)


@dataclass(frozen=True, order=True)
class _Edit:
    """Replace ``start`` to ``stop`` of the source."""

    start: int
    stop: int
    text: str


class _Writer:
    """Writes the copy of one module."""

    def __init__(
        self, module: Module, nonce: str, numbers: Mapping[Body, int], unknown: set[Body], above: frozenset[_Name]
    ) -> None:
        self.module = module
        self.tokens = module.text.tokens
        self.prefix = f"maestro_{nonce}"
        self.mark = f"maestro-{nonce}:"
        self.numbers = numbers
        self.unknown = unknown
        self.above = above
        self.edits: list[_Edit] = []
        self.regions: list[tuple[int, int, Body]] = []

    def write(self) -> tuple[str, tuple[tuple[int, int, Body], ...]]:
        """The text, and the lines in it of each body that prints."""
        for statement in self.module.statements:
            renamed = ((self.module.text.package or ()), statement.head.name) in self.above
            if statement.head.default:
                if statement.parts[0].place not in self.unknown:
                    self._default(statement, renamed=renamed)
                continue
            if renamed:
                name = self.tokens[statement.head.token]
                self._replace(name.offset, name.offset + len(name.text), f"{self.prefix}_{name.text}")
            if statement.parts[0].place not in self.unknown:
                for number, key in enumerate(statement.keys):
                    if not _is_constant(self.module, key):
                        self._replace(self._offset(key.start), self._end(key.stop), f"{self.prefix}_k{number}")
            for part in statement.parts:
                if part.place not in self.unknown:
                    self._part(statement, part)
        return self._apply()

    def _default(self, statement: Statement, *, renamed: bool) -> None:
        part, word = statement.parts[0], self.tokens[statement.head.token]
        name = self.tokens[statement.head.token + 1]
        value = part.value or Span(part.after, part.after)
        head = name.text
        arguments = ""
        if statement.arguments is not None:
            inner = self.tokens[statement.arguments.start : statement.arguments.stop]
            commas = sum(token.text == "," and token.depth == name.depth + 1 for token in inner)
            arguments = f"({', '.join(f'{self.prefix}_a{number}' for number in range(commas + 1))})"
        opening = "if {" if self.module.needs_if else "{"
        shown = self._text(value)
        result = f"{self.prefix}_v"
        if renamed:
            asked = f"{self.prefix}_{name.text}{arguments}"
            text = f"{head}{arguments} = {result} {opening} {result} := {asked} }} else = {shown}\n{opening} "
        else:
            text = f"{head}{arguments} = {shown}\n{opening} "
        self._region(word.offset, self._end(value.stop), part)
        self._replace(word.offset, self._end(value.stop), f"{text}{self._print(part, 1)} }}\n")

    def _part(self, statement: Statement, part: Part) -> None:
        moved = _moved(self.module, statement, part)
        chained = part.place.kind == "chained"
        if part.value is not None and part.value in moved and not chained:
            self._replace(self._offset(part.value.start), self._end(part.value.stop), f"{self.prefix}_v ")
        added = []
        for span in moved:
            name = "v" if span is part.value else f"k{statement.keys.index(span)}"
            added.append(f"{self.prefix}_{name} := {self._text(span)}\n")
        added.append(self._print(part, _steps(self.module, statement, part)))
        ending = "; ".join(added)
        if part.body is None:
            after = part.value.stop if part.value is not None else statement.name_stop
            at = self._end(after)
            opening = " if {" if self.module.needs_if else " {"
            self._replace(at, at, f"{opening} {ending} }}\n")
        elif part.braces:
            at = self._offset(part.body.stop)
            before = self.tokens[part.body.stop - 1].text
            self._replace(at, at, f"\n{'' if before == ';' else '; '}{ending} ")
        else:
            self._replace(self._offset(part.body.start), self._offset(part.body.start), "{ ")
            at = self._end(part.body.stop)
            self._replace(at, at, f"; {ending} }}\n")
        start = self._offset(statement.head.token) if part.place.kind == "rule" else self.edits[-1].start
        self._region(start, at, part)

    def _print(self, part: Part, steps: int) -> str:
        """The print, behind a ladder of variables. OPA places expressions in rounds, each once the variables it needs
        are bound; the last rung is bound in as many rounds as there are expressions, so nothing comes after it."""
        said = f'print("{self.mark}{self.numbers[part.place]};"'
        if steps < 2:
            return f"{said})"
        name = f"{self.prefix}_x"
        rungs = [f"{name}{step} = {name}{step + 1}" for step in range(steps - 1)] + [f"{name}{steps - 1} = true"]
        return "; ".join([*rungs, f"{self.prefix}_y = [{name}0 | true]", f"{said}, {self.prefix}_y)"])

    def _text(self, span: Span) -> str:
        return self.module.source[self._offset(span.start) : self._end(span.stop)]

    def _offset(self, token: int) -> int:
        return self.tokens[token].offset if token < len(self.tokens) else len(self.module.source)

    def _end(self, token: int) -> int:
        """Where what stands before a token ends: behind the token before it, unless that begins or ends a part of a
        template string, whose text is no token: then right before ``token``."""
        limit = self._offset(token)
        if not token:
            return limit
        before = self.tokens[token - 1]
        end = before.offset + len(before.text)
        gap = self.module.source[end:limit]
        if before.kind == "template":
            return limit
        stripped = gap.lstrip()
        if not stripped:
            return end
        at = limit - len(stripped)
        line = self.module.source.count("\n", 0, at) + 1
        column = at - self.module.source.rfind("\n", 0, at)
        comments = {(comment.line, comment.column) for comment in self.module.text.comments if comment.after == token}
        return end if (line, column) in comments else limit

    def _region(self, start: int, stop: int, part: Part) -> None:
        self.regions.append((start, stop, part.place))

    def _replace(self, start: int, stop: int, text: str) -> None:
        self.edits.append(_Edit(start, stop, text))

    def _apply(self) -> tuple[str, tuple[tuple[int, int, Body], ...]]:
        source, out, at = self.module.source, [], 0
        lines: list[tuple[int, int]] = []
        added = 0
        for edit in sorted(self.edits):
            out += [source[at : edit.start], edit.text]
            added += edit.text.count("\n") - source.count("\n", edit.start, edit.stop)
            lines.append((edit.start, added))
            at = edit.stop
        out.append(source[at:])

        def line(offset: int, *, last: bool) -> int:
            more = [count for start, count in lines if start < offset or (last and start == offset)]
            return source.count("\n", 0, offset) + 1 + (more[-1] if more else 0)

        places = tuple((line(a, last=False), line(b, last=True), body) for a, b, body in self.regions)
        return "".join(out), places
