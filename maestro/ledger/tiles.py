"""Where a log's hashes and entries lie, and how they are packed (c2sp.org/tlog-tiles). Pure."""

from __future__ import annotations

from collections.abc import Sequence

from maestro.evidence.errors import BadEvidence
from maestro.ledger.merkle import HASH_SIZE

WIDTH = 256
"""Hashes in a full tile, entries in a full bundle."""
HEIGHT = 8
"""Levels of the tree in a tile: 2**HEIGHT is WIDTH."""


def _number(index: int) -> str:
    path = f"{index % 1000:03}"
    while index >= 1000:
        index //= 1000
        path = f"x{index % 1000:03}/{path}"
    return path


def _partial(width: int) -> str:
    return "" if width == WIDTH else f".p/{width}"


def tile_path(level: int, index: int, width: int = WIDTH) -> str:
    """The path of a tile below the log's own."""
    return f"tile/{level}/{_number(index)}{_partial(width)}"


def bundle_path(index: int, width: int = WIDTH) -> str:
    """The path of a bundle of entries below the log's own."""
    return f"tile/entries/{_number(index)}{_partial(width)}"


def bundle(entries: Sequence[bytes]) -> bytes:
    """Entries one after the other, each after its length in 16 bits."""
    return b"".join(len(entry).to_bytes(2) + entry for entry in entries)


def unbundle(data: bytes, width: int) -> list[bytes]:
    """The ``width`` entries of a bundle.

    Raises:
        BadEvidence: cut short, or there are more or fewer.
    """
    entries = []
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 2])
        entry = data[at + 2 : at + 2 + size]
        if len(entry) != size or len(data) - at < 2:
            raise BadEvidence("the bundle of entries is cut short")
        entries.append(entry)
        at += 2 + size
    if len(entries) != width:
        raise BadEvidence(f"the bundle has {len(entries)} entries, wanted {width}")
    return entries


def hashes(data: bytes, width: int) -> list[bytes]:
    """The ``width`` hashes of a tile.

    Raises:
        BadEvidence: there are more or fewer.
    """
    if len(data) != width * HASH_SIZE:
        raise BadEvidence(f"the tile has {len(data)} bytes, wanted {width * HASH_SIZE}")
    return [data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)]
