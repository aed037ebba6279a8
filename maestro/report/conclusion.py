"""The answer in words, the same in every format people read: does it pass, what stops it, what to do next."""

from __future__ import annotations

from typing import Literal, NamedTuple

from maestro.findings import Verdict
from maestro.report.model import Report, could_not_judge

PREVIEW = "preview: takes effect after merge"


class Conclusion(NamedTuple):
    """``title`` answers, ``advice`` says what to do next: sentences without their full stop, no text from documents."""

    title: str
    advice: str


class GateRow(NamedTuple):
    """A gate in one line. ``gate`` and ``reason`` hold text that the caller must escape."""

    gate: str
    outcome: Literal["passed", "blocks", "skipped", "errored"]
    found: str
    reason: str


def counted(number: int, noun: str) -> str:
    """``1 finding``, ``2,000 findings``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def conclude(report: Report) -> Conclusion:
    """Blocked, unfinished, nothing to judge, or passed."""
    summary = report.summary
    if summary.blocking:
        return Conclusion(_blocked(report), _repair(report))
    if summary.errored:
        return Conclusion(
            f"{counted(summary.errored, 'gate')} could not judge",
            "Until that works the check has not passed: follow the advice at the error, then run `maestro check` again",
        )
    if all(verdict.outcome == "skipped" for verdict in report.verdicts):
        here = "There is nothing here to judge" if report.judges_all else "This change touches nothing that is governed"
        return Conclusion(here, "Nothing to do")
    title = "Everything here passes" if report.judges_all else "This change passes"
    if report.preview:
        return Conclusion(title, "Nothing blocks yet; once this is merged, the rules count")
    return Conclusion(title, "Warnings do not block, but are worth a look" if summary.warnings else "Nothing to do")


def tally(report: Report) -> str:
    """What else there is besides findings that block, or an empty string."""
    summary = report.summary
    parts = [
        (summary.warnings, counted(summary.warnings, "warning")),
        (summary.waived, f"{summary.waived:,} waived"),
        (summary.existing, f"{summary.existing:,} already on the target branch"),
        (summary.shadow, f"{summary.shadow:,} by rules on trial"),
    ]
    return ", ".join(words for number, words in parts if number)


def gate_rows(report: Report) -> list[GateRow]:
    """The gates, in the report's order."""
    return [_gate_row(verdict) for verdict in report.verdicts]


def _gate_row(verdict: Verdict) -> GateRow:
    alone = Report("", "", (verdict,))
    blocking = alone.summary.blocking
    outcome: Literal["passed", "blocks", "skipped", "errored"] = "passed"
    if could_not_judge(verdict):
        outcome = "errored"
    elif blocking:
        outcome = "blocks"
    elif verdict.outcome == "skipped":
        outcome = "skipped"
    found = [counted(blocking, "finding")] if blocking else []
    found += [words] if (words := tally(alone)) else []
    return GateRow(verdict.gate, outcome, ", ".join(found), verdict.reason or "")


def _blocked(report: Report) -> str:
    blocking = report.summary.blocking
    if report.judges_all:
        return counted(blocking, "blocking finding")
    return f"{counted(blocking, 'finding')} {'blocks' if blocking == 1 else 'block'} this change"


def _repair(report: Report) -> str:
    fixable = sum(entry.finding.fix is not None for entry in report.entries("blocking"))
    blocking, errored = report.summary.blocking, report.summary.errored
    them = "it" if blocking == 1 else "them"
    if fixable == blocking:
        advice = f"Let `maestro fix --write` repair {them}"
    elif fixable:
        advice = f"Repair {them} as described (`maestro fix --write` does {fixable:,} of them)"
    else:
        advice = f"Repair {them} as described"
    unfinished = f". Besides, {counted(errored, 'gate')} could not judge" if errored else ""
    return f"{advice}, then run `maestro check` again{unfinished}"
