"""Whole verdicts on one tree, at check, after the merge and at execution, compared. Pure.

What a pull request's job attests (`check --attest`) holds no single decisions, and lies in no ledger; it says whether
the gates allowed a tree. So do the record of the merge that put the same tree on the default branch, and each session
that executed it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from maestro.evidence.verdict import TreeVerdict
from policy.merge_record import MergeRecord
from policy.recorded_decision import Phase
from runner.session import Session

_ORDER: tuple[Phase, ...] = ("check", "merge", "execution")


@dataclass(frozen=True)
class PhaseVerdict:
    """What the gates said of a tree in one phase, by the policy of which commit."""

    phase: Phase
    tree: str
    allowed: bool
    policy_revision: str


@dataclass(frozen=True)
class VerdictsCompared:
    """Pairs about one tree of which one allowed, and how many were compared, by (phase before, phase after).

    ``unmatched`` verdicts of pull requests are about trees that no merge and no execution in the ledger has.
    """

    found: tuple[tuple[PhaseVerdict, PhaseVerdict], ...]
    compared: Mapping[tuple[Phase, Phase], int]
    unmatched: int


def at_check(verdict: TreeVerdict) -> PhaseVerdict:
    """Of a pull request's job."""
    return PhaseVerdict("check", verdict.tree, verdict.allowed, verdict.policy_revision)


def after_merge(record: MergeRecord) -> PhaseVerdict:
    """Of the job on push."""
    return PhaseVerdict("merge", record.tree, record.allowed, record.policy_revision)


def at_execution(session: Session) -> PhaseVerdict:
    """Of `maestro run`: the verdict of all gates on every document of the tree."""
    said = session.predicate
    source = said["source"]
    return PhaseVerdict(
        "execution", str(source["tree"]), said["verdict"].get("allowed") is True, str(source["policy_revision"])
    )


def compare_verdicts(verdicts: Iterable[PhaseVerdict]) -> VerdictsCompared:
    """Each verdict with each of a later phase about the same tree; of equal ones in a phase, one."""
    by_tree: dict[str, dict[PhaseVerdict, None]] = defaultdict(dict)
    for one in verdicts:
        by_tree[one.tree][one] = None
    found: list[tuple[PhaseVerdict, PhaseVerdict]] = []
    compared: Counter[tuple[Phase, Phase]] = Counter()
    unmatched = 0
    for _, several in sorted(by_tree.items()):
        unmatched += all(one.phase == "check" for one in several)
        for earlier in several:
            for later in several:
                if _ORDER.index(earlier.phase) < _ORDER.index(later.phase):
                    compared[earlier.phase, later.phase] += 1
                    if earlier.allowed != later.allowed:
                        found.append((earlier, later))
    return VerdictsCompared(tuple(found), dict(sorted(compared.items())), unmatched)
