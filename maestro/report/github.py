"""GitHub workflow commands: the annotations beside the changed lines."""

from __future__ import annotations

from maestro.findings import Finding, Verdict
from maestro.report.conclusion import PREVIEW, counted
from maestro.report.model import Report
from maestro.report.staged import with_announcement
from maestro.report.visible_text import shorten, visible, visible_lines

KIND_LIMIT = 10
"""Annotations of one kind that GitHub keeps per step; it drops further ones without a word."""
TITLE_LIMIT = 200
MESSAGE_LIMIT = 4_000


def render(report: Report) -> str:
    """One command a line: what blocks as errors, warnings as warnings, at most ten of each, and a notice that says
    what is not annotated. Findings that block come first, then gates that could not judge."""
    errors = [_finding("error", entry.finding) for entry in report.entries("blocking")]
    errors += [_error(verdict) for verdict in report.errored]
    warnings = [_finding("warning", entry.finding) for entry in report.entries("warning")]
    lines = errors[:KIND_LIMIT] + warnings[:KIND_LIMIT]
    notice = _notice(report, len(errors) - KIND_LIMIT, len(warnings) - KIND_LIMIT)
    if notice:
        lines.append(_command("notice", {"title": "maestro"}, notice))
    return "".join(f"{line}\n" for line in lines)


def _finding(kind: str, finding: Finding) -> str:
    location = finding.location
    properties = {"file": visible(location.path), "line": str(location.line), "col": str(location.column)}
    if location.end_line is not None:
        properties["endLine"] = str(location.end_line)
    # GitHub takes an end column only where the annotation stays in its line, and counts it inclusively.
    if location.end_column is not None and location.end_line in (None, location.line):
        properties["endColumn"] = str(max(location.column, location.end_column - 1))
    properties["title"] = shorten(visible(finding.rule), TITLE_LIMIT)
    remedy = f"\n{finding.remedy}" if finding.remedy else ""
    return _command(kind, properties, f"{with_announcement(finding)}{remedy}\nmaestro explain {finding.rule}")


def _error(verdict: Verdict) -> str:
    title = shorten(f"gate {visible(verdict.gate)} could not judge", TITLE_LIMIT)
    reason = verdict.reason or "it failed without naming a finding"
    return _command("error", {"title": title}, reason + (f"\n{verdict.remedy}" if verdict.remedy else ""))


def _notice(report: Report, more_errors: int, more_warnings: int) -> str:
    summary = report.summary
    parts = [
        (more_errors > 0, f"{counted(more_errors, 'further error')}"),
        (more_warnings > 0, f"{counted(more_warnings, 'further warning')}"),
        (summary.waived > 0, f"{counted(summary.waived, 'waived finding')}"),
        (summary.existing > 0, f"{counted(summary.existing, 'finding')} already on the target branch"),
    ]
    left = [words for there, words in parts if there]
    sentences = [PREVIEW] if report.preview else []
    if left:
        sentences.append("not annotated: " + ", ".join(left) + "; the job summary and the log list them")
    return ". ".join(sentences)


def _command(kind: str, properties: dict[str, str], message: str) -> str:
    shown = "\n".join(visible_lines(shorten(message.strip(), MESSAGE_LIMIT)))
    listed = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{kind} {listed}::{_data(shown)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
