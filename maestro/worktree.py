"""The working tree as it lies on the disk, read and hashed here.

Git's own comparison of the working tree may run programs that the repository's configuration names (clean filters),
so git is only asked what its index says and which untracked files are not ignored. A file whose recorded stat data
still hold is taken from the index; any other is read and hashed. What git would commit is what counts: a file that
differs from the index only by the line endings its attributes ask for is unchanged, and a file under the LFS filter
counts as its pointer. Other clean filters are not run: such a file, once touched, counts as what lies on the disk.
A submodule counts as the commit the index names.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from maestro.errors import ToolFailure
from maestro.git_command import Git
from maestro.git_objects import ObjectReader, object_id
from maestro.lfs_pointer import is_lfs_pointer, lfs_pointer
from maestro.snapshot import LINK, SUBMODULE, Entry, Snapshot

KEPT_BYTES = 16 << 20
KEPT_BYTES_OF_ALL = 256 << 20
"""Larger files, and those that come after so many bytes, are read again when wanted instead of being kept."""

_RACY_NANOSECONDS = 50_000_000
"""A file changed this shortly before the index was written may have changed again without its time telling."""

_SKIP_WORKTREE = 1 << 30
_INTENT_TO_ADD = 1 << 29

_CONTROL = bytes({*range(32), 127} - {*b"\b\t\n\r\f\033"})

_ROW = re.compile(
    rb"(?P<mode>\d{6}) (?P<oid>[0-9a-f]+) (?P<stage>[0-3])\t(?P<path>[^\0]+)\0"
    rb"(?:  ctime: (\d+):(\d+)\n  mtime: (\d+):(\d+)\n  dev: (\d+)\tino: (\d+)\n  uid: (\d+)\tgid: (\d+)\n"
    rb"  size: (\d+)\tflags: ([0-9a-f]+)\n)?"
)


class _Indexed(NamedTuple):
    mode: str
    oid: str
    stat: tuple[int, int, int, int] | None
    """Nanoseconds of ctime and mtime, inode, size (the last two modulo 2**32); None: not known, so read the file."""
    skipped: bool
    """A sparse checkout leaves it out."""


@dataclass(frozen=True, slots=True)
class _Found:
    mode: str
    oid: str
    data: bytes | None


def read_worktree(git: Git, git_dir: Path, objects: ObjectReader, object_format: str) -> Snapshot:
    """The files of the working tree that ``git`` is bound to.

    Raises:
        ToolFailure: a file cannot be read (permissions, disk), or git fails.
    """
    reader = _Reader(git, git_dir, objects, object_format)
    entries = reader.entries()
    blobs = _WorktreeBlobs(objects, reader.contents, reader.large, git.folder, object_format)
    return Snapshot(commit=None, label="worktree", entries=lambda: entries, blobs=blobs, object_format=object_format)


class _Reader:
    def __init__(self, git: Git, git_dir: Path, objects: ObjectReader, object_format: str) -> None:
        self.git = git
        self.objects = objects
        self.index = git_dir / "index"
        self.object_format = object_format
        self.root = os.fsencode(git.folder)
        self.contents: dict[str, bytes] = {}
        self.large: dict[str, str] = {}
        self._kept = 0
        self._real_folders: dict[str, bool] = {"": True}

    def entries(self) -> dict[str, Entry]:
        written = self._index_time()
        indexed = self._indexed()
        found: dict[str, Entry] = {}
        doubtful: list[str] = []
        for path, row in indexed.items():
            if row.mode == SUBMODULE:
                found[path] = Entry(SUBMODULE, row.oid)
                continue
            status = self._status(path)
            if status is None:
                if row.skipped:
                    found[path] = Entry(row.mode, row.oid)
            elif _unchanged(row, status, written):
                found[path] = Entry(row.mode, row.oid)
            else:
                doubtful.append(path)
        untracked = self._untracked()
        for path in untracked:
            if path.endswith("/"):
                found[path[:-1]] = Entry(SUBMODULE, None)
        self._read_files(doubtful, [path for path in untracked if not path.endswith("/")], indexed, found)
        return dict(sorted(found.items()))

    def _index_time(self) -> int:
        try:
            return self.index.stat().st_mtime_ns
        except OSError:
            return 0

    def _indexed(self) -> dict[str, _Indexed]:
        output = self.git.output("ls-files", "-z", "--stage", "--debug")
        rows: dict[str, _Indexed] = {}
        at = 0
        for match in _ROW.finditer(output):
            if match.start() != at:
                break
            at = match.end()
            mode, oid, stage, path, *numbers = match.groups()
            name = path.decode("utf-8", "surrogateescape")
            flags = int(numbers[9], 16) if numbers[9] else 0
            known = None
            if numbers[9] and stage == b"0" and not flags & _INTENT_TO_ADD:
                times = (int(numbers[0]) * 10**9 + int(numbers[1]), int(numbers[2]) * 10**9 + int(numbers[3]))
                known = (*times, int(numbers[5]), int(numbers[8]))
            rows[name] = _Indexed(mode.decode(), oid.decode(), known, bool(flags & _SKIP_WORKTREE))
        if at != len(output):
            raise ToolFailure("git ls-files answered something unknown", remedy="report the version: git --version")
        return rows

    def _untracked(self) -> list[str]:
        output = self.git.output("ls-files", "-z", "--others", "--exclude-standard")
        return [path.decode("utf-8", "surrogateescape") for path in output.split(b"\0") if path]

    def _status(self, path: str) -> os.stat_result | None:
        """What lies at a path, no link followed; None when nothing does, or something that is no file and no link."""
        if not self._is_real_folder(path.rpartition("/")[0]):
            return None
        try:
            status = os.lstat(self._full(path))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _unreadable(path, error) from error
        return status if stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode) else None

    def _is_real_folder(self, folder: str) -> bool:
        """A folder inside the working tree, reached through no link."""
        known = self._real_folders.get(folder)
        if known is None:
            known = self._is_real_folder(folder.rpartition("/")[0])
            if known:
                try:
                    known = stat.S_ISDIR(os.lstat(self._full(folder)).st_mode)
                except OSError:
                    known = False
            self._real_folders[folder] = known
        return known

    def _full(self, path: str) -> bytes:
        return self.root + b"/" + os.fsencode(path)

    def _read_files(
        self, tracked: list[str], untracked: list[str], indexed: dict[str, _Indexed], found: dict[str, Entry]
    ) -> None:
        if not tracked and not untracked:
            return
        executable = self._trusts_executable_bit()
        differing: list[str] = []
        for path in (*tracked, *untracked):
            row = indexed.get(path)
            blob = self._read_file(path, row, executable)
            if blob is None:
                continue
            found[path] = Entry(blob.mode, blob.oid)
            if row is None or row.oid != blob.oid:
                differing.append(path)
                self._keep(path, blob.oid, blob.data)
        if differing:
            self._as_committed(differing, indexed, found)

    def _keep(self, path: str, oid: str, data: bytes | None) -> None:
        if data is None or self._kept + len(data) > KEPT_BYTES_OF_ALL:
            self.large[oid] = path
        else:
            self.contents[oid] = data
            self._kept += len(data)

    def _read_file(self, path: str, row: _Indexed | None, executable: bool) -> _Found | None:
        if not self._is_real_folder(path.rpartition("/")[0]):
            return None
        full = self._full(path)
        try:
            status = os.lstat(full)
            if stat.S_ISLNK(status.st_mode):
                data = os.readlink(full)  # noqa: PTH115 - bytes stay bytes
                return _Found(LINK, object_id("blob", data, self.object_format), data)
            if not stat.S_ISREG(status.st_mode):
                return None
            mode = row.mode if row and row.mode != LINK else "100644"
            if executable:
                mode = "100755" if status.st_mode & 0o100 else "100644"
            oid, data_or_none = _hash_file(full, self.object_format)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(path, error) from error
        return _Found(mode, oid, data_or_none)

    def _trusts_executable_bit(self) -> bool:
        return self.git.run("config", "--type=bool", "--get", "core.fileMode").stdout.strip() != b"false"

    def _as_committed(self, paths: list[str], indexed: dict[str, _Indexed], found: dict[str, Entry]) -> None:
        """Put line endings and LFS pointers as git would commit them."""
        attributes = self._attributes(paths)
        automatic = self.git.run("config", "--get", "core.autocrlf").stdout.strip().lower() in (b"true", b"input")
        for path in paths:
            entry = found[path]
            oid = entry.oid
            if oid is None or not entry.is_file:
                continue
            wanted = attributes.get(path, {})
            if wanted.get("filter") == "lfs":
                data: bytes | None = self._pointer(path, oid)
            elif automatic or wanted.get("text") != "unspecified" or wanted.get("eol") != "unspecified":
                data = self._with_line_feeds(self._content(path, oid), wanted, automatic, indexed.get(path))
            else:
                continue
            if data is None:
                continue
            new = object_id("blob", data, self.object_format)
            if new != oid:
                found[path] = Entry(entry.mode, new)
                self.contents[new] = data

    def _with_line_feeds(
        self, data: bytes, attributes: dict[str, str], automatic: bool, row: _Indexed | None
    ) -> bytes | None:
        """The content with CRLF as LF where git would commit it so; None where it would not (gitattributes, text)."""
        text = attributes.get("text", "unspecified")
        if text == "unset" or b"\r\n" not in data:
            return None
        asked = text == "set" or (text == "unspecified" and attributes.get("eol") in ("lf", "crlf"))
        if not asked:
            if not (text == "auto" or automatic) or not _looks_like_text(data):
                return None
            if row is not None and row.mode != LINK and b"\r\n" in self.objects.blobs((row.oid,))[row.oid]:
                return None  # committed with CRLF before: git leaves it so
        return data.replace(b"\r\n", b"\n")

    def _attributes(self, paths: list[str]) -> dict[str, dict[str, str]]:
        question = b"".join(os.fsencode(path) + b"\0" for path in paths)
        output = self.git.output("check-attr", "-z", "--stdin", "text", "eol", "filter", stdin=question)
        fields = output.decode("utf-8", "surrogateescape").split("\0")
        attributes: dict[str, dict[str, str]] = {}
        for path, name, value in zip(fields[0::3], fields[1::3], fields[2::3], strict=False):
            attributes.setdefault(path, {})[name] = value
        return attributes

    def _content(self, path: str, oid: str) -> bytes:
        if oid in self.contents:
            return self.contents[oid]
        try:
            with _opened(self._full(path)) as file:
                return file.read()
        except OSError as error:
            raise _unreadable(path, error) from error

    def _pointer(self, path: str, oid: str) -> bytes | None:
        data = self.contents.get(oid)
        if data is not None and (not data or is_lfs_pointer(data)):
            return None
        digest, size = hashlib.sha256(), 0
        try:
            with _opened(self._full(path)) as file:
                while chunk := file.read(1 << 20):
                    digest.update(chunk)
                    size += len(chunk)
        except OSError as error:
            raise _unreadable(path, error) from error
        return lfs_pointer(digest.hexdigest(), size)


class _WorktreeBlobs:
    """Contents read from the disk, or by git where the disk holds what the index names."""

    def __init__(
        self, objects: ObjectReader, contents: dict[str, bytes], large: dict[str, str], root: Path, object_format: str
    ) -> None:
        self._objects = objects
        self._contents = contents
        self._large = large
        self._root = root
        self._object_format = object_format

    def blobs(self, oids: Iterable[str]) -> dict[str, bytes]:
        """The content of each."""
        found: dict[str, bytes] = {}
        rest: list[str] = []
        for oid in oids:
            if oid in self._contents:
                found[oid] = self._contents[oid]
            elif oid in self._large:
                found[oid] = self._again(oid)
            else:
                rest.append(oid)
        return found | self._objects.blobs(rest)

    def _again(self, oid: str) -> bytes:
        path = self._large[oid]
        try:
            with _opened(os.fsencode(self._root) + b"/" + os.fsencode(path)) as file:
                data = file.read()
        except OSError as error:
            raise _unreadable(path, error) from error
        if object_id("blob", data, self._object_format) != oid:
            raise ToolFailure("the file changed while it was being judged", where=path, remedy="run it again")
        return data


def _unchanged(row: _Indexed, status: os.stat_result, index_written: int) -> bool:
    if row.stat is None or status.st_mtime_ns >= index_written - _RACY_NANOSECONDS:
        return False
    is_link = stat.S_ISLNK(status.st_mode)
    if is_link != (row.mode == LINK):
        return False
    here = (status.st_ctime_ns, status.st_mtime_ns, status.st_ino & 0xFFFFFFFF, status.st_size & 0xFFFFFFFF)
    return row.stat == here


@contextmanager
def _opened(full: bytes) -> Iterator[BinaryIO]:
    """A regular file, open for reading; never through a link, never waiting for somebody to write into a pipe."""
    descriptor = os.open(full, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "it is no regular file any more")
        yield file


def _hash_file(full: bytes, object_format: str) -> tuple[str, bytes | None]:
    """The blob id of a file, and its content when it is not too large to keep."""
    with _opened(full) as file:
        size = os.fstat(file.fileno()).st_size
        if size <= KEPT_BYTES:
            data = file.read()
            return object_id("blob", data, object_format), data
        digest = hashlib.new(object_format, b"blob %d\0" % size, usedforsecurity=False)
        read = 0
        while chunk := file.read(1 << 20):
            digest.update(chunk)
            read += len(chunk)
        if read != size:
            raise OSError(0, "it changed while it was being read")
        return digest.hexdigest(), None


def _looks_like_text(data: bytes) -> bool:
    """Git's guess (convert.c, gather_stats): no NUL, no lone CR, fewer than one control character in 128."""
    if b"\0" in data or data.count(b"\r") != data.count(b"\r\n"):
        return False
    if data.endswith(b"\x1a"):
        data = data[:-1]
    control = len(data) - len(data.translate(None, _CONTROL))
    ends = data.count(b"\n") + data.count(b"\r")
    return (len(data) - control - ends) >> 7 >= control


def _unreadable(path: str, error: OSError) -> ToolFailure:
    return ToolFailure(f"cannot read the file: {error.strerror}", where=path, remedy="make it readable, or ignore it")
