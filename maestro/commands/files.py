"""Files that a command line names: ordinary ones, of a size that can be held."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from maestro.errors import SelectionError, UsageError


def read_named(path: Path, shown: str, limit: int) -> bytes:
    """The bytes of an ordinary file of at most ``limit`` bytes; a pipe or device would hang or never end.

    Raises:
        SelectionError: it is not there, or not an ordinary file.
        UsageError: it is larger.
    """
    with os.fdopen(open_named(path, shown), "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise UsageError(f"the file is larger than {limit:,} bytes", where=shown)
    return data


def open_named(path: Path, shown: str) -> int:
    """A descriptor of an ordinary file.

    Raises:
        SelectionError: it is not there, or not an ordinary file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise SelectionError(f"cannot be read: {error.strerror}", where=shown, remedy="check the path") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SelectionError("is not an ordinary file", where=shown, remedy="name a file")
    return descriptor
