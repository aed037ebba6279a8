"""Modes that will be stricter on a day, in the words and members that every report and list has in common."""

from __future__ import annotations

from maestro.findings import Finding, Hardening, Mode

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


def mode_words(mode: Mode, hardens: Hardening | None) -> str:
    """``warn``, or ``warn, enforce from 2027-01-15 on``."""
    return mode if hardens is None else f"{mode}, {hardens.mode} from {hardens.on} on"


def hardening_json(hardens: Hardening | None) -> dict[str, str] | None:
    """``{"on": "2027-01-15", "mode": "enforce"}``."""
    return None if hardens is None else {"on": hardens.on.isoformat(), "mode": hardens.mode}
