"""A folder as it is on disk, read like a revision: for what-if questions, which need no git and leave no trace."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from maestro.errors import UsageError


@dataclass(frozen=True)
class FolderEntry:
    """A file's mode, as git would write it."""

    mode: str


class Folder:
    """The files under ``root``; links are listed and never followed, ``.git`` is left out."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @cached_property
    def entries(self) -> Mapping[str, FolderEntry]:
        """Path from the root (``/`` separated) to entry, sorted."""
        out: dict[str, FolderEntry] = {}
        pending = [""]
        while pending:
            prefix = pending.pop()
            try:
                with os.scandir(self.root / prefix) as found:
                    for item in found:
                        path = f"{prefix}{item.name}"
                        if item.is_dir(follow_symlinks=False):
                            if item.name != ".git":
                                pending.append(f"{path}/")
                        elif item.is_symlink():
                            out[path] = FolderEntry("120000")
                        elif item.is_file(follow_symlinks=False):
                            out[path] = FolderEntry("100644")
            except OSError as error:
                raise UsageError(
                    f"cannot list the folder: {error.strerror}", where=str(self.root / prefix).rstrip("/")
                ) from None
        return dict(sorted(out.items()))

    def read(self, path: str) -> bytes:
        """The bytes of one file.

        Raises:
            UsageError: it is not there, is a link or no ordinary file, or cannot be read.
        """
        return read_regular(self.root / path, follow=False)

    def read_many(self, paths: Iterable[str]) -> dict[str, bytes]:
        """The bytes of several files."""
        return {path: self.read(path) for path in paths}


def read_regular(path: Path, *, follow: bool = True) -> bytes:
    """The bytes of an ordinary file; a pipe or a device is refused rather than waited for.

    Raises:
        UsageError: it is not there, is no ordinary file, or cannot be read.
    """
    try:
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)
        handle = os.open(path, flags)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise UsageError("this is not a file that can be read", where=str(path))
            with open(handle, "rb", closefd=False) as stream:
                return stream.read()
        finally:
            os.close(handle)
    except OSError as error:
        remedy = "check the path, and that it may be read"
        raise UsageError(f"cannot be read: {error.strerror}", where=str(path), remedy=remedy) from None


def folder_around(start: Path) -> Folder:
    """The governed folder that ``start`` lies in: the nearest with a maestro.yaml, within the same git repository.
    ``start`` itself where there is none.

    Raises:
        UsageError: there is no such folder.
    """
    from maestro.config import CONFIG_PATH

    start = start.resolve()
    if not start.is_dir():
        raise UsageError("there is no such folder", where=str(start))
    for one in (start, *start.parents):
        if os.path.lexists(one / CONFIG_PATH):
            return Folder(one)
        if os.path.lexists(one / ".git"):
            break
    return Folder(start)


def governed_folder(start: Path) -> Folder:
    """The same, which has to have a maestro.yaml.

    Raises:
        UsageError: there is no such folder, or no maestro.yaml.
    """
    from maestro.config import CONFIG_PATH

    folder = folder_around(start)
    if CONFIG_PATH not in folder.entries:
        raise UsageError(f"there is no {CONFIG_PATH}", remedy="`maestro init` writes one", where=str(folder.root))
    return folder
