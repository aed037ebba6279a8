"""The report a person reads in a terminal or a build log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from maestro.findings import Finding, Location, Verdict
from maestro.report.conclusion import PREVIEW, conclude, counted, gate_rows, tally
from maestro.report.model import Ahead, Report
from maestro.report.source_line import ReadSource, Sources, excerpt
from maestro.report.staged import AHEAD_EXISTING, ahead_title, announcement, soon_words, with_announcement
from maestro.report.visible_text import shorten, visible, visible_lines, without_log_commands

FULL_WARNINGS = 20
"""Warnings shown with their source line; further ones take a line each."""
SHORT_LINES = 10
"""Waived or existing findings listed; further ones are counted."""
TEXT_LIMIT = 2_000
"""Characters of one message or remedy."""

_STYLES = {"error": "1;31", "warning": "1;33", "good": "1;32", "frame": "34", "strong": "1", "faint": "2"}


def render(
    report: Report, read_source: ReadSource, *, colour: bool = False, quiet: bool = False, width: int = 100
) -> str:
    """The whole report, ending with a line that says what to do next.

    Args:
        report: what was found.
        read_source: gives the text of the judged files.
        colour: whether to paint.
        quiet: only what stops the change, and the last line.
        width: columns a source line may take.
    """
    page = _Page(Sources(read_source), colour, width)
    parts = [PREVIEW] if report.preview else []
    parts += ["\n".join(page.finding(entry.finding)) for entry in report.entries("blocking")]
    parts += ["\n".join(page.error(verdict)) for verdict in report.errored]
    if not quiet:
        parts += page.others(report)
        if report.ahead is not None:
            parts.append("\n".join(page.ahead(report.ahead)))
        parts.append("\n".join([*page.gates(report), *page.context(report)]))
    parts.append(page.last_line(report))
    return without_log_commands("\n\n".join(parts) + "\n")


class _Page:
    """Findings as text, in one style."""

    def __init__(self, sources: Sources, colour: bool, width: int) -> None:
        self._sources = sources
        self._colour = colour
        self._width = width
        self._place_before: Location | None = None
        self._explained: set[str] = set()

    def _paint(self, text: str, style: str) -> str:
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self._colour and text else text

    def finding(self, finding: Finding) -> Iterator[str]:
        """Severity, rule and message; the place; the source line; what to do, and whom to ask.

        A source line is shown once for findings in a row at one place, and a rule's page is named once.
        """
        severity = "error" if finding.blocks else "warning"
        first, *rest = _lines(finding.message)
        yield f"{self._paint(f'{severity}[{visible(finding.rule)}]', severity)}: {self._paint(first, 'strong')}"
        yield from (f"    {line}" for line in rest)
        gutter = " " * len(str(finding.location.line))
        known = ("", finding.location.path)
        about = f" ({visible(shorten(finding.subject, 200))})" if finding.subject not in known else ""
        yield f"{gutter}{self._paint('-->', 'frame')} {_place(finding)}{about}"
        if finding.location != self._place_before:
            yield from self._source(finding, gutter, severity)
        self._place_before = finding.location
        mark = f"{gutter} {self._paint('=', 'frame')} "
        for label, text in _advice(finding, explained=finding.rule in self._explained):
            first, *rest = _lines(text)
            yield f"{mark}{label}: {first}"
            yield from (f"{gutter}   {' ' * len(label)}  {line}" for line in rest)
        self._explained.add(finding.rule)

    def _source(self, finding: Finding, gutter: str, severity: str) -> Iterator[str]:
        location = finding.location
        line = self._sources.line(location.path, location.line)
        if line is None:
            return
        shown = excerpt(line, location, self._width - len(gutter) - 3)
        bar = self._paint("|", "frame")
        yield f"{gutter} {bar}"
        yield f"{self._paint(str(location.line), 'frame')} {bar} {shown.text}".rstrip()
        yield f"{gutter} {bar} {' ' * shown.start}{self._paint('^' * shown.width, severity)}"

    def error(self, verdict: Verdict) -> Iterator[str]:
        """A gate that could not judge: why, and what to do."""
        reason = verdict.reason or "it failed without naming a finding"
        first, *rest = _lines(reason)
        yield f"{self._paint('error', 'error')}: gate {visible(verdict.gate)} could not judge: {first}"
        yield from (f"    {line}" for line in rest)
        if verdict.remedy:
            first, *rest = _lines(verdict.remedy)
            yield f"  {self._paint('=', 'frame')} to do: {first}"
            yield from (f"           {line}" for line in rest)

    def others(self, report: Report) -> list[str]:
        """Warnings, then what is waived or was there before, shorter."""
        warnings = [entry.finding for entry in report.entries("warning")]
        parts = ["\n".join(self.finding(finding)) for finding in warnings[:FULL_WARNINGS]]
        if further := warnings[FULL_WARNINGS:]:
            title = f"{counted(len(further), 'further warning')}, a line each:"
            parts.append("\n".join([title, *map(_short, further)]))
        waived = [entry.finding for entry in report.entries("waived")]
        existing = [entry.finding for entry in report.entries("existing")]
        parts += self._short_list("waived (does not block)", waived)
        parts += self._short_list("already on the target branch (does not block)", existing)
        return parts

    def _short_list(self, title: str, findings: list[Finding]) -> list[str]:
        if not findings:
            return []
        lines = [self._paint(f"{title}: {len(findings):,}", "strong"), *map(_short, findings[:SHORT_LINES])]
        left = len(findings) - SHORT_LINES
        if left > 0:
            lines.append(f"  … and {left:,} more; `maestro check --format json` lists all of them")
        return ["\n".join(lines)]

    def ahead(self, ahead: Ahead) -> Iterator[str]:
        """What is to come, under the names of those whose documents it will stop."""
        yield self._paint(ahead_title(ahead), "strong")
        for owner, found in ahead.by_owner().items():
            yield f"  {visible(owner or 'nobody named')}: {len(found):,}"
            for soon in found[:SHORT_LINES]:
                message = visible(shorten(soon_words(soon), 200))
                yield f"    {_place(soon.finding)}  {visible(soon.finding.rule)}  {message}"
            if len(found) > SHORT_LINES:
                yield f"    … and {len(found) - SHORT_LINES:,} more; `--format json` lists all of them"
        if any(soon.finding.existing for soon in ahead.soon):
            yield f"  {AHEAD_EXISTING}"
        yield from (f"  could not be judged as of then: {line}" for error in ahead.errors for line in _lines(error))

    def gates(self, report: Report) -> Iterator[str]:
        """One line per gate: outcome, how much it judged, how long it took, what it found."""
        rows = []
        for row, verdict in zip(gate_rows(report), report.verdicts, strict=True):
            judged, seconds = f"{verdict.judged:,} judged", f"{verdict.seconds:.2f} s"
            if row.outcome == "skipped":
                judged = seconds = ""
            details = ", ".join(text for text in (row.found, visible(shorten(row.reason, 200))) if text)
            rows.append((visible(row.gate), row.outcome, judged, seconds, details))
        widths = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
        yield self._paint("gates", "strong")
        for gate, outcome, judged, seconds, details in rows:
            style = {"passed": "good", "skipped": "faint"}.get(outcome, "error")
            word = self._paint(outcome, style) + " " * (widths[1] - len(outcome))
            figures = f"{judged:>{widths[2]}}  {seconds:>{widths[3]}}"
            yield f"  {gate:<{widths[0]}}  {word}  {figures}  {details}".rstrip()

    def context(self, report: Report) -> Iterator[str]:
        """What was judged by which rules, and the notes."""
        scope = "everything" if report.judges_all else "changes"
        since = f" since {visible(report.change_base[:10])}" if report.change_base and not report.judges_all else ""
        head = "your working tree" if report.head == "worktree" else visible(report.head[:10])
        own = "your own copy, as the target branch has none yet" if report.preview else "the same place"
        decides = None if report.preview else report.policy_revision
        rules = f"the target branch, {visible(decides[:10])}" if decides else own
        engine = f"; engine: {visible(report.engine)}" if report.engine else ""
        yield self._paint(f"judged: {scope} in {head}{since}; rules from: {rules}{engine}", "faint")
        if extra := tally(report):
            trial = "; rules on trial are listed in `--format json` only" if report.summary.shadow else ""
            yield f"besides: {extra}{trial}"
        yield from (f"note: {line}" for note in report.notes for line in _lines(note))

    def last_line(self, report: Report) -> str:
        """The answer, and what to do next."""
        title, advice = conclude(report)
        return f"{self._paint(title, 'error' if report.exit_code else 'good')}. {advice}."


def _place(finding: Finding) -> str:
    location = finding.location
    return f"{visible(location.path)}:{location.line}:{location.column}"


def _short(finding: Finding) -> str:
    message = visible(shorten(with_announcement(finding), 160))
    by = f" (waiver {visible(finding.waived_by)})" if finding.waived_by is not None else ""
    return f"  {_place(finding)}  {visible(finding.rule)}  {message}{by}"


def _advice(finding: Finding, *, explained: bool) -> Iterable[tuple[str, str]]:
    if (then := announcement(finding)) is not None:
        yield "staged", then
    if finding.remedy:
        yield "to do", finding.remedy
    if finding.fix is not None:
        yield "repair", f"`maestro fix --write` does this: {finding.fix.description}"
    if finding.owner:
        yield "ask", f"{finding.owner}, owner of this rule"
    if not explained:
        yield "more", f"maestro explain {finding.rule}" + (f"  ({finding.docs})" if finding.docs else "")


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in visible_lines(shorten(text.strip(), TEXT_LIMIT))]
