"""SARIF 2.1.0 (OASIS Standard, errata 01), as GitHub code scanning and editors read it."""

from __future__ import annotations

import gzip
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from maestro.findings import Edit, Finding, Fix, Location, Verdict
from maestro.report.conclusion import counted
from maestro.report.json_text import dump
from maestro.report.model import Entry, Report, end_of, standing
from maestro.report.staged import hardening_json, with_announcement
from maestro.report.visible_text import shorten, visible, visible_lines

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
RESULT_LIMIT = 25_000
"""Results in a run; GitHub rejects a file with more, and stores the 5,000 most severe."""
UPLOAD_LIMIT = 10_000_000
"""Bytes of the file after gzip; GitHub rejects more."""
TEXT_LIMIT = 2_000

_ROOT = "%SRCROOT%"
_LEVELS = {"enforce": "error", "warn": "warning", "shadow": "note"}
_ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]+(:\d+)?(/[A-Za-z0-9._~!$&'()*+,;=:@%/?#-]*)?")


def render(report: Report, *, result_limit: int = RESULT_LIMIT, upload_limit: int = UPLOAD_LIMIT) -> str:
    """One run. Waived and existing findings are there, as suppressed; shadow ones are not.

    Results beyond GitHub's limits are left out, the least severe first; a notification says how many.
    """
    entries = report.entries("blocking", "warning", "waived", "existing")
    kept = entries[:result_limit]
    while True:
        text = dump(_log(report, kept, len(entries) - len(kept)))
        if not kept or len(text) <= upload_limit or len(gzip.compress(text.encode("ascii"), 6)) <= upload_limit:
            return text
        kept = kept[: len(kept) // 2]


def _log(report: Report, entries: Sequence[Entry], left_out: int) -> dict[str, Any]:
    rules: dict[str, int] = {}
    for entry in entries:
        rules.setdefault(entry.finding.rule, len(rules))
    first = {entry.finding.rule: entry.finding for entry in reversed(entries)}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "Maestro Conductor",
                        "semanticVersion": report.tool_version,
                        "rules": [_rule(report, first[rule]) for rule in rules],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {_ROOT: {"description": {"text": "the root of the judged repository"}}},
                "invocations": [_invocation(report, left_out)],
                "results": [_result(entry.finding, rules[entry.finding.rule]) for entry in entries],
            }
        ],
    }


def _rule(report: Report, example: Finding) -> dict[str, Any]:
    title = report.rule_titles.get(example.rule, example.rule)
    advice = f"{example.remedy}\n\n" if example.remedy else ""
    rule: dict[str, Any] = {
        "id": example.rule,
        "shortDescription": _message(title),
        "fullDescription": _message(f"{title}. {example.remedy}" if example.remedy else title),
        "help": _message(f"{advice}More: maestro explain {example.rule}"),
        "defaultConfiguration": {"level": _LEVELS[example.mode]},
    }
    if example.docs and _ADDRESS.fullmatch(example.docs):
        rule["helpUri"] = example.docs
    return rule


def _invocation(report: Report, left_out: int) -> dict[str, Any]:
    notifications = [_error(verdict) for verdict in report.errored]
    if left_out:
        text = f"{counted(left_out, 'finding')} left out to stay within upload limits; the JSON report has all of them"
        notifications.append({"level": "warning", "message": {"text": text}})
    return {
        "executionSuccessful": not report.errored,
        "exitCode": report.exit_code,
        "toolExecutionNotifications": notifications,
    }


def _error(verdict: Verdict) -> dict[str, Any]:
    reason = verdict.reason or "it failed without naming a finding"
    advice = f"\n{verdict.remedy}" if verdict.remedy else ""
    return {"level": "error", "message": _message(f"gate {verdict.gate} could not judge: {reason}{advice}")}


def _result(finding: Finding, rule_index: int) -> dict[str, Any]:
    advice = f"\n{finding.remedy}" if finding.remedy else ""
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": rule_index,
        "level": _LEVELS[finding.mode],
        "message": _message(f"{with_announcement(finding)}{advice}"),
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": _artifact(finding.location.path),
                    "region": _region(finding.location),
                },
                "logicalLocations": [{"fullyQualifiedName": visible(finding.subject)}],
            }
        ],
        # Section 3.27.23: either every result of a run has suppressions or none has; an empty list means active.
        "suppressions": _suppressions(finding),
    }
    if finding.fingerprint:
        result["partialFingerprints"] = {"maestroFingerprint/v1": finding.fingerprint}
    if finding.hardens is not None:
        result["properties"] = {"hardens": hardening_json(finding.hardens)}
    if finding.fix is not None and finding.fix.edits:
        result["fixes"] = [_fix(finding.fix)]
    return result


def _suppressions(finding: Finding) -> list[dict[str, Any]]:
    match standing(finding):
        case "waived":
            justification = f"waiver {visible(finding.waived_by or '')}"
        case "existing":
            justification = "already on the target branch"
        case _:
            return []
    return [{"kind": "external", "status": "accepted", "justification": justification}]


def _fix(fix: Fix) -> dict[str, Any]:
    by_path: dict[str, list[Edit]] = {}
    for edit in fix.edits:
        by_path.setdefault(edit.location.path, []).append(edit)
    return {
        "description": _message(fix.description),
        "artifactChanges": [
            {
                "artifactLocation": _artifact(path),
                "replacements": [
                    {"deletedRegion": _span(edit.location), "insertedContent": {"text": edit.text}} for edit in edits
                ],
            }
            for path, edits in by_path.items()
        ],
    }


def _artifact(path: str) -> dict[str, str]:
    data = path.encode("utf-8", "surrogateescape" if _is_bytes(path) else "surrogatepass")
    return {"uri": quote(data, safe="/"), "uriBaseId": _ROOT}


def _is_bytes(path: str) -> bool:
    return not re.search("[\ud800-\udc7f\udd00-\udfff]", path)


def _region(location: Location) -> dict[str, int]:
    region = {"startLine": location.line, "startColumn": location.column}
    if location.end_line is not None:
        region["endLine"] = location.end_line
    if location.end_column is not None:
        region["endColumn"] = location.end_column
    return region


def _span(location: Location) -> dict[str, int]:
    line, column = end_of(location)
    return {"startLine": location.line, "startColumn": location.column, "endLine": line, "endColumn": column}


def _message(text: str) -> dict[str, str]:
    """Section 3.11.6: ``[text](target)`` in a plain message is a link, unless the bracket is escaped."""
    shown = "\n".join(visible_lines(shorten(text, TEXT_LIMIT)))
    return {"text": shown.replace("[", "\\[").replace("]", "\\]") if "](" in shown else shown}
