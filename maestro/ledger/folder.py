"""A store that is a folder: on this machine, or on a file system that several share and that honours flock and link."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from maestro.errors import ToolFailure
from maestro.ledger import durable
from maestro.ledger.store import Reader, Stored, checked, is_name

_LOCK = ".lock"


class FolderStore:
    """Files below ``folder``, which is made when something is written first."""

    erases = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.address = str(folder)

    def read(self, name: str) -> Stored | None:
        """See ``Store``."""
        path = self._folder / checked(name)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            with os.fdopen(fd, "rb") as file:
                data = file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise ToolFailure(f"the ledger cannot be read: {error.strerror}", where=str(path)) from error
        return Stored(data, hashlib.sha256(data).hexdigest())

    def create(self, name: str, data: bytes) -> bool:
        """See ``Store``: one of several writers succeeds in linking its file to the name."""
        path = self._folder / checked(name)
        self._make(path.parent)
        try:
            durable.write(path, data, durable=True)
        except FileExistsError:
            return False
        return True

    def replace(self, name: str, data: bytes, version: str) -> bool:
        """See ``Store``: read, compared and written under the folder's lock."""
        path = self._folder / checked(name)
        if not path.parent.is_dir():
            return False
        with durable.locked(self._folder / _LOCK, lambda: None):
            found = self.read(name)
            if found is None or found.version != version:
                return False
            durable.write(path, data, replace=True, durable=True)
            return True

    def names(self, prefix: str) -> Iterator[str]:
        """See ``Store``. What is no name of a store, a leftover of a killed writer for one, is passed over."""
        above = prefix.rpartition("/")[0]
        found = []
        for parent, _, files in os.walk(self._folder / above, onerror=self._unreadable):
            within = os.path.relpath(parent, self._folder)
            begins = f"{within}/" if within != "." else ""
            found += [name for file in files if (name := begins + file).startswith(prefix) and is_name(name)]
        return iter(sorted(found))

    def prefetch(self, names: Iterable[str]) -> None:
        """See ``Reader``: nothing is far."""

    def now(self) -> Reader:
        """See ``Store``."""
        return self

    def erase(self, name: str) -> None:
        """See ``Store``."""
        path = self._folder / checked(name)
        try:
            path.unlink()
            durable.sync_folder(path.parent)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise durable.failure(error, path) from error

    def _unreadable(self, error: OSError) -> None:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            raise ToolFailure(f"the ledger cannot be read: {error.strerror}", where=str(error.filename)) from error

    def _make(self, folder: Path) -> None:
        """Make the folders that are not there, and have their names on the disk."""
        if folder.is_dir():
            return
        try:
            if folder != self._folder:
                self._make(folder.parent)
                folder.mkdir(mode=0o700, exist_ok=True)
            else:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                durable.keep_out_of_git(folder)
            durable.sync_folder(folder.parent)
        except OSError as error:
            raise durable.failure(error, folder) from error
