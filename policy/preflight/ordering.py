"""A lowered body whose statements regopy evaluates in an order that loses no break.

regopy sorts a body that iterates or takes an array apart by what depends on what, breadth first (DependencyGraph,
src/dependency_graph.cc): what stands after a call that may break can be evaluated before it, and if it fails, the break
is missed. So every line that may fail is made to depend on each call before it that may break: one of its names is
taken through an array that holds the call's result as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from itertools import chain

PREFIX = "mc__"
_LITERAL = r"\"(?:[^\"\\]|\\.)*\"|`[^`]*`"
_OURS = re.compile(rf"{_LITERAL}|({PREFIX}[a-z]+[0-9]+)")
_NEVER_FAILS = re.compile(rf"[\[{{\"0-9-]|true$|false$|null$|set\(\)$|{PREFIX}[a-z]+[0-9]+$")
_HEAD = re.compile(r"(some \w+\n\w+ := |some \w+ in |\[[\w, ]*\] := |\w+ := )?(.*)", re.DOTALL)


def names_in(text: str) -> list[str]:
    """The names of ours in it, in order."""
    return [name for name in _OURS.findall(text) if name]


def _replaced(text: str, name: str, other: str) -> str:
    """One name or root replaced by a name, except within constants."""
    end = r"(?!\w)" if name[-1].isalnum() else ""
    found = re.compile(rf"({_LITERAL})|(?<![\w.]){re.escape(name)}{end}")
    return found.sub(lambda match: match[1] or other, text)


def _mentions(line: str, texts: Collection[str]) -> bool:
    """Whether one of these calls and rules stands in a line."""
    return any(text in line and _replaced(line, text, "") != line for text in texts)


@dataclass(frozen=True)
class Texts:
    """Of calls and rules: those that may break the input, which of these never fail otherwise, those that iterate
    inside, and those that are never undefined; and of the input itself."""

    raising: Collection[str]
    strict: Collection[str]
    looping: Collection[str]
    total: Collection[str]
    root: str


@dataclass
class _Order:
    texts: Texts
    fresh: Callable[[], str]
    lines: list[str] = field(default_factory=list)
    on: dict[str, set[str]] = field(default_factory=dict)
    """Of each name: itself, and every name that it depends on."""
    instead: dict[str, str] = field(default_factory=dict)
    """Of a name: the one that has the same value, after what may break."""
    raised: list[str] = field(default_factory=list)

    def line(self, line: str) -> None:
        raising = _mentions(line, self.texts.raising)
        head, value = self.head(line)
        value = self.renamed(value)
        if self.raised and self.fails(head, self.head(line)[1]):
            value = self.tied(value, set(names_in(head)))
        if raising and not head:
            value = self.named(value)
        elif raising:
            self.raised += names_in(head)
        self.add(head, value)

    @staticmethod
    def head(line: str) -> tuple[str, str]:
        """What a line assigns to, and from what."""
        found = _HEAD.match(line)
        return (found[1] or "", found[2]) if found else ("", line)

    def add(self, head: str, value: str) -> None:
        assigned = names_in(head)
        found = set(chain.from_iterable(self.on.get(name, {name}) for name in names_in(value)))
        for name in assigned:
            self.on[name] = {name} | found
        self.lines.append(head + value)

    def renamed(self, value: str) -> str:
        """The same, of names that come after what may break."""
        for name, other in self.instead.items():
            value = _replaced(value, name, other)
        return value

    def fails(self, head: str, value: str) -> bool:
        """Whether a line may be undefined, false or empty instead of breaking."""
        if not head or head.startswith(("some ", "[")):
            return True
        return not (_NEVER_FAILS.match(value) or value in self.texts.total or value in self.texts.strict)

    def tied(self, value: str, but: set[str]) -> str:
        """The same, after all that may break."""
        names = [name for name in names_in(value) if name not in but]
        known = set(chain.from_iterable(self.on.get(name, {name}) for name in names))
        unknown = [name for name in self.raised if name not in known]
        implied = set(chain.from_iterable(self.on[name] - {name} for name in unknown))
        missing = [name for name in unknown if name not in implied]
        if not missing:
            return value
        root = _replaced(value, self.texts.root, "") != value
        one = names[0] if names else self.texts.root if root else value
        both, other = self.fresh(), self.fresh()
        self.add(f"{both} := ", f"[{', '.join([one, *missing])}]")
        self.add(f"{other} := ", f"{both}[0]")
        if one == value and one not in names:
            return other
        self.instead = {name: other if kept == one else kept for name, kept in self.instead.items()} | {one: other}
        return self.renamed(value)

    def named(self, value: str) -> str:
        """What may break, under a name; and what insists that it holds."""
        name = self.fresh()
        self.raised.append(name)
        if not value.startswith("not ") and " in " not in value:
            self.add(f"{name} := ", value)
            return name
        self.add(f"{name} := ", f"{{1 |\n{value}\n}}")
        return f"{name} == {{1}}"


def in_order(lines: Sequence[str], texts: Texts, fresh: Callable[[], str]) -> list[str]:
    """The lines, each evaluated after what may break before it. ``fresh`` gives a new name."""
    if not any(line.startswith(("some ", "[")) or _mentions(line, texts.looping) for line in lines):
        return list(lines)
    order = _Order(texts, fresh)
    for line in lines:
        order.line(line)
    return order.lines
