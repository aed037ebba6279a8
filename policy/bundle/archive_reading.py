"""The files of a bundle that anybody may have written. Nothing is unpacked to a disk; what is odd is refused.

A reader of its own, because a general one is made to be lenient: it follows extended headers, takes the last of two
files with one name, joins gzip members, and stops at the first empty block whatever comes behind.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from typing import Final

from policy.bundle.reasons import Refused

LARGEST: Final = 64 << 20
"""Bytes, packed and unpacked; 500 rules are 0.4 MB."""
RATIO: Final = 200
"""How many times its size a file may unpack to: Rego reaches 30, and what is made to explode 1000."""
_SMALL: Final = 1 << 20
MOST_FILES: Final = 10_000

_BLOCK = 512
_ZEROS = bytes(_BLOCK)
_OCTAL = re.compile(rb"([0-7]+)[ \0]*\Z")
_KINDS = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a character device",
    b"4": "a block device",
    b"5": "a folder",
    b"6": "a pipe",
    b"x": "an extended header (pax)",
    b"g": "a global extended header (pax)",
    b"L": "a long name (GNU)",
    b"K": "a long link (GNU)",
    b"S": "a sparse file (GNU)",
}


def read(data: bytes) -> dict[str, bytes]:
    """The files by path, in the archive's order. OPA writes every path with one leading slash: it is left out.

    Raises:
        Refused: not one gzip member around one plain ustar archive of regular files with distinct, plain names.
    """
    entries = _entries(_inflate(data))
    if all(name.startswith("/") for name, _ in entries):
        entries = [(name[1:], content) for name, content in entries]
    known: dict[str, str] = {}
    for name, _ in entries:
        _check_name(name)
        folded = _folded(name)
        if folded in known:
            raise Refused("archive-duplicate", f"it holds {known[folded]!r:.120} and {name!r:.120}")
        known[folded] = name
    for folded, name in known.items():
        for at, char in enumerate(folded):
            if char == "/" and folded[:at] in known:
                raise Refused(
                    "archive-duplicate", f"{known[folded[:at]]!r:.120} is a file, and {name!r:.120} is below it"
                )
    return dict(entries)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def _check_name(name: str) -> None:
    parts = name.split("/")
    odd = any(ord(char) < 32 or ord(char) == 127 or char == "\\" for char in name)
    if odd or any(part in ("", ".", "..") for part in parts):
        raise Refused("archive-name", f"it holds a file named {name!r:.120}")


def _inflate(data: bytes) -> bytes:
    if len(data) > LARGEST:
        raise Refused("archive-size", f"it has {len(data)} bytes; {LARGEST} are allowed")
    limit = min(LARGEST, max(_SMALL, RATIO * len(data)))
    unpacking = zlib.decompressobj(wbits=31)
    try:
        out = unpacking.decompress(data, limit + 1)
    except zlib.error as error:
        raise Refused("archive-gzip", f"it is not a whole gzip file: {error}") from error
    if len(out) > limit:
        raise Refused("archive-size", f"it has {len(data)} bytes and unpacks to more than {limit}")
    if not unpacking.eof:
        raise Refused("archive-gzip", "it is not a whole gzip file: it ends in the middle")
    if unpacking.unused_data:
        raise Refused("archive-trailing", f"{len(unpacking.unused_data)} bytes stand behind its end")
    return out


def _entries(raw: bytes) -> list[tuple[str, bytes]]:
    out: list[tuple[str, bytes]] = []
    at = 0
    while True:
        block = raw[at : at + _BLOCK]
        if len(block) < _BLOCK:
            raise Refused("archive-tar", "the archive ends without its two empty blocks")
        if block == _ZEROS:
            break
        if len(out) == MOST_FILES:
            raise Refused("archive-count", f"it holds more than {MOST_FILES} files")
        name, size = _header(block)
        at += _BLOCK
        end = at + size
        padded = end + -size % _BLOCK
        if padded > len(raw):
            raise Refused("archive-tar", f"{name!r:.120} is cut off")
        if raw[end:padded].strip(b"\0"):
            raise Refused("archive-tar", f"something stands between {name!r:.120} and the next file")
        out.append((name, raw[at:end]))
        at = padded
    if len(raw) - at < 2 * _BLOCK or raw.count(0, at) != len(raw) - at:
        raise Refused("archive-tar", "something stands behind the archive's end, or half of the end is missing")
    return out


def _header(block: bytes) -> tuple[str, int]:
    """The name and size that a header block gives (POSIX.1-1988, ustar)."""
    if _octal(block[148:156]) != sum(block) - sum(block[148:156]) + 8 * 32:
        raise Refused("archive-tar", "a header's checksum is wrong")
    kind = block[156:157]
    if kind not in (b"0", b"\0"):
        what = _KINDS.get(kind, f"an entry of the unknown kind {kind!r}")
        raise Refused("archive-entry", f"it holds {what}: {_text(block[:100])!r:.120}")
    if block[257:265] != b"ustar\x0000":
        raise Refused("archive-tar", "a header is not ustar")
    name, prefix = _text(block[:100]), _text(block[345:500])
    return (f"{prefix}/{name}" if prefix else name), _octal(block[124:136])


def _octal(field: bytes) -> int:
    found = _OCTAL.match(field)
    if found is None:
        raise Refused("archive-tar", f"a header holds {field!r:.60} where a number should be")
    return int(found[1], 8)


def _text(field: bytes) -> str:
    text, _, rest = field.partition(b"\0")
    try:
        if rest.strip(b"\0"):
            raise Refused("archive-name", f"a name has bytes behind its end: {field!r:.120}")
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused("archive-name", f"a name is not UTF-8: {text!r:.120}") from error
