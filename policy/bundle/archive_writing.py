"""A tarball that is the same wherever it is written: sorted, dated 1970, stored without compression.

What deflate makes of the same input differs between zlib's versions and its forks; stored blocks (RFC 1951, 3.2.4) do
not, and git compresses the file anyway.
"""

from __future__ import annotations

import struct
import tarfile
import zlib
from collections.abc import Mapping

from maestro.errors import UsageError

_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
"""RFC 1952: deflate, no flags, no time, no level, operating system unknown."""
_STORED = 0xFFFF
_BLOCK = 512


def write(files: Mapping[str, bytes]) -> bytes:
    """The files (by path in the bundle) as a gzipped ustar archive.

    Raises:
        UsageError: a path that ustar cannot hold.
    """
    parts = []
    for name in sorted(files):
        entry = tarfile.TarInfo(name)
        entry.size = len(files[name])
        try:
            parts.append(entry.tobuf(tarfile.USTAR_FORMAT, "utf-8", "strict"))
        except (ValueError, UnicodeEncodeError) as error:
            raise UsageError(
                f"a bundle cannot hold a file of this name: {error}",
                where=name,
                remedy="shorten it: at most 100 bytes after the last / and 155 before it",
            ) from error
        parts += [files[name], bytes(-entry.size % _BLOCK)]
    return _gzip(b"".join((*parts, bytes(2 * _BLOCK))))


def _gzip(data: bytes) -> bytes:
    blocks = [_HEADER]
    for at in range(0, len(data), _STORED):
        block = data[at : at + _STORED]
        last = at + _STORED >= len(data)
        blocks += [struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF), block]
    return b"".join((*blocks, struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)))
