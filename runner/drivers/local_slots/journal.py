"""Writing a slot's journal: complete lines, with room for the next ones reserved beforehand."""

from __future__ import annotations

import json
import os

_ENCODE = json.JSONEncoder(separators=(",", ":")).encode
RESERVE = 8192
"""Bytes; more than the two records of one command can take."""


def write_all(fd: int, data: bytes) -> None:
    """Write every byte, or raise OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


class Journal:
    """One file, which must not exist yet."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self.used = 0
        self.reserved = 0
        self._waiting: list[dict[str, object]] = []

    def reserve(self, size: int = RESERVE) -> None:
        """Have ``size`` bytes on the disk for what comes next, or raise OSError."""
        if self.reserved - self.used < size:
            os.posix_fallocate(self.fd, self.used, 4 * RESERVE + size)
            self.reserved = self.used + 4 * RESERVE + size

    @property
    def waiting(self) -> int:
        """How many records are not written yet."""
        return len(self._waiting)

    def put(self, record: dict[str, object]) -> None:
        """Have a record written with the next ``flush`` or ``add``, in order."""
        self._waiting.append(record)

    def flush(self) -> None:
        """Write what was put."""
        if self._waiting:
            data = b"".join(_ENCODE(record).encode() + b"\n" for record in self._waiting)
            self._waiting.clear()
            self.reserve(len(data))
            write_all(self.fd, data)
            self.used += len(data)

    def add(self, record: dict[str, object], *, durable: bool = False) -> None:
        """Append a record; ``durable`` ones are on the disk when this returns."""
        self.put(record)
        self.flush()
        if durable:
            os.fdatasync(self.fd)
