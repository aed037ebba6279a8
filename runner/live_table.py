"""What a run is doing, as a table: the counts by manifest, and the frame that shows them. Pure."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from rich.cells import cell_len, set_cell_size

from maestro.report.visible_text import visible
from runner.execution import Execution
from runner.lifecycle import Event
from runner.run_clocks import percentiles

State = Literal["waiting", "starting", "running", "succeeded", "failed"]
STATES: tuple[State, ...] = ("waiting", "starting", "running", "succeeded", "failed")
_SHORT = {"waiting": "wait", "starting": "strt", "running": "run", "succeeded": "ok", "failed": "fail"}
NARROW, VERY_NARROW = 88, 56
"""Columns: below the first the tenant is left out and words are short, below the second p95 and starting as well."""
LEAST_NAME = 8


@dataclass
class _Row:
    subject: str
    tenant: str
    counts: Counter[State] = field(default_factory=Counter)
    starts: list[float] = field(default_factory=list)


class RunTable:
    """The counts. Told of by one thread, drawn by another.

    Args:
        executions: all of the run.
        slots: how many may run at once.
    """

    def __init__(self, executions: Iterable[Execution], slots: int) -> None:
        self._lock = threading.Lock()
        self._slots = slots
        self._rows: dict[str, _Row] = {}
        self._of: dict[str, _Row] = {}
        self._states: dict[str, State] = {}
        for one in executions:
            row = self._rows.setdefault(one.task.subject, _Row(one.task.subject, one.task.tenant))
            self._of[one.id] = row
            self._states[one.id] = "waiting"
            row.counts["waiting"] += 1

    def seen(self, execution_id: str, event: Event, seconds: float | None = None) -> None:
        """Something happened to an attempt; ``seconds`` from publish to start, of a start."""
        with self._lock:
            before = self._states.get(execution_id)
            if before is None or before in ("succeeded", "failed"):
                return
            if event.seen == "claim":
                self._move(execution_id, "starting" if before == "waiting" else before)
            elif event.seen == "start":
                self._move(execution_id, "running")
                if seconds is not None:
                    self._of[execution_id].starts.append(seconds)
            else:  # another attempt may follow: the receipt says that none does
                self._move(execution_id, "waiting")

    def receipt(self, execution_id: str, outcome: str) -> None:
        """It has ended for good."""
        with self._lock:
            if execution_id in self._of:
                self._move(execution_id, "succeeded" if outcome == "succeeded" else "failed")

    def _move(self, execution_id: str, after: State) -> None:
        row = self._of[execution_id]
        row.counts[self._states[execution_id]] -= 1
        row.counts[after] += 1
        self._states[execution_id] = after

    def frame(self, seconds: float, columns: int, lines: int) -> list[str]:
        """The table as lines, none longer than ``columns`` cells, not more than ``lines`` of them."""
        with self._lock:
            rows = [_Row(one.subject, one.tenant, Counter(one.counts), one.starts[:]) for one in self._rows.values()]
        free = max(0, self._slots - sum(row.counts["running"] for row in rows))
        for row in rows:  # what has a slot and is not seen to run yet; the rest of what is prepared still waits
            begins = min(free, row.counts["starting"])
            row.counts["waiting"] += row.counts["starting"] - begins
            row.counts["starting"] = begins
            free -= begins
        whole = _sum("all", rows)
        if len(rows) == 1:
            shown, total = rows, []
        else:
            room = max(1, lines - 3)
            total = [whole]
            # Those that something happens in come first where not all find room.
            rows = rows if len(rows) <= room else sorted(rows, key=lambda row: -_busy(row))
            shown = rows if len(rows) <= room else rows[: room - 1]
            if len(shown) < len(rows):
                shown = [*shown, _sum(f"{len(rows) - len(shown)} more", rows[len(shown) :])]
        titles, cells = _cells([*shown, *total], columns)
        done = whole.counts["succeeded"] + whole.counts["failed"]
        head = f"{done:,} of {whole.counts.total():,} ended, {_time(seconds)}"
        text = [set_cell_size(head, min(columns, cell_len(head))), *_aligned(titles, cells, columns)]
        return text[: max(1, lines)]


def _busy(row: _Row) -> int:
    return row.counts["failed"] + row.counts["running"] + row.counts["starting"]


def _sum(name: str, rows: Sequence[_Row]) -> _Row:
    whole = _Row(name, "")
    for row in rows:
        whole.counts.update(row.counts)
        whole.starts += row.starts
    return whole


def _cells(rows: Sequence[_Row], columns: int) -> tuple[list[str], list[list[str]]]:
    tenant, p95, starting = columns >= NARROW, columns >= VERY_NARROW, columns >= VERY_NARROW
    states = [state for state in STATES if starting or state != "starting"]
    titles = ["manifest", *(["tenant"] if tenant else [])]
    titles += [state if columns >= NARROW else _SHORT[state] for state in states] + (["p95 start"] if p95 else [])
    cells = []
    for row in rows:
        counts = row.counts.copy()
        if not starting:
            counts["waiting"] += counts["starting"]
        found = percentiles(row.starts)
        cells.append(
            [
                visible(row.subject.removeprefix("Manifest/")),
                *([visible(row.tenant)] if tenant else []),
                *(f"{counts[state]:,}" for state in states),
                *(["" if found is None else f"{found.p95:.2f} s"] if p95 else []),
            ]
        )
    return titles, cells


def _aligned(titles: list[str], cells: Sequence[list[str]], columns: int) -> list[str]:
    """Numbers to the right, names to the left and as short as they have to be."""
    texts = 2 if titles[1] == "tenant" else 1
    widths = [max(cell_len(row[place]) for row in [titles, *cells]) for place in range(len(titles))]
    numbers = sum(width + 2 for width in widths[texts:])
    if texts == 2:
        widths[1] = min(widths[1], 16)
        numbers += widths[1] + 2
    widths[0] = max(LEAST_NAME, min(widths[0], columns - numbers))
    lines = []
    for row in [titles, *cells]:
        names = [_fit(text, width) for text, width in zip(row[:texts], widths, strict=False)]
        rest = [text.rjust(width) for text, width in zip(row[texts:], widths[texts:], strict=True)]
        line = "  ".join([*names, *rest])
        lines.append(set_cell_size(line, columns) if cell_len(line) > columns else line.rstrip())
    return lines


def _fit(text: str, width: int) -> str:
    return set_cell_size(text, width) if cell_len(text) <= width else set_cell_size(text, width - 1) + "…"


def _time(seconds: float) -> str:
    whole = int(seconds)
    return (
        f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}" if whole >= 3600 else f"{whole // 60}:{whole % 60:02}"
    )
