"""Reading what the slots of the local driver wrote down, while they write and after they died."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from maestro.errors import ToolFailure
from runner.clock import Anchor
from runner.drivers.local_slots.marks import mark_of
from runner.drivers.local_slots.proc import birth_of, boot_id
from runner.execution import Outcome
from runner.lifecycle import Event

Record = dict[str, Any]
_MOST = 1 << 63
"""Nanoseconds and bytes are below; so no sum of some of them is a time that cannot be written."""
_MOST_PIDS = 1 << 22
"""proc(5), pid_max."""


def _is_number(value: object, below: int = _MOST) -> bool:
    return type(value) is int and -below < value < below


def _is_text(value: object) -> bool:
    return type(value) is str


def _is_number_or_nothing(value: object) -> bool:
    return value is None or _is_number(value)


def _is_pid(value: object) -> bool:
    return _is_number(value, _MOST_PIDS) and value >= 0  # type: ignore[operator]


def _is_attempt(value: object) -> bool:
    return _is_number(value, 1 << 31) and value >= 1  # type: ignore[operator]


_NEEDED: dict[str, dict[str, Callable[[object], bool]]] = {
    "slot": {
        "session": _is_number,
        "pid": _is_pid,
        "birth": _is_number_or_nothing,
        "boot": _is_text,
        "anchor_wall": _is_number,
        "anchor_mono": _is_number,
    },
    "horizon": {"ids": lambda value: isinstance(value, list) and all(map(_is_text, value))},
    "warm": {"task": _is_text, "refused": lambda value: value is None or _is_text(value)},
    "start": {
        "id": _is_text,
        "attempt": _is_attempt,
        **dict.fromkeys(("published", "claimed", "started", "deadline", "mark", "born"), _is_number),
        "pid": _is_pid,
    },
    "end": {
        "id": _is_text,
        "attempt": _is_attempt,
        "outcome": lambda value: value in get_args(Outcome),
        "final": lambda value: type(value) is bool,
    },
}
_MAY: dict[str, Callable[[object], bool]] = {
    **dict.fromkeys(("published", "leftovers", "dropped"), _is_number),
    **dict.fromkeys(("claimed", "started", "ended", "exit_code", "signal"), _is_number_or_nothing),
    "reason": lambda value: value is None or _is_text(value),
}
"""What an ``end`` may have beside."""


def wrong_in(record: object) -> str | None:
    """What no watcher would have written, in words; None of what one could have."""
    if not isinstance(record, dict):
        return "no object"
    kind = record.get("kind")
    needed = _NEEDED.get(kind) if isinstance(kind, str) else None
    if needed is None:
        return f"{kind!r} is no kind of record"
    for name, fits in needed.items():
        if name not in record or not fits(record[name]):
            return f"{name} of a record of the kind {kind}"
    if kind == "end":
        for name, fits in _MAY.items():
            if name in record and not fits(record[name]):
                return f"{name} of a record of the kind {kind}"
    return None


@dataclass
class JournalFile:
    """One slot's file. ``header`` is known once its first line is."""

    path: Path
    position: int = 0
    header: Record | None = None

    def new_records(self) -> list[Record]:
        """The complete lines since the last call. Reserved room behind them reads as NULs and holds no line.

        Reading and writing at once is not one step: the end of a line may be seen before its beginning, which reads as
        NULs still. What comes after the first of them is read the next time.
        """
        with self.path.open("rb") as file:
            file.seek(self.position)
            data = file.read().partition(b"\0")[0]
        complete = data[: data.rfind(b"\n") + 1]
        self.position += len(complete)
        records: list[Record] = []
        for line in complete.splitlines():
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise ToolFailure(f"the journal {self.path.name} is damaged: {error}", where=str(self.path)) from error
            wrong = wrong_in(record)
            if wrong is None and (record["kind"] == "slot") != (self.header is None):
                wrong = "a journal has one record that says who writes, the first"
            if wrong is not None:
                raise ToolFailure(
                    f"the journal {self.path.name} is damaged: {wrong}",
                    where=str(self.path),
                    remedy="no watcher writes so: somebody changed it; put it back from a copy",
                )
            if record["kind"] == "slot":
                self.header = record
            records.append(record)
        return records

    @property
    def anchor(self) -> Anchor:
        """How this slot's readings of the monotonic clock become times."""
        assert self.header is not None  # noqa: S101 - a slot writes it first
        return Anchor(self.header["anchor_wall"], self.header["anchor_mono"])

    @property
    def same_boot(self) -> bool:
        """Whether the machine has not been started again since."""
        return self.header is not None and self.header["boot"] == boot_id()

    @property
    def alive(self) -> bool:
        """Whether the slot still runs: it bears a mark, as every watcher does before it writes its first line."""
        header = self.header
        if header is None or not self.same_boot or mark_of(header["pid"]) is None:
            return False
        birth: int | None = header["birth"]
        return birth is not None and birth_of(header["pid"]) == birth


@dataclass
class Seen:
    """What the journals say about one attempt of one execution."""

    file: JournalFile
    start: Record | None = None
    end: Record | None = None


@dataclass
class Journals:
    """All journals of a run, read as far as they are written."""

    folder: Path
    files: dict[str, JournalFile] = field(default_factory=dict)
    seen: dict[tuple[str, int], Seen] = field(default_factory=dict)
    horizon: dict[str, JournalFile] = field(default_factory=dict)
    not_kept_ready: dict[str, str] = field(default_factory=dict)
    watch: Callable[[str, Event, float | None], None] | None = None
    """Told of everything that is read, with the seconds from publish to start of a start."""

    def read(self) -> Iterator[tuple[str, int]]:
        """Read on; the (execution id, attempt) of every ending that is new."""
        for path in sorted(self.folder.glob("*.jsonl")):
            file = self.files.setdefault(path.name, JournalFile(path))
            for record in file.new_records():
                yield from self._note(file, record)

    def _note(self, file: JournalFile, record: Record) -> Iterator[tuple[str, int]]:
        if record["kind"] == "horizon":
            self.horizon.update(dict.fromkeys(record["ids"], file))
        if record["kind"] == "warm" and record["refused"] is not None:
            self.not_kept_ready[record["task"]] = record["refused"]
        if self.watch is not None:
            self._tell(self.watch, record)
        if record["kind"] not in ("start", "end"):
            return
        key = (record["id"], record["attempt"])
        seen = self.seen.setdefault(key, Seen(file))
        if record["kind"] == "start":
            seen.start = record
        elif seen.end is None:
            seen.end = record
            yield key

    def _tell(self, watch: Callable[[str, Event, float | None], None], record: Record) -> None:
        if record["kind"] == "horizon":
            for execution_id in record["ids"]:
                watch(execution_id, Event("claim"), None)
        elif record["kind"] == "start":
            seconds = (record["started"] - record["published"]) / 1e9
            watch(record["id"], Event("start", record["attempt"]), seconds)
        elif record["kind"] == "end":
            watch(record["id"], Event("end", record["attempt"], record["outcome"]), None)

    @property
    def any_slot_alive(self) -> bool:
        """Whether a slot of this run, of whatever session, still runs."""
        return any(file.alive for file in self.files.values())

    @property
    def first_birth(self) -> int | None:
        """When the first watcher of this boot was born, in nanoseconds since boot; None if this boot had none."""
        births = [file.header["birth"] for file in self.files.values() if file.header is not None and file.same_boot]
        found = min((birth for birth in births if birth is not None), default=None)
        return None if found is None else found * 10**9 // os.sysconf("SC_CLK_TCK")
