"""A decision diff as a plain value: what every rendering is a function of."""

from __future__ import annotations

from dataclasses import dataclass, field

from maestro import canonical_json
from maestro.findings import Hardening, Mode
from policy.diff.cases import Origin
from policy.diff.changes import Kind, Standing

EXAMPLES = 5
"""Named examples of one row."""


@dataclass(frozen=True, slots=True)
class Example:
    """One case that changes. ``text`` is what the rule says of it; ``detail`` from what to what, where that matters."""

    origin: Origin
    name: str
    place: str
    owner: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """So many cases in which one rule changes in one way. ``owners``: whose they are, most first."""

    rule: str
    kind: Kind
    detail: str
    count: int
    origins: dict[Origin, int]
    examples: tuple[Example, ...]
    owners: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class ModeChange:
    """A pack or a rule whose mode changes, or what it will be, whether or not the corpus shows it. None: it is not
    there."""

    subject: str
    before: Mode | None
    after: Mode | None
    hardens_before: Hardening | None = None
    hardens_after: Hardening | None = None


@dataclass(frozen=True, slots=True)
class PackState:
    """A pack on one side. ``problem``: why it cannot judge at all."""

    mode: Mode | None
    digest: str | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class Flow:
    """So many cases that stood there and would stand here."""

    before: Standing
    after: Standing
    count: int


@dataclass(frozen=True, slots=True)
class PackDiff:
    """One pack that changes, and what that does. ``unanswered``: why some case has no answer on either side.

    ``asked``: cases by origin. ``unreached``: rules that nothing in the corpus makes speak, before or after.
    ``loosened``: cases that fewer rules would deny; ``loosened_by``: examples of them. ``unusable``: recorded inputs
    that lack something this pack looks at. ``repeats``: recorded inputs that were there already.
    """

    name: str
    path: str
    owner: str | None
    before: PackState | None
    after: PackState | None
    rows: tuple[Row, ...]
    flows: tuple[Flow, ...]
    mode_changes: tuple[ModeChange, ...]
    asked: dict[Origin, int]
    unreached: tuple[str, ...]
    loosened: int
    loosened_rules: tuple[str, ...]
    loosened_by: tuple[Example, ...]
    unanswered: str | None = None
    unusable: int = 0
    repeats: int = 0
    transitions: tuple[tuple[str, str, str, str, str], ...] = ()
    """(rule, kind, detail, input before, input after), sorted: what the digest is of."""

    @property
    def cases(self) -> int:
        """How many were asked."""
        return sum(self.asked.values())


@dataclass(frozen=True, slots=True)
class PolicyDiff:
    """Everything that a change of packs does to the decisions about a corpus.

    ``packs`` are those that change; ``unchanged`` the names of the others. ``notes`` say what was left out, and why.
    """

    policy_revision: str | None
    head: str
    packs: tuple[PackDiff, ...]
    unchanged: tuple[str, ...]
    engine: str | None
    notes: tuple[str, ...] = ()
    recorded_lines: int = 0
    digest: str = field(default="")

    def count(self, kind: Kind) -> int:
        """Rows of this kind, summed over packs and rules."""
        return sum(row.count for pack in self.packs for row in pack.rows if row.kind == kind)

    @property
    def cases(self) -> int:
        """Questions that were put to both sides."""
        return sum(pack.cases for pack in self.packs)

    @property
    def flows(self) -> dict[tuple[Standing, Standing], int]:
        """The flows of all packs together."""
        out: dict[tuple[Standing, Standing], int] = {}
        for pack in self.packs:
            for flow in pack.flows:
                key = (flow.before, flow.after)
                out[key] = out.get(key, 0) + flow.count
        return out


def digest_of(packs: tuple[PackDiff, ...]) -> str:
    """The digest of a decision diff: of the packs on both sides and every single transition, sorted."""
    return canonical_json.digest(
        {
            "packs": sorted([pack.name, *_state(pack.before), *_state(pack.after)] for pack in packs),
            "transitions": sorted([pack.name, *transition] for pack in packs for transition in pack.transitions),
        }
    )


def _state(state: PackState | None) -> list[str]:
    return ["", ""] if state is None else [state.digest or "", state.mode or ""]
