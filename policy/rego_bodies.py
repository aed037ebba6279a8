"""The bodies of a module's rules, found in its text: of rules, of ``else``, chained ones, and defaults.

Not a parser: it follows the brackets of what ``rego_text`` calls a rule's head. What it cannot tell apart for certain
is marked as not understood.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from policy.rego_text import Head, Text, Token, heads, read_text

BodyKind = Literal["rule", "else", "chained", "default"]

_WAITING_WORDS = frozenset({"in", "not", "some", "every", "with", "as"})
_WAITING_SYMBOLS = frozenset("=+-*/%<>!&|,.:([{")
_IF_IN_V0 = re.compile(r"^[ \t]*import[ \t]+(?:rego\.v1|future\.keywords(?:\.if)?)[ \t\r]*(?:#.*)?$", re.MULTILINE)


@dataclass(frozen=True, order=True)
class Body:
    """One body. ``module`` as in the pack; ``line`` and ``column`` (from 1) are where its head begins: the rule's
    name, ``else``, or the opening brace of a body chained to another. A default counts as a body of its rule."""

    module: str
    line: int
    column: int
    rule: str = field(compare=False)
    kind: BodyKind = field(compare=False)


@dataclass(frozen=True)
class Span:
    """Tokens from ``start`` to ``stop`` (exclusive)."""

    start: int
    stop: int


@dataclass
class Part:
    """A body as it stands. ``value``: what follows ``contains``, ``:=`` or ``=`` in its head. ``body`` is None for a
    fact; ``braces``: the span lies between braces, else it is the one expression after ``if``. ``after``: the index
    of the first token behind the part."""

    place: Body
    value: Span | None = None
    body: Span | None = None
    braces: bool = False
    after: int = 0
    understood: bool = True


@dataclass
class Statement:
    """A rule with all its parts. ``keys``: what stands in the brackets of its head."""

    head: Head
    parts: list[Part]
    keys: list[Span] = field(default_factory=list)
    arguments: Span | None = None
    name_stop: int = 0
    """Index of the first token behind the head's name, keys and arguments."""


@dataclass(frozen=True)
class Module:
    """A module as read. ``needs_if``: whether a body begins with ``if``."""

    name: str
    source: str
    text: Text
    statements: tuple[Statement, ...]
    needs_if: bool


def read_modules(sources: Mapping[str, bytes], *, v1: bool) -> list[Module]:
    """Every module of a pack. Never raises: what is no Rego has no statements, or such as OPA will refuse."""
    return [_module(name, source.decode("utf-8", "replace"), v1=v1) for name, source in sorted(sources.items())]


def bodies(modules: list[Module]) -> list[Body]:
    """Every body, sorted by place."""
    return sorted(part.place for module in modules for statement in module.statements for part in statement.parts)


def _module(name: str, source: str, *, v1: bool) -> Module:
    text = read_text(source)
    needs_if = v1 or _IF_IN_V0.search(source) is not None
    found = heads(text, v1=needs_if)
    imports = [at for at, token in enumerate(text.tokens) if _is_import(at, token)]
    starts = [*sorted([*(head.token for head in found), *imports]), len(text.tokens)]
    statements = []
    for head in found:
        stop = next(start for start in starts if start > head.token)
        statements.append(_Reader(name, text.tokens, head, stop, needs_if=needs_if).read())
    return Module(name, source, text, tuple(statements), needs_if)


def _is_import(at: int, token: Token) -> bool:
    return token.text == "import" and token.kind == "word" and not token.depth and token.first and at > 0


@dataclass
class _Reader:
    """Reads one statement: the tokens from its head to ``stop``."""

    module: str
    tokens: tuple[Token, ...]
    head: Head
    stop: int
    needs_if: bool
    at: int = 0

    def read(self) -> Statement:
        self.at = self.head.token + self.head.default
        name = self.tokens[self.at]
        statement = Statement(self.head, [])
        self._name(statement)
        first = Part(Body(self.module, name.line, name.column, name.text, "default" if self.head.default else "rule"))
        self._head_value(first)
        statement.parts.append(first)
        if self.head.default:
            first.after = self.at
            first.understood = self.at >= self.stop and first.value is not None
            return statement
        self._body(first)
        self._more(statement)
        if self.at < self.stop:
            # Something follows that was not understood; where the last part ends is then in doubt, too.
            statement.parts[-1].understood = False
        return statement

    def _text(self, ahead: int = 0) -> str:
        at = self.at + ahead
        return self.tokens[at].text if at < self.stop else ""

    def _is_word(self, word: str) -> bool:
        return self.at < self.stop and self.tokens[self.at].kind == "word" and self._text() == word

    def _name(self, statement: Statement) -> None:
        self.at += 1
        while self.at < self.stop:
            if self._text() == "." and self.at + 1 < self.stop and self.tokens[self.at + 1].kind == "word":
                self.at += 2
            elif self._text() == "[":
                close = self._closing()
                statement.keys.append(Span(self.at + 1, close))
                self.at = close + 1
            elif self._text() == "(" and statement.arguments is None:
                close = self._closing()
                statement.arguments = Span(self.at + 1, close)
                self.at = close + 1
            else:
                break
        self.at = min(self.at, self.stop)
        statement.name_stop = self.at

    def _closing(self) -> int:
        """Index of the token that closes the bracket at ``at``; ``stop`` when nothing does."""
        depth = self.tokens[self.at].depth
        for index in range(self.at + 1, self.stop):
            if self.tokens[index].depth == depth and self.tokens[index].text in (")", "]", "}"):
                return index
        return self.stop

    def _head_value(self, part: Part) -> None:
        if self._text() not in ("contains", ":=", "="):
            return
        self.at += 1
        start = self.at
        while self.at < self.stop and not self._ends_value(start):
            self.at += 1
        part.value = Span(start, self.at)
        part.understood = part.understood and start < self.at

    def _ends_value(self, start: int) -> bool:
        """Whether the token at ``at`` is the first behind a value that began at ``start``."""
        token = self.tokens[self.at]
        if token.depth:
            return False
        if token.kind == "word" and token.text in ("if", "else") and self._text(1) not in (".", "["):
            return not (token.text == "if" and not self.needs_if)
        if token.text == "{" and self.at > start:
            before = self.tokens[self.at - 1]
            waits = before.text[-1] in _WAITING_SYMBOLS if before.kind == "symbol" else before.text in _WAITING_WORDS
            return not waits and before.kind != "template"
        return False

    def _body(self, part: Part) -> None:
        """The body at ``at``, if there is one. Leaves ``at`` behind it."""
        conditional = self.needs_if and self._is_word("if")
        if conditional:
            self.at += 1
        if self._text() == "{" and not (conditional and self._is_expression(part)):
            close = self._closing()
            part.body = Span(self.at + 1, close)
            part.braces = True
            part.understood = part.understood and self.at + 1 < close < self.stop
            self.at = min(close + 1, self.stop)
        elif conditional:
            start = self.at
            while self.at < self.stop and not (self._is_word("else") and not self.tokens[self.at].depth):
                self.at += 1
            part.body = Span(start, self.at)
            part.understood = part.understood and start < self.at
        part.after = self.at

    def _is_expression(self, part: Part) -> bool:
        """Whether the brace after ``if`` opens a value, as OPA tries first, rather than a body."""
        close = self._closing()
        depth = self.tokens[self.at].depth + 1
        inner = [token for token in self.tokens[self.at + 1 : close] if token.depth == depth]
        following = self.tokens[close + 1].text if close + 1 < self.stop else ""
        if any(token.text == ":" for token in inner) or not inner:
            return True
        bar = next((index for index, token in enumerate(inner) if token.text == "|"), None)
        if bar is not None and not any(token.text in (":=", "=", "==", ";") for token in inner[:bar]):
            part.understood = False  # a comprehension, or a body whose first expression is a union
        return following not in ("", "else", "{")

    def _more(self, statement: Statement) -> None:
        """The ``else`` parts, or the bodies chained to the first."""
        rule = statement.parts[0].place.rule
        while self.at < self.stop:
            token = self.tokens[self.at]
            if self._is_word("else"):
                part = Part(Body(self.module, token.line, token.column, rule, "else"))
                self.at += 1
                self._head_value(part)
                self._body(part)
            elif token.text == "{" and statement.parts[-1].braces:
                part = Part(Body(self.module, token.line, token.column, rule, "chained"))
                part.value = statement.parts[0].value
                self._body(part)
            else:
                return
            statement.parts.append(part)
