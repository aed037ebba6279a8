"""Files that a command was asked to write: pages, metrics, documents."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from maestro.errors import ToolFailure


def write(path: Path, text: str, what: str, *, remedy: str | None = None) -> None:
    """Put ``text`` at ``path`` in one step, readable for another user: whoever looks sees the old file or the new one.
    One that was there keeps its mode, and is left as it was where there is no room for the other.

    Args:
        path: where.
        text: all of it.
        what: for the message, "the metrics" for instance.
        remedy: for the message.

    Raises:
        ToolFailure: the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{token_hex(4)}.tmp")  # a collector reads what ends in .prom
    try:
        try:
            with temporary.open("x", encoding="utf-8") as file:
                file.write(text)
            with suppress(FileNotFoundError):
                shutil.copymode(path, temporary)
            os.replace(temporary, path)  # noqa: PTH105
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise ToolFailure(f"{what} could not be written: {error.strerror}", where=str(path), remedy=remedy) from error
