"""Modes that will be stricter on a day, in the words and members that every report and list has in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maestro.findings import Finding, Hardening, Mode

if TYPE_CHECKING:
    from maestro.report.model import Ahead, Soon

_DOES = {"enforce": "blocks", "warn": "warns", "shadow": "is recorded"}


def announced(hardens: Hardening) -> str:
    """``blocks from 2027-01-15 on``."""
    return f"{_DOES[hardens.mode]} from {hardens.on} on"


def announcement(finding: Finding) -> str | None:
    """What people are told of a finding that will weigh more; None where nothing is announced."""
    if finding.hardens is None:
        return None
    if finding.existing or finding.waived_by is not None:
        return f"{finding.hardens.mode} from {finding.hardens.on} on"
    return announced(finding.hardens)


def with_announcement(finding: Finding) -> str:
    """The message, and in brackets what is announced."""
    then = announcement(finding)
    return finding.message if then is None else f"{finding.message} ({then})"


AHEAD_EXISTING = (
    "what is already on the target branch stops no pull request as long as maestro.yaml says `existing: warn`; "
    "an execution is decided anew and is stopped"
)


def ahead_title(ahead: Ahead) -> str:
    """``would begin to block by 2026-12-15 (14 days ahead): 3``."""
    days = f"{ahead.days} day" + ("s" if ahead.days != 1 else "")
    count = f"{len(ahead.soon):,}" if ahead.soon else "nothing"
    return f"would begin to block by {ahead.as_of:%Y-%m-%d} ({days} ahead): {count}"


def soon_words(soon: Soon) -> str:
    """What is found, since when it blocks, whether it is there already."""
    notes = [f"from {soon.on} on"] if soon.on is not None else []
    notes += ["already on the target branch"] if soon.finding.existing else []
    return f"{soon.finding.message} ({', '.join(notes)})" if notes else soon.finding.message


def mode_words(mode: Mode, hardens: Hardening | None) -> str:
    """``warn``, or ``warn, enforce from 2027-01-15 on``."""
    return mode if hardens is None else f"{mode}, {hardens.mode} from {hardens.on} on"


def hardening_json(hardens: Hardening | None) -> dict[str, str] | None:
    """``{"on": "2027-01-15", "mode": "enforce"}``."""
    return None if hardens is None else {"on": hardens.on.isoformat(), "mode": hardens.mode}
