"""Counts decisions for ``maestro.metrics``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from maestro.metrics import DecisionLabels, render
from policy.decide import Decision
from policy.recorded_decision import RecordedDecision


@dataclass
class PolicyMetrics:
    """What a command decided. ``sim_ms``: per decision; one that was made in a batch took its share of it."""

    sim_ms: list[float] = field(default_factory=list)
    decisions: Counter[DecisionLabels] = field(default_factory=Counter)

    def add(self, decisions: Sequence[Decision], seconds: float) -> None:
        """Count what was decided together in so many seconds."""
        for decision in decisions:
            self.sim_ms.append(seconds * 1000 / len(decisions))
            self.decisions[DecisionLabels(decision.pack, decision.mode, outcome_of(decision))] += 1

    def text(self) -> str:
        """As OpenMetrics."""
        return render(sim_ms=self.sim_ms, decisions=self.decisions)


def outcome_of(decision: Decision | RecordedDecision) -> str:
    """``error``, ``deny``, or the strictest mode that spoke, or ``allow``."""
    if decision.error is not None:
        return "error"
    spoke = {reason.mode for reason in decision.reasons}
    if not decision.allow or "enforce" in spoke:
        return "deny"
    return "warn" if "warn" in spoke else "shadow" if "shadow" in spoke else "allow"
