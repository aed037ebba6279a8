"""JUnit XML, as build servers and dashboards read it: one suite per gate, one case per finding."""

from __future__ import annotations

from collections.abc import Iterator

from maestro.findings import Finding, Verdict
from maestro.report.model import Report, Standing, could_not_judge, standing
from maestro.report.staged import with_announcement
from maestro.report.visible_text import visible, visible_lines, without_log_commands

_SHOWN: tuple[Standing, ...] = ("blocking", "warning", "waived", "existing")


def render(report: Report) -> str:
    """A finding that blocks fails its case; a warning passes with its text as output; waived and existing ones are
    skipped; a gate that could not judge is an error; a gate without findings is one case that passes."""
    suites = [_suite(verdict) for verdict in report.verdicts]
    totals = [sum(suite.counts[index] for suite in suites) for index in range(4)]
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    seconds = sum(verdict.seconds for verdict in report.verdicts)
    lines.append(f'<testsuites name="maestro check" {_counts(totals)} time="{seconds:.3f}">')
    for suite in suites:
        lines += suite.lines
    lines.append("</testsuites>")
    return without_log_commands("\n".join(lines) + "\n")


class _Suite:
    def __init__(self, verdict: Verdict) -> None:
        self.counts = [0, 0, 0, 0]  # tests, failures, errors, skipped
        cases = [line for case in self._cases(verdict) for line in case]
        name = _text(verdict.gate)
        head = f'  <testsuite name="{name}" {_counts(self.counts)} time="{verdict.seconds:.3f}">'
        self.lines = [head, *cases, "  </testsuite>"]

    def _cases(self, verdict: Verdict) -> Iterator[list[str]]:
        gate = _text(verdict.gate)
        opening = f'    <testcase classname="maestro.{gate}" name="{gate}" time="{verdict.seconds:.3f}"'
        findings = [finding for finding in verdict.findings if standing(finding) in _SHOWN]
        if could_not_judge(verdict):
            self._count(2)
            reason = verdict.reason or "it failed without naming a finding"
            yield _case(opening, "error", reason, [reason, verdict.remedy or ""])
        elif verdict.outcome == "skipped":
            self._count(3)
            yield [f"{opening}>", f'      <skipped message="{_text(verdict.reason or "")}"/>', "    </testcase>"]
        elif not findings:
            self._count(0)
            yield [f"{opening}/>"]
        seen: dict[str, int] = {}
        for finding in findings:
            name = f"{finding.rule} {finding.subject}"
            seen[name] = seen.get(name, 0) + 1
            yield self._finding(gate, name + (f" ({seen[name]})" if seen[name] > 1 else ""), finding)

    def _finding(self, gate: str, name: str, finding: Finding) -> list[str]:
        location = finding.location
        place = f'file="{_text(location.path)}" line="{location.line}"'
        opening = f'    <testcase classname="maestro.{gate}" name="{_text(name)}" {place} time="0.000"'
        where = f"{visible(location.path)}:{location.line}:{location.column}"
        body = [f"{where}: {with_announcement(finding)}", finding.remedy or "", f"maestro explain {finding.rule}"]
        match standing(finding):
            case "blocking":
                self._count(1)
                return _case(opening, "failure", finding.message, body)
            case "waived":
                self._count(3)
                return _case(opening, "skipped", f"waived by {finding.waived_by}: {finding.message}", body)
            case "existing":
                self._count(3)
                return _case(opening, "skipped", f"already on the target branch: {finding.message}", body)
            case _:
                self._count(0)
                text = _body([f"warning: {body[0]}", *body[1:]])
                return [f"{opening}>", f"      <system-out>{text}</system-out>", "    </testcase>"]

    def _count(self, kind: int) -> None:
        self.counts[0] += 1
        if kind:
            self.counts[kind] += 1


def _suite(verdict: Verdict) -> _Suite:
    return _Suite(verdict)


def _case(opening: str, element: str, message: str, body: list[str]) -> list[str]:
    return [f"{opening}>", f'      <{element} message="{_text(message)}">{_body(body)}</{element}>', "    </testcase>"]


def _body(texts: list[str]) -> str:
    return "\n".join(_text(line) for text in texts if text for line in visible_lines(text))


def _text(text: str) -> str:
    """Escaped for content and attributes; what XML 1.0 cannot hold (section 2.2) is shown as an escape."""
    shown = visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return shown.replace('"', "&quot;").replace("'", "&apos;")


def _counts(counts: list[int]) -> str:
    return 'tests="{}" failures="{}" errors="{}" skipped="{}"'.format(*counts)
