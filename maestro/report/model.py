"""What every report format is a pure function of: the verdicts of one check and where they came from."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from maestro.findings import Finding, Location, Verdict

Standing = Literal["blocking", "warning", "waived", "existing", "shadow"]
"""What a finding means for this change. Each finding has exactly one, so the counts add up."""

STANDINGS: tuple[Standing, ...] = ("blocking", "warning", "waived", "existing", "shadow")


def standing(finding: Finding) -> Standing:
    """Shadow before all else (it is never shown), then waived, then existing, then what its mode says."""
    if finding.mode == "shadow":
        return "shadow"
    if finding.waived_by is not None:
        return "waived"
    if finding.existing:
        return "existing"
    return "blocking" if finding.mode == "enforce" else "warning"


@dataclass(frozen=True, slots=True)
class Entry:
    """A finding with the gate that made it."""

    gate: str
    finding: Finding


@dataclass(frozen=True, slots=True)
class Summary:
    """How many findings of each standing, and how many gates could not judge."""

    blocking: int = 0
    warnings: int = 0
    shadow: int = 0
    existing: int = 0
    waived: int = 0
    errored: int = 0


def could_not_judge(verdict: Verdict) -> bool:
    """An error, or a failure that names no finding: nothing can be repaired there, so it is no ordinary failure."""
    return verdict.outcome == "errored" or (verdict.outcome == "failed" and not verdict.findings)


def end_of(location: Location) -> tuple[int, int]:
    """Line and column (exclusive) where the span ends; a location without an end is an empty span."""
    line = location.line if location.end_line is None else location.end_line
    column = location.column if location.end_column is None else location.end_column
    return line, column


@dataclass(frozen=True, slots=True)
class Soon:
    """A finding that would begin to block, whose the document is, and the day, where one is announced."""

    gate: str
    finding: Finding
    owner: str | None
    on: dt.date | None


@dataclass(frozen=True, slots=True)
class Ahead:
    """What is to come within ``days``, by owner; ``errors``: gates that could not judge as of then, and why."""

    days: int
    as_of: dt.datetime
    soon: tuple[Soon, ...]
    errors: tuple[str, ...]

    def by_owner(self) -> dict[str | None, list[Soon]]:
        """Owners in order, nobody last."""
        out: dict[str | None, list[Soon]] = {}
        for one in self.soon:
            out.setdefault(one.owner, []).append(one)
        return out


@dataclass(frozen=True)
class Report:
    """One check. ``head`` is a commit or ``worktree``; revisions are commit ids or None where there is none.

    ``judges_all`` tells a check of everything from one of a change. ``rule_titles`` maps rule ids to one-line
    titles, as far as known. ``notes`` are sentences a person should read (why a default was taken, say).
    """

    tool_version: str
    head: str
    verdicts: tuple[Verdict, ...]
    policy_revision: str | None = None
    change_base: str | None = None
    preview: bool = False
    judges_all: bool = False
    engine: str | None = None
    notes: tuple[str, ...] = ()
    rule_titles: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    ahead: Ahead | None = None
    """Where it was asked for. Nothing of it counts in the summary or the exit code."""

    @property
    def summary(self) -> Summary:
        """The counts; every finding is counted once."""
        counts = dict.fromkeys(STANDINGS, 0)
        for verdict in self.verdicts:
            for finding in verdict.findings:
                counts[standing(finding)] += 1
        return Summary(
            blocking=counts["blocking"],
            warnings=counts["warning"],
            shadow=counts["shadow"],
            existing=counts["existing"],
            waived=counts["waived"],
            errored=len(self.errored),
        )

    @property
    def errored(self) -> tuple[Verdict, ...]:
        """The gates that could not judge."""
        return tuple(verdict for verdict in self.verdicts if could_not_judge(verdict))

    @property
    def exit_code(self) -> int:
        """10 when a finding blocks, else 1 when a gate could not judge, else 0.

        Findings win over errors: a person can act on them now, and both stop the change.
        """
        summary = self.summary
        if summary.blocking:
            return 10
        return 1 if summary.errored else 0

    def entries(self, *standings: Standing) -> tuple[Entry, ...]:
        """Findings of these standings, in the order the standings are given, then by place."""
        chosen = [
            Entry(verdict.gate, finding)
            for verdict in self.verdicts
            for finding in verdict.findings
            if standing(finding) in standings
        ]
        return tuple(sorted(chosen, key=lambda entry: (standings.index(standing(entry.finding)), *_place(entry))))


def _place(entry: Entry) -> tuple[str, int, int, str, str, str]:
    finding = entry.finding
    location = finding.location
    return location.path, location.line, location.column, finding.rule, finding.subject, finding.message
