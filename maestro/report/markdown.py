"""Markdown for the step summary and the comment: the answer first, a table, the rest folded.

Everything from a document stands in a code span: the one place where GitHub neither renders markup nor turns
``@name``, ``#1``, commit ids and addresses into mentions and links.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from maestro.findings import Finding
from maestro.report.conclusion import PREVIEW, conclude, counted, gate_rows, tally
from maestro.report.model import Ahead, Entry, Report
from maestro.report.staged import AHEAD_EXISTING, ahead_title, soon_words, with_announcement
from maestro.report.visible_text import shorten, visible, without_log_commands

SUMMARY_LIMIT = 1024 * 1024
"""Bytes of a step summary; GitHub drops a larger one whole."""
COMMENT_LIMIT = 65_536
"""Characters of a comment, counted here as bytes, to be safe."""

_TEXT_LIMIT = 300
_OPEN_ROWS = 25
_NOTES = 10
_RESERVE = 400


def render(report: Report, *, limit: int = SUMMARY_LIMIT) -> str:
    """At most ``limit`` bytes of UTF-8. Findings that do not fit are counted, the least severe left out first."""
    closing = "".join(_closing(report))
    page = _Page(limit - _RESERVE - len(closing.encode("utf-8")))
    title, advice = conclude(report)
    icon = "❌" if report.exit_code else "✅"
    preview = f" ({PREVIEW})" if report.preview else ""
    page.add(f"### {icon} {title}{preview}\n")
    extra = tally(report)
    page.add(f"\n{advice}.{f' Besides: {extra}.' if extra else ''}\n")
    for verdict in report.errored:
        reason = verdict.reason or "it failed without naming a finding"
        todo = f" To do: {code(verdict.remedy)}" if verdict.remedy else ""
        page.add(f"\n❌ Gate {code(verdict.gate)} could not judge: {code(reason)}.{todo}\n")
    blocking = report.entries("blocking")
    page.table(_FULL, blocking[:_OPEN_ROWS])
    page.folded(f"{len(blocking) - _OPEN_ROWS:,} more that block", _FULL, blocking[_OPEN_ROWS:])
    page.folded(counted(report.summary.warnings, "warning"), _FULL, report.entries("warning"))
    page.folded(f"{report.summary.waived:,} waived", _WAIVED, report.entries("waived"))
    page.folded(f"{report.summary.existing:,} already on the target branch", _EXISTING, report.entries("existing"))
    if report.ahead is not None:
        page.ahead(report.ahead)
    return without_log_commands(page.text(closing))


def code(text: str) -> str:
    """A code span (CommonMark 6.1); its fence is longer than any run of backticks inside."""
    shown = shorten(visible(text), _TEXT_LIMIT).strip() or " "
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def cell(text: str) -> str:
    """A code span in a table (GFM 4.10): a bar is escaped even there. Parsers disagree on a backslash before it, so
    that one is set off by a space."""
    return re.sub(r"\\(?=\|)", r"\\ ", code(text)).replace("|", "\\|")


class _Kind(NamedTuple):
    """A table's columns, and how a finding fills them."""

    heads: Sequence[str]
    cells: Callable[[Finding], Sequence[str]]


class _Page:
    """Text that grows up to a limit and counts the rows that did not fit."""

    def __init__(self, limit: int) -> None:
        self._parts: list[str] = []
        self._room = limit
        self.left_out = 0

    def add(self, text: str) -> bool:
        """Whether there was room."""
        size = len(text.encode("utf-8"))
        if size > self._room:
            return False
        self._parts.append(text)
        self._room -= size
        return True

    def table(self, kind: _Kind, entries: Sequence[Entry], *, before: str = "") -> bool:
        """A table of as many entries as fit, the rest counted; whether there is a table."""
        head = f"{before}\n| {' | '.join(kind.heads)} |\n|{' --- |' * len(kind.heads)}\n"
        rows = [f"| {' | '.join(kind.cells(entry.finding))} |\n" for entry in entries]
        taken = 0
        for row in rows:
            if not self.add(row if taken else head + row):
                break
            taken += 1
        self.left_out += len(rows) - taken
        return taken > 0

    def folded(self, title: str, kind: _Kind, entries: Sequence[Entry]) -> None:
        """A table that opens on a click; its end is part of its price."""
        end = "\n</details>\n"
        self._room -= len(end)
        if self.table(kind, entries, before=f"\n<details><summary>{title}</summary>\n"):
            self._parts.append(end)

    def ahead(self, ahead: Ahead) -> None:
        """What is to come, a table for each owner, as far as there is room."""
        self.add(f"\n**{ahead_title(ahead)}**\n")
        for owner, found in ahead.by_owner().items():
            said = [(Entry(one.gate, replace(one.finding, message=soon_words(one), hardens=None))) for one in found]
            self.table(_EXISTING, said, before=f"\n{code(owner or 'nobody named')}: {len(found):,}\n")
        if any(soon.finding.existing for soon in ahead.soon):
            self.add(f"\n{AHEAD_EXISTING}\n")
        for error in ahead.errors:
            self.add(f"\nCould not be judged as of then: {code(error)}\n")

    def text(self, closing: str) -> str:
        left = ""
        if self.left_out:
            left = (
                f"\n**{counted(self.left_out, 'finding')} more, left out here because GitHub limits the size.** "
                "`maestro check` in a terminal or `--format json` lists all of them.\n"
            )
        return "".join([*self._parts, left, closing])


def _full(finding: Finding) -> Sequence[str]:
    fix = " (`maestro fix --write`)" if finding.fix is not None else ""
    todo = (cell(finding.remedy) if finding.remedy else "") + fix
    owner = f" of {cell(finding.owner)}" if finding.owner else ""
    return _where(finding), cell(with_announcement(finding)), todo, cell(finding.rule) + owner


def _waived(finding: Finding) -> Sequence[str]:
    return _where(finding), cell(with_announcement(finding)), cell(finding.rule), cell(finding.waived_by or "")


def _existing(finding: Finding) -> Sequence[str]:
    return _where(finding), cell(with_announcement(finding)), cell(finding.rule)


_FULL = _Kind(("where", "what", "to do", "rule"), _full)
_WAIVED = _Kind(("where", "what", "rule", "waiver"), _waived)
_EXISTING = _Kind(("where", "what", "rule"), _existing)


def _where(finding: Finding) -> str:
    location = finding.location
    return cell(f"{location.path}:{location.line}:{location.column}")


def _closing(report: Report) -> Iterator[str]:
    yield "\n<details><summary>gates</summary>\n\n"
    yield "| gate | outcome | judged | seconds | |\n| --- | --- | --- | --- | --- |\n"
    for row, verdict in zip(gate_rows(report), report.verdicts, strict=True):
        details = " ".join(text for text in (row.found, cell(row.reason) if row.reason else "") if text)
        yield f"| {cell(row.gate)} | {row.outcome} | {verdict.judged:,} | {verdict.seconds:.2f} | {details} |\n"
    yield "\n</details>\n"
    judged = "everything" if report.judges_all else "the change"
    since = f" since {code(report.change_base[:10])}" if report.change_base else ""
    rules = f", rules from {code(report.policy_revision[:10])}" if report.policy_revision else ""
    if report.preview:
        rules = ", rules from the change itself"
    engine = f", engine {code(report.engine)}" if report.engine else ""
    version = code(report.tool_version)
    yield f"\nJudged: {judged} at {code(report.head[:10])}{since}{rules}{engine}, maestro {version}.\n"
    for note in report.notes[:_NOTES]:
        yield f"\nNote: {code(note)}\n"
    if len(report.notes) > _NOTES:
        yield f"\n{counted(len(report.notes) - _NOTES, 'further note')}: see the log.\n"
