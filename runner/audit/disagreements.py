"""One question, several answers: the decisions at check, after the merge and at execution, compared. Pure.

A decision is compared with the one before it about the same pack and subject: the same input where there is such a
one; else the same commit; else, for an execution, the last merge before it that touched the subject. Two disagree when
one allows what the other does not. Time does not order them: clocks are set back. Commits do.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from policy.recorded_decision import Phase, RecordedDecision

Cause = Literal["pack", "time", "input", "input-erased", "engine", "unexplained"]
"""``pack``: the policy moved, another pack answered. ``time``: the inputs differ in ``now`` only. ``input``: they
differ in more; ``input-erased``: they differ, and nobody can say in what any more. ``engine``: another one evaluated.
``unexplained``: the same pack, engine and input gave two answers."""

_ORDER: Mapping[Phase, int] = {"check": 0, "merge": 1, "execution": 2}


@dataclass(frozen=True)
class Disagreement:
    """Two decisions about one thing, of which one allows. ``clock_stepped_back``: the later one claims to be older."""

    earlier: RecordedDecision
    later: RecordedDecision
    causes: tuple[Cause, ...]
    clock_stepped_back: bool

    @property
    def owner(self) -> str | None:
        """Who answers for the subject: sessions do not say, records of merges do."""
        return self.later.owner or self.earlier.owner


@dataclass(frozen=True)
class Disagreements:
    """Every pair that disagrees, and how many were compared: by (pack, phase before, phase after)."""

    found: tuple[Disagreement, ...]
    compared: Mapping[tuple[str, Phase, Phase], int]

    @property
    def counts(self) -> Mapping[tuple[str, Phase, Phase, Cause], int]:
        """How many disagree: by (pack, phase before, phase after, first cause)."""
        return Counter((one.later.pack, one.earlier.phase, one.later.phase, one.causes[0]) for one in self.found)

    @property
    def rate(self) -> float | None:
        """Which part of what was compared disagrees; None where there was nothing to compare."""
        total = sum(self.compared.values())
        return len(self.found) / total if total else None


def compare(
    decisions: Iterable[RecordedDecision], place: Mapping[str, int], input_of: Callable[[str], Any]
) -> Disagreements:
    """Compare what can be compared.

    Args:
        decisions: of every phase, in any order.
        place: where commits stand on the line of the default branch.
        input_of: the input with a digest; None where it was erased.
    """
    by_subject: dict[tuple[str, str], list[RecordedDecision]] = defaultdict(list)
    for one in decisions:
        by_subject[one.pack, one.subject].append(one)
    found: list[Disagreement] = []
    compared: Counter[tuple[str, Phase, Phase]] = Counter()
    for (pack, _subject), several in sorted(by_subject.items()):
        for earlier, later in _pairs(several, place):
            compared[pack, earlier.phase, later.phase] += 1
            if earlier.allow != later.allow:
                found.append(
                    Disagreement(earlier, later, _causes(earlier, later, input_of), later.made_at < earlier.made_at)
                )
    return Disagreements(tuple(found), dict(sorted(compared.items())))


def _pairs(
    decisions: Sequence[RecordedDecision], place: Mapping[str, int]
) -> Iterable[tuple[RecordedDecision, RecordedDecision]]:
    """Each decision with the one of an earlier phase that it is measured by, in the order of the branch."""
    ordered = sorted(decisions, key=lambda one: (place.get(one.commit, -1), _ORDER[one.phase], one.made_at))
    same_input: dict[tuple[Phase, str], RecordedDecision] = {}
    same_commit: dict[tuple[Phase, str], RecordedDecision] = {}
    merged: RecordedDecision | None = None
    for later in ordered:
        for phase in _before(later.phase):
            earlier = same_input.get((phase, later.input_digest)) or same_commit.get((phase, later.commit))
            if earlier is None and phase == "merge" and later.commit in place:
                earlier = merged
            if earlier is not None:
                yield earlier, later
        same_input[later.phase, later.input_digest] = later
        same_commit[later.phase, later.commit] = later
        if later.phase == "merge":
            merged = later


def _before(phase: Phase) -> tuple[Phase, ...]:
    return tuple(other for other, order in _ORDER.items() if order < _ORDER[phase])


def _causes(earlier: RecordedDecision, later: RecordedDecision, input_of: Callable[[str], Any]) -> tuple[Cause, ...]:
    causes: list[Cause] = []
    if earlier.pack_digest != later.pack_digest or earlier.mode != later.mode:
        causes.append("pack")
    if earlier.input_digest != later.input_digest:
        before, after = input_of(earlier.input_digest), input_of(later.input_digest)
        if before is None or after is None:
            causes.append("input-erased")
        else:
            causes.append("time" if _timeless(before) == _timeless(after) else "input")
    if earlier.engine != later.engine:
        causes.append("engine")
    return tuple(causes) or ("unexplained",)


def _timeless(value: Any) -> Any:  # noqa: ANN401 - JSON
    return {key: item for key, item in value.items() if key != "now"} if isinstance(value, dict) else value
