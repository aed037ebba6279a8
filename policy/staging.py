"""Whether a pack or a rule may go on from shadow to warn to enforce: what was recorded of it, added up. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field

from maestro.counting import many
from maestro.findings import Mode
from policy.pack import Pack
from policy.recorded_decision import RecordedDecision

DECISIONS = 100
"""After so many decisions without a surprise, fewer than 3 of 100 further ones surprise (95 %, the rule of three)."""
DAYS = 7
"""So many different days see what runs nightly, weekly and on working days only."""

NEXT: dict[Mode, Mode] = {"shadow": "warn", "warn": "enforce"}


@dataclass
class Evidence:
    """Decisions of the pack as it is now, in its present mode. ``earlier``: those of other versions or modes, which
    prove nothing. ``spoke``: decisions in which what is staged had something to say."""

    decisions: int = 0
    errors: int = 0
    earlier: int = 0
    spoke: int = 0
    days: set[dt.date] = field(default_factory=set)
    subjects: set[str] = field(default_factory=set)

    def lacks(self, decisions: int, days: int) -> list[str]:
        """What is missing, in words; empty when nothing is."""
        out = []
        if self.decisions < decisions:
            out.append(f"{self.decisions:,} of {many(decisions, 'decision')}")
        if len(self.days) < days:
            out.append(f"{len(self.days):,} of {many(days, 'day')}")
        if self.errors:
            out.append(f"{many(self.errors, 'decision')} had no answer")
        return out


def gather(records: Iterable[RecordedDecision], pack: Pack, rule: str | None) -> Evidence:
    """What ``records`` say of ``pack`` (in its mode of today), or of one of its rules by id."""
    found = Evidence()
    for one in records:
        if one.pack != pack.name:
            continue
        if one.pack_digest != pack.digest or one.mode != pack.mode:
            found.earlier += 1
            continue
        if one.error is not None:
            found.errors += 1
            continue
        found.decisions += 1
        found.days.add(one.made_at.astimezone(dt.UTC).date())
        found.subjects.add(one.subject)
        found.spoke += any(rule is None or reason.rule == rule for reason in one.reasons)
    return found
