"""An execution's life: published → claimed → started → ended → receipt. A pure state machine.

It is told what was seen, in whatever order and however often that arrives, and says what holds. What it guards:

- an attempt is claimed once; a second claim of the same attempt changes nothing and is refused;
- the first ending of an attempt is its ending: a duplicate or a late one (after it was given up as unknown) changes
  nothing, because somebody may have acted on the first;
- another attempt follows only a failure, a time-out or an unknown outcome, only where the execution is idempotent and
  only while attempts remain;
- once there is a receipt nothing changes any more.

Every engine's bookkeeping folds what it reads into this, the local driver's journals as well as a cloud's answers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from runner.execution import Outcome

Phase = Literal["published", "claimed", "running", "ended", "receipted"]
Seen = Literal["claim", "start", "end", "receipt"]
AGAIN: frozenset[Outcome] = frozenset(("failed", "timed_out", "unknown"))


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was seen of one attempt. ``outcome`` is an ending's; ``unknown`` says nobody saw it end."""

    seen: Seen
    attempt: int = 1
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Life:
    """What holds.

    Args:
        attempts: how often it may be tried in all.
        idempotent: whether it may be tried again at all.
        phase: of the attempt ``number``, the latest.
        outcomes: of the attempts that ended, in order.
    """

    attempts: int = 1
    idempotent: bool = False
    phase: Phase = "published"
    number: int = 1
    outcomes: tuple[Outcome, ...] = ()

    @property
    def over(self) -> bool:
        """Whether it has its final ending."""
        return self.phase in ("ended", "receipted")

    def follows(self, attempt: int, outcome: Outcome) -> bool:
        """Whether another attempt follows one that ended so."""
        return outcome in AGAIN and self.idempotent and attempt < self.attempts

    def after(self, event: Event) -> Life:
        """The life after an event; itself, where that changes nothing."""
        if event.seen == "receipt":
            return replace(self, phase="receipted") if self.phase == "ended" else self
        if self.over or event.attempt != self.number:
            return self  # late, a duplicate, or of an attempt whose turn has not come
        if event.seen == "claim":
            return replace(self, phase="claimed") if self.phase == "published" else self
        if event.seen == "start":
            return replace(self, phase="running") if self.phase in ("published", "claimed") else self
        if event.outcome is None:
            raise ValueError("an ending has an outcome")
        outcomes = (*self.outcomes, event.outcome)
        if self.follows(event.attempt, event.outcome):
            return replace(self, phase="published", number=self.number + 1, outcomes=outcomes)
        return replace(self, phase="ended", outcomes=outcomes)
