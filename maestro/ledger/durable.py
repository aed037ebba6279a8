"""Writing evidence into a folder so that a reader finds all of a file or none of it."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

from maestro.errors import ToolFailure


def failure(error: OSError, path: Path) -> ToolFailure:
    """Why evidence could not be written, as a person should read it."""
    return ToolFailure(
        f"the ledger cannot be written: {error.strerror}",
        where=str(path),
        remedy="nothing is lost: put that right, and resume the run with --resume",
    )


def write(path: Path, data: bytes, *, replace: bool = False, durable: bool = False) -> None:
    """Write a file whole, or not at all; see ``write_pieces``."""
    write_pieces(path, (data,), replace=replace, durable=durable)


def write_pieces(path: Path, pieces: Iterable[bytes], *, replace: bool = False, durable: bool = False) -> None:
    """Write a file whole, or not at all.

    Args:
        path: where; its folder exists.
        pieces: what, in order. Where asking for one raises, nothing is written.
        replace: put it in the place of one that is there.
        durable: the file and its name are on the disk when this returns.

    Raises:
        FileExistsError: it is there already (without ``replace``); only one of several writers succeeds.
        ToolFailure: the disk is full, read-only or broken.
    """
    folder, name = os.path.split(path)
    temporary = f"{folder}/.{name}.{token_hex(6)}.tmp"  # process ids are not unique where machines share a folder
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        try:
            for data in pieces:
                view = memoryview(data)
                while view:
                    view = view[os.write(fd, view) :]
            if durable:
                os.fsync(fd)
        finally:
            os.close(fd)
        if replace:
            os.replace(temporary, path)  # noqa: PTH105 - a thousand times a run: no Path in between
        else:
            os.link(temporary, path)
            os.unlink(temporary)  # noqa: PTH108
        if durable:
            sync_folder(path.parent)
    except BaseException as error:
        _forget(temporary)
        if isinstance(error, OSError) and not isinstance(error, FileExistsError):
            raise failure(error, path) from error
        raise


def keep_out_of_git(folder: Path) -> None:
    """Have git pass over a folder that may lie in a checkout: nobody commits logs by ``git add -A``.

    Raises:
        OSError: the folder cannot be written.
    """
    path = folder / ".gitignore"
    if not path.exists():
        temporary = folder / f".gitignore.{token_hex(6)}.tmp"  # killed in between, it must not stay empty for ever
        temporary.write_text("*\n")
        temporary.replace(path)


def _forget(path: str) -> None:
    with contextlib.suppress(OSError):
        Path(path).unlink()


def sync_folder(path: Path) -> None:
    """Have the names in a folder on the disk."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_all(path: Path) -> None:
    """Have everything on the file system of ``path`` on the disk: one call for a thousand receipts (syncfs(2)).

    Raises:
        ToolFailure: what was written could not all be stored.
    """
    syncfs: Callable[[int], int] = ctypes.CDLL(None, use_errno=True).syncfs
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if syncfs(fd):
            code = ctypes.get_errno()
            raise failure(OSError(code, os.strerror(code)), path)
    finally:
        os.close(fd)


@contextmanager
def locked(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock file ``path``; whoever holds it and dies has let go of it.

    Args:
        path: the file, made if need be.
        waiting: called once when somebody else holds it, before waiting.

    Raises:
        ToolFailure: the file cannot be made.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise failure(error, path) from error
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
