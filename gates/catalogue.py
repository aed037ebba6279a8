"""The gates, in the order they are reported. A gate that is not named here does not judge."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple, cast

from gates.harness import Gate
from maestro.errors import UsageError
from maestro.findings import Rule


class Entry(NamedTuple):
    """A gate's id, its module, and what it judges in a few words."""

    id: str
    module: str
    summary: str


GATES = (
    Entry("documents", "gates.documents", "documents can be read, are well formed, unique, and refer to what exists"),
    Entry("flags", "gates.flags", "flags have a known owner, an end their type allows, and are not silently extended"),
    Entry("policy", "gates.policy", "the repository's packs, on the documents a change touches"),
    Entry("policy-diff", "gates.policy_diff", "what changed packs would let pass is agreed to by their owners"),
    Entry("policy-parity", "gates.policy_parity", "regopy may judge the packs that it judges as conftest does"),
    Entry("governance", "gates.governance", "a change to what decides is approved by who answers for it"),
    Entry("waivers", "gates.waivers", "waivers name what exists and end soon"),
)


def load(ids: Iterable[str] | None = None) -> list[Gate]:
    """The gates with these ids (all when None), in the catalogue's order.

    Raises:
        UsageError: an id that is not in the catalogue.
    """
    wanted = None if ids is None else set(ids)
    names = [entry.id for entry in GATES]
    for unknown in sorted((wanted or set()) - set(names)):
        raise UsageError(f"there is no gate {unknown!r}", remedy="the gates are: " + ", ".join(names))
    return [
        cast("Gate", importlib.import_module(entry.module)) for entry in GATES if wanted is None or entry.id in wanted
    ]


def all_rules() -> Iterator[Rule]:
    """Every rule of every gate."""
    for gate in load():
        yield from gate.RULES
