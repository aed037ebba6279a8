"""The syntax tree of a Rego v1 module, as far as the preflight understands it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

Kind = Literal[
    "null", "boolean", "number", "string", "var", "ref", "array", "object", "set", "call",
    "arraycomprehension", "setcomprehension", "objectcomprehension",
]  # fmt: skip
Scalar = None | bool | str | Decimal
Place = tuple[int, int]
"""Line and column, from 1."""


@dataclass(slots=True)
class Term:
    """A term. ``parts``: a reference's, an array's, a set's; an object's keys and values in turn; a call's arguments;
    a comprehension's head (key and value for objects). ``name``: a variable's, or the dotted name of what is called
    (operators by OPA's names: ``plus``, ``internal.member_2``). ``body``: a comprehension's."""

    kind: Kind
    place: Place
    value: Scalar = None
    name: str = ""
    parts: list[Term] = field(default_factory=list)
    body: list[Statement] = field(default_factory=list)
    infix: str = ""
    raw: str = ""
    """A number's text: 1.0 and 1 are written differently."""


@dataclass(slots=True)
class Statement:
    """One expression of a body. ``term``: what is evaluated (``:=`` and ``=`` are calls of assign and eq).
    ``some``: names declared without ``in``. ``member``: ``some [key,] value in domain``. ``every``: the same, and a
    ``body``. ``withs``: target and value. ``logic``: bodies (``operands``) that are joined, or one that is negated."""

    place: Place
    term: Term | None = None
    negated: bool = False
    some: list[Term] = field(default_factory=list)
    member: tuple[Term | None, Term, Term] | None = None
    every: bool = False
    body: list[Statement] = field(default_factory=list)
    withs: list[tuple[Term, Term]] = field(default_factory=list)
    logic: Literal["", "and", "or", "not"] = ""
    operands: list[list[Statement]] = field(default_factory=list)
    braces: bool = True
    """Whether the operands stand in braces: only there may they bind a variable."""


@dataclass(slots=True)
class Rule:
    """One body of a rule, with what stands in its head. ``ref``: the head's reference, the name first.
    ``arguments``: None unless it is a function. ``key``: after ``contains``. ``body``: empty when there is none."""

    place: Place
    ref: list[Term]
    arguments: list[Term] | None = None
    key: Term | None = None
    value: Term | None = None
    body: list[Statement] = field(default_factory=list)
    otherwise: Rule | None = None
    default: bool = False

    @property
    def name(self) -> str:
        """The first part of the head's reference."""
        return self.ref[0].name


@dataclass(slots=True)
class Import:
    """``path``: ``("data", "a", "b")``; ``alias``: the name it has here."""

    place: Place
    path: tuple[str, ...]
    alias: str
    renamed: bool


@dataclass(slots=True)
class Module:
    """``package``: without ``data``."""

    package: tuple[str, ...]
    imports: list[Import]
    rules: list[Rule]
