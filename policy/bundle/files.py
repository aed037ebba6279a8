"""Bundles on the disk."""

from __future__ import annotations

from pathlib import Path

from maestro.errors import ToolFailure, UsageError
from policy.bundle.archive_reading import LARGEST
from policy.bundle.reasons import Refused
from policy.folder import read_regular


def read_bundle(path: Path) -> bytes:
    """The bytes of a bundle or of the statement beside it.

    Raises:
        UsageError: it is not there, is no ordinary file, or cannot be read.
        Refused: it is larger than any bundle.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise UsageError(f"cannot read: {error.strerror}", where=str(path)) from error
    if size > LARGEST:
        raise Refused("archive-size", f"{path.name} has {size} bytes; {LARGEST} are allowed")
    return read_regular(path)


def write_file(path: Path, data: bytes) -> None:
    """Write what was made.

    Raises:
        ToolFailure: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise ToolFailure(f"cannot write: {error.strerror}", where=str(path)) from error
