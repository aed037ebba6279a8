"""What OPA's checker takes a function's argument to be (unify1 and unify2, v1/ast/check.go).

An argument has no type before its first use. That use gives it one: a builtin's declaration, another function's
argument, what it is compared with. Every later use must agree, and so must every caller. Which use comes first depends
on how OPA orders and rewrites a body; here every use counts, and a body has to be right under each of them: whatever
OPA may refuse is refused.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from policy.preflight import types
from policy.preflight.parser import Refused
from policy.preflight.tree import Place
from policy.preflight.types import ANY, Type

_AT_MOST = 16
"""Assumptions that are tried of one body, and types that a function's argument may turn out to have."""


@dataclass
class Uses:
    """Of a body's arguments: the types that its statements give to each, by the argument's name."""

    found: dict[str, list[Type]] = field(default_factory=dict)

    def note(self, of: Type, wanted: Type) -> None:
        """Arguments within ``of`` stand where ``wanted`` is wanted."""
        for name, asked in _given(of, wanted):
            kept = self.found.setdefault(name, [])
            if asked not in kept:
                kept.append(asked)


def _given(of: Type, wanted: Type) -> Iterator[tuple[str, Type]]:
    """The arguments within a type, each with what another type has at its place."""
    asked = types.stated(wanted)
    if asked is None:
        return
    for name in of.get("arguments", ()):
        yield name, types.plain(types.union(asked), untyped=types.NOTHING)
    for member in types.stated(of) or ():
        for other in asked:
            if member["type"] == other["type"]:
                for inner, within in types.parts(member, other):
                    yield from _given(inner, within)


def assumptions(uses: Uses, place: Place) -> list[dict[str, Type]]:
    """What the arguments may be: one of the noted types each, for those that have any.

    Raises:
        Refused: there are too many to try.
    """
    names = sorted(uses.found)
    found = list(itertools.islice(itertools.product(*(uses.found[name] for name in names)), _AT_MOST + 1))
    if len(found) > _AT_MOST:
        raise Refused(place, "arguments used as too many types", "take the function apart")
    return [dict(zip(names, chosen, strict=True)) for chosen in found] if names else []


@dataclass
class Taken:
    """What a function takes as one argument: for each of its bodies, the types it may be there."""

    bodies: list[list[Type]] = field(default_factory=list)

    def add(self, options: Sequence[Type]) -> None:
        """One more body."""
        found = list(options) or [ANY]
        if found not in self.bodies:
            self.bodies.append(found)

    def refuses(self, of: Type) -> bool:
        """Whether OPA may say that this is no argument for it."""
        return bool(self.bodies) and all(
            any(not types.overlap(of, option) for option in options) for options in self.bodies
        )

    def unions(self, place: Place) -> list[Type]:
        """The types it may turn out to have: of one option of each body.

        Raises:
            Refused: there are too many.
        """
        found: list[Type] = []
        for options in self.bodies:
            joined = [types.union([one, option]) for one in found for option in options] or list(options)
            found = list({json.dumps(_sorted(of), sort_keys=True): of for of in joined}.values())
            if len(found) > _AT_MOST:
                raise Refused(place, "a function whose bodies take too many types", "take the function apart")
        return found


def _sorted(of: Type) -> Type:
    """A union's members in one order."""
    if "of" in of and of["type"] == "any":
        return {**of, "of": sorted((_sorted(member) for member in of["of"]), key=lambda one: json.dumps(one))}
    return of
