"""Reading what the slots of the local driver wrote down, while they write and after they died."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from maestro.errors import ToolFailure
from runner.clock import Anchor
from runner.drivers.local_slots.proc import birth_of, boot_id

Record = dict[str, Any]


@dataclass
class JournalFile:
    """One slot's file. ``header`` is known once its first line is."""

    path: Path
    position: int = 0
    header: Record | None = None

    def new_records(self) -> list[Record]:
        """The complete lines since the last call. Reserved room behind them reads as NULs and holds no line."""
        with self.path.open("rb") as file:
            file.seek(self.position)
            data = file.read()
        complete = data[: data.rfind(b"\n") + 1]
        self.position += len(complete)
        records: list[Record] = []
        for line in complete.splitlines():
            try:
                record = json.loads(line)
            except ValueError as error:
                raise ToolFailure(f"the journal {self.path.name} is damaged: {error}", where=str(self.path)) from error
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
        """Whether the slot still runs."""
        header = self.header
        return self.same_boot and header is not None and birth_of(header["pid"]) == header["birth"] is not None


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

    def read(self) -> Iterator[tuple[str, int]]:
        """Read on; the (execution id, attempt) of every ending that is new."""
        for path in sorted(self.folder.glob("*.jsonl")):
            file = self.files.setdefault(path.name, JournalFile(path))
            for record in file.new_records():
                yield from self._note(file, record)

    def _note(self, file: JournalFile, record: Record) -> Iterator[tuple[str, int]]:
        if record["kind"] == "horizon":
            self.horizon.update(dict.fromkeys(record["ids"], file))
        if record["kind"] not in ("start", "end"):
            return
        key = (record["id"], record["attempt"])
        seen = self.seen.setdefault(key, Seen(file))
        if record["kind"] == "start":
            seen.start = record
        elif seen.end is None:
            seen.end = record
            yield key

    @property
    def any_slot_alive(self) -> bool:
        """Whether a slot of this run, of whatever session, still runs."""
        return any(file.alive for file in self.files.values())
