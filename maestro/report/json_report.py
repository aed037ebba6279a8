"""The machine form, ``maestro-conductor/report/v1``: fixed to the letter, described by docs/schema/report.v1.json."""

from __future__ import annotations

import dataclasses
from typing import Any

from maestro.findings import Edit, Finding, Fix, Verdict
from maestro.report.json_text import dump
from maestro.report.model import Ahead, Report, end_of
from maestro.report.staged import hardening_json

SCHEMA = "maestro-conductor/report/v1"


def render(report: Report) -> str:
    """One JSON document, in ASCII, so that no stream's encoding can spoil it and no log obeys a message in it."""
    value = {
        "schema": SCHEMA,
        "tool": {"name": "maestro", "version": report.tool_version},
        "policy_revision": report.policy_revision,
        "change_base": report.change_base,
        "head": report.head,
        "preview": report.preview,
        "verdicts": [_verdict(verdict) for verdict in report.verdicts],
        "ahead": None if report.ahead is None else _ahead(report.ahead),
        "summary": dataclasses.asdict(report.summary),
    }
    return dump(value)


def _ahead(ahead: Ahead) -> dict[str, Any]:
    return {
        "days": ahead.days,
        "as_of": f"{ahead.as_of:%Y-%m-%dT%H:%M:%SZ}",
        "findings": [
            {
                **_finding(soon.finding),
                "gate": soon.gate,
                "on": None if soon.on is None else soon.on.isoformat(),
                "subject_owner": soon.owner,
            }
            for soon in ahead.soon
        ],
        "errors": list(ahead.errors),
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "gate": verdict.gate,
        "outcome": verdict.outcome,
        "judged": verdict.judged,
        "seconds": round(verdict.seconds, 3),
        "reason": verdict.reason,
        "remedy": verdict.remedy,
        "findings": [_finding(finding) for finding in verdict.findings],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "mode": finding.mode,
        "message": finding.message,
        "remedy": finding.remedy,
        "owner": finding.owner,
        "subject": finding.subject,
        "location": dataclasses.asdict(finding.location),
        "fix": None if finding.fix is None else _fix(finding.fix),
        "existing": finding.existing,
        "waived_by": finding.waived_by,
        "hardens": hardening_json(finding.hardens),
        "fingerprint": finding.fingerprint,
        "docs": finding.docs,
        "explain": f"maestro explain {finding.rule}",
    }


def _fix(fix: Fix) -> dict[str, Any]:
    return {"description": fix.description, "edits": [_edit(edit) for edit in fix.edits]}


def _edit(edit: Edit) -> dict[str, Any]:
    location = edit.location
    line, column = end_of(location)
    return {
        "path": location.path,
        "line": location.line,
        "column": location.column,
        "end_line": line,
        "end_column": column,
        "text": edit.text,
    }
