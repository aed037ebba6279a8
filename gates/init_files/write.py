"""Writing new files into somebody's folder: never over or through anything, and all checked before the first."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from maestro.errors import ToolFailure, UsageError


def obstacles(root: Path, paths: Iterable[str]) -> list[str]:
    """What stands where files should go: a link or a non-folder on the way, anything at all at the end."""
    found = []
    for path in paths:
        at = root
        parts = path.split("/")
        for part in parts[:-1]:
            at = at / part
            if at.is_symlink() or (at.exists() and not at.is_dir()):
                found.append(f"{at.relative_to(root)} is {'a link' if at.is_symlink() else 'not a folder'}")
                break
        else:
            if os.path.lexists(root / path):
                found.append(f"{path} is already there, but not as a file that git sees")
    return list(dict.fromkeys(found))


def write_new(root: Path, files: Mapping[str, bytes]) -> None:
    """Write files that do not exist yet.

    Raises:
        UsageError: something is in the way; nothing was written.
        ToolFailure: the disk refused; what had been written is named.
    """
    if standing := obstacles(root, files):
        raise UsageError(
            "something is in the way, and nothing was written: " + "; ".join(standing),
            remedy="move it away and run `maestro init` again",
        )
    written: list[str] = []
    try:
        for path, data in files.items():
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
            with os.fdopen(os.open(target, flags, 0o644), "wb") as stream:
                stream.write(data)
            written.append(path)
    except OSError as error:
        done = f"; written so far: {', '.join(written)}" if written else "; nothing was written"
        raise ToolFailure(
            f"cannot write {path}: {error.strerror}{done}", remedy="run `maestro init` again once that is solved"
        ) from error
