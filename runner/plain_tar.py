"""A gzipped tar of plain files in named folders: what archives and steps are. Written whole, and read as a stream.

A reader holds one piece of one file in memory, whoever wrote the archive. Headers are read one by one, each as it
stands: nothing that extends another one (long names, pax records, sparse maps) is ours, so none of it is interpreted.
"""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Sequence

from maestro.errors import ToolFailure
from maestro.evidence.errors import BadEvidence

SIZE_LIMIT = 1 << 30
"""Bytes unpacked. No more is written, and beyond it whoever wrote it means harm."""
_NAME = re.compile(r"([a-z]+)/[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_LEVEL = 3
"""Of gzip: what is signed hardly gets smaller beyond it, and takes three times as long."""
_BLOCK = 512
_CHUNK = 1 << 20


def packed(files: Iterable[tuple[str, bytes]]) -> bytes:
    """An archive of these, by name: equal files in the same order give equal bytes.

    Raises:
        ToolFailure: they are more than ``SIZE_LIMIT``, which nobody could read again.
    """
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=_LEVEL, mtime=0) as zipped:
        with tarfile.open(fileobj=zipped, mode="w|", format=tarfile.GNU_FORMAT) as tar:
            for name, data in files:
                member = tarfile.TarInfo(name)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
        if zipped.tell() > SIZE_LIMIT:
            raise ToolFailure(f"an archive of {zipped.tell()} bytes cannot be kept: {SIZE_LIMIT} are the most")
    return out.getvalue()


class Content:
    """What is left of a file in an archive. It can be read until the next file is asked for."""

    def __init__(self, source: _Source, size: int) -> None:
        self._source = source
        self._left = size
        self._padding = -size % _BLOCK

    def chunks(self) -> Iterator[bytes]:
        """The rest of it, a piece at a time.

        Raises:
            BadEvidence: it is cut short or damaged.
        """
        while self._left:
            data = self._source.exactly(min(self._left, _CHUNK))
            self._left -= len(data)
            yield data

    def read(self) -> bytes:
        """The rest of it in memory.

        Raises:
            BadEvidence: as ``chunks``.
        """
        return b"".join(self.chunks())

    def skip(self) -> None:
        """Go to its end.

        Raises:
            BadEvidence: as ``chunks``.
        """
        for _ in self.chunks():
            pass
        self._source.exactly(self._padding)
        self._padding = 0


class _Source:
    """The unpacked bytes, in order."""

    def __init__(self, data: bytes) -> None:
        self._file = gzip.GzipFile(fileobj=io.BytesIO(data))
        self._read = 0

    def some(self, size: int) -> bytes:
        """Up to so many; none at the end, where the checksum is right."""
        try:
            data = self._file.read(size)
        except (EOFError, OSError, zlib.error) as error:
            raise BadEvidence(f"the archive of a run cannot be read: {error}") from error
        self._read += len(data)
        if self._read > SIZE_LIMIT:
            raise BadEvidence(f"the archive holds more than {SIZE_LIMIT} bytes")
        return data

    def exactly(self, size: int) -> bytes:
        """So many."""
        data = self.some(size)
        while len(data) < size:
            more = self.some(size - len(data))
            if not more:
                raise BadEvidence("the archive of a run cannot be read: it is cut short")
            data += more
        return data


def contents(data: bytes, kinds: Sequence[str]) -> Iterator[tuple[str, Content]]:
    """The files in an archive, name and content. Only who has read to the end knows that it is whole.

    Args:
        data: the archive.
        kinds: the folders that it may have.

    Raises:
        BadEvidence: cut short, too large, or it holds something that no run has.
    """
    source = _Source(data)
    seen: set[str] = set()
    while (header := source.exactly(_BLOCK)) != bytes(_BLOCK):
        try:
            member = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        except (tarfile.TarError, ValueError) as error:
            raise BadEvidence(f"the archive of a run cannot be read: {error}") from error
        name = _NAME.fullmatch(member.name)
        plain = member.type == tarfile.REGTYPE and 0 <= member.size <= SIZE_LIMIT
        if not plain or name is None or name[1] not in kinds:
            raise BadEvidence(f"the archive holds {member.name!r:.100}, which no run has")
        if member.name in seen:
            raise BadEvidence(f"the archive holds {member.name} twice")
        seen.add(member.name)
        content = Content(source, member.size)
        yield member.name, content
        content.skip()
    while rest := source.some(_CHUNK):
        if rest.strip(b"\0"):
            raise BadEvidence("the archive of a run cannot be read: something comes after its end")


def members(data: bytes, kinds: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """As ``contents``, each file in memory.

    Raises:
        BadEvidence: as ``contents``.
    """
    return ((name, content.read()) for name, content in contents(data, kinds))
