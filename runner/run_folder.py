"""One run's place in the ledger's folder.

::

    <store>/runs/<run id>/
      lock
      sessions/<n>.sigstore.json          what was decided each time the run was dispatched (predicate decision)
      journals/                           the local driver's own
      logs/<execution>.<attempt>.log
      receipts/<execution>.sigstore.json
      segments/<n>.sigstore.json          what the run left behind, closed; the last one counts
      fetched.json                        where the run was fetched from a store elsewhere: what others had claimed
      steps/<n>.sigstore.json             only in a copy of a run that a store elsewhere has as steps and no archive
      unreadable                          only in such a copy: why the store's run could not be read
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from maestro.errors import ToolFailure, UsageError
from maestro.evidence.errors import BadEvidence
from maestro.ledger import durable as store

SUFFIX = ".sigstore.json"
RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_CHUNK = 1 << 16
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_UNREADABLE = "unreadable"
_FOLDERS = ("sessions", "journals", "logs", "receipts", "segments")
KINDS = ("sessions", "receipts", "segments", "logs")
"""The folders that tell what happened, to whoever reads the run elsewhere."""


@dataclass(frozen=True)
class RunFolder:
    """The files of one run."""

    path: Path

    @property
    def run_id(self) -> str:
        """The run's id: the folder's name."""
        return self.path.name

    @property
    def exists(self) -> bool:
        """Whether there was such a run."""
        return (self.path / "sessions").is_dir() or self.unreadable is not None

    @property
    def unreadable(self) -> str | None:
        """Why a copy has nothing of the run; None where it has."""
        try:  # in a folder that others have written it may be a link to a secret, or a pipe
            fd = os.open(self.path / _UNREADABLE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                return os.read(fd, _CHUNK).decode("utf-8", "replace") or "nobody says why"
            finally:
                os.close(fd)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            return f"why it cannot be read cannot be read either: {error.strerror}"

    def set_unreadable(self, why: str) -> None:
        """Have the copy say that the run could not be read.

        Raises:
            ToolFailure: the disk is full or read-only.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            (self.path / _UNREADABLE).write_text(why)
        except OSError as error:
            raise store.failure(error, self.path) from error

    def require_readable(self) -> None:
        """Refuse a copy that has nothing of the run.

        Raises:
            BadEvidence: why.
        """
        if self.unreadable is not None:
            raise BadEvidence(self.unreadable)

    def create(self) -> None:
        """Make the folders that are not there.

        Raises:
            ToolFailure: the disk is full or read-only.
        """
        try:
            for name in _FOLDERS:
                (self.path / name).mkdir(parents=True, exist_ok=True, mode=0o700)
            store.keep_out_of_git(self.path.parent.parent)
        except OSError as error:
            raise store.failure(error, self.path) from error

    def lock(self, waiting: Callable[[], None]) -> AbstractContextManager[None]:
        """One dispatcher at a time."""
        return store.locked(self.path / "lock", waiting)

    def numbered(self, kind: str) -> Iterator[tuple[int, bytes]]:
        """The ``sessions`` or ``segments``, in order of their numbers, as they were signed."""
        found = []
        for path in (self.path / kind).glob("*" + SUFFIX):
            stem = path.name.removesuffix(SUFFIX)
            if stem.isascii() and stem.isdigit() and str(int(stem)) == stem:
                found.append((int(stem), path))
        for number, path in sorted(found):
            yield number, _read(path)

    def add_numbered(self, kind: str, number: int, data: bytes) -> None:
        """Write session or segment ``number``, durably; it must not be there."""
        store.write(self.path / kind / f"{number}{SUFFIX}", data, durable=True)

    def followed(self, session: int) -> bool:
        """Whether a session after this one has begun."""
        return (self.path / "sessions" / f"{session + 1}{SUFFIX}").exists()

    def evidence(self) -> list[str]:
        """The names of everything that is signed, and of the logs that receipts speak of."""
        receipts = set(self.receipts())
        logs = [path.name for path in (self.path / "logs").glob("*.log") if path.name.partition(".")[0] in receipts]
        numbered = [
            f"{kind}/{number}{SUFFIX}" for kind in ("sessions", "segments") for number, _ in self.numbered(kind)
        ]
        return [*numbered, *(f"receipts/{one}{SUFFIX}" for one in sorted(receipts)), *(f"logs/{name}" for name in logs)]

    def receipt_path(self, execution_id: str) -> Path:
        """Where an execution's receipt lies."""
        return self.path / "receipts" / (execution_id + SUFFIX)

    def receipt(self, execution_id: str) -> bytes | None:
        """An execution's receipt, as it was signed."""
        path = f"{self._receipts}/{execution_id}{SUFFIX}"
        try:
            return b"".join(chunks(path))
        except ValueError:  # no file has such a name
            return None
        except OSError as error:
            if error.errno in _NOT_THERE:
                return None
            raise ToolFailure(f"evidence cannot be read: {error.strerror}", where=path) from error

    def receipts(self) -> list[str]:
        """The execution ids of all receipts that lie there, whoever put them there, in the order of their files."""
        try:
            found = sorted(name for name in os.listdir(self._receipts) if name.endswith(SUFFIX))  # noqa: PTH208
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise ToolFailure(f"evidence cannot be read: {error.strerror}", where=self._receipts) from error
        return [name.removesuffix(SUFFIX) for name in found]

    @cached_property
    def _receipts(self) -> str:
        """A plain text: ten thousand receipts would be ten thousand times a Path."""
        return str(self.path / "receipts")


def chunks(path: str) -> Iterator[bytes]:
    """A file's content. Most files here are small, and a buffer for each would cost more than reading it.

    Raises:
        OSError: it cannot be read.
    """
    fd = os.open(path, os.O_RDONLY)
    try:
        while data := os.read(fd, _CHUNK):
            yield data
    finally:
        os.close(fd)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ToolFailure(f"evidence cannot be read: {error.strerror}", where=str(path)) from error


def run_folder(store_folder: Path, run_id: str) -> RunFolder:
    """The folder of a run, which need not exist.

    Raises:
        UsageError: such a text cannot be a run's id.
    """
    if not RUN_ID.fullmatch(run_id):
        raise UsageError(f"{run_id!r:.120} is not a run id", remedy="`maestro receipts list` shows them")
    return RunFolder(store_folder / "runs" / run_id)


def all_runs(store_folder: Path) -> list[RunFolder]:
    """Every run in the folder, by name."""
    parent = store_folder / "runs"
    if not parent.is_dir():
        return []
    return [RunFolder(path) for path in sorted(parent.iterdir()) if path.is_dir() and RUN_ID.fullmatch(path.name)]
