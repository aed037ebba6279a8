"""The head of a log: its checkpoint, with all of the tree that no full tile holds yet.

One file, moved by compare-and-swap, so that there is no instant at which a checkpoint speaks of what is not there::

    {"schema": "maestro-conductor/log/v1", "checkpoint": the signed note,
     "tail": [entry, …]            the entries behind the last full bundle, up to 256 and those of one more append
     "tiles": [base64, …]}         for each level from 1 on the hashes behind its last full tile
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass

from maestro.canonical_json import dumps
from maestro.errors import ToolFailure
from maestro.evidence.errors import BadEvidence
from maestro.evidence.signer import Signer
from maestro.evidence.strict_json import loads
from maestro.ledger import checkpoint, tiles
from maestro.ledger.checkpoint import Checkpoint
from maestro.ledger.merkle import HASH_SIZE, Edge, leaf_hash, root

SCHEMA = "maestro-conductor/log/v1"


@dataclass(frozen=True)
class Head:
    """A log's state. ``tiles[n]`` are the hashes of level n + 1 behind its last full tile."""

    checkpoint: Checkpoint
    tail: tuple[bytes, ...]
    tiles: tuple[tuple[bytes, ...], ...]

    @property
    def size(self) -> int:
        """How many entries the log has."""
        return self.checkpoint.size

    @property
    def bundled(self) -> int:
        """How many of them lie in full bundles."""
        return self.size - len(self.tail)

    def to_bytes(self) -> bytes:
        """As it is kept."""
        return dumps(
            {
                "schema": SCHEMA,
                "checkpoint": self.checkpoint.to_bytes().decode(),
                "tail": [entry.decode() for entry in self.tail],
                "tiles": [base64.b64encode(b"".join(level)).decode() for level in self.tiles],
            }
        )

    def full_tiles(self) -> Iterator[tuple[str, bytes]]:
        """The full bundle and the tiles that the tail has filled: path and content. They follow from what is committed.

        Those of the first full bundle only; none where the tail has none.
        """
        first = self.tail[: tiles.WIDTH]
        if len(first) < tiles.WIDTH:
            return
        index = self.bundled // tiles.WIDTH
        yield tiles.bundle_path(index), tiles.bundle(first)
        level, hashes = 0, tuple(map(leaf_hash, first))
        while len(hashes) == tiles.WIDTH:
            yield tiles.tile_path(level, index), b"".join(hashes)
            before = self.tiles[level] if level < len(self.tiles) else ()
            level, index, hashes = level + 1, index // tiles.WIDTH, (*before, root(hashes))

    def without_full_tiles(self) -> Head:
        """The head when these are written: the same log."""
        if len(self.tail) < tiles.WIDTH:
            return self
        levels = [list(level) for level in self.tiles]
        carried = root(map(leaf_hash, self.tail[: tiles.WIDTH]))
        for level in levels:
            level.append(carried)
            if len(level) < tiles.WIDTH:
                break
            carried = root(level)
            level.clear()
        else:
            levels.append([carried])
        return Head(self.checkpoint, self.tail[tiles.WIDTH :], tuple(map(tuple, levels)))


def computed_root(tail: tuple[bytes, ...], levels: tuple[tuple[bytes, ...], ...]) -> bytes:
    """The root of a log with this right edge."""
    edge = Edge()
    for number in range(len(levels), 0, -1):
        for hashed in levels[number - 1]:
            edge.push(hashed, tiles.HEIGHT * number)
    for entry in tail:
        edge.push(leaf_hash(entry))
    return edge.root()


def grown(head: Head | None, origin: str, entries: tuple[bytes, ...], signer: Signer) -> Head:
    """The head with ``entries`` appended, signed. None is the log that is not there yet."""
    tail = (head.tail if head else ()) + entries
    levels = head.tiles if head else ()
    size = (head.size if head else 0) + len(entries)
    return Head(checkpoint.signed(origin, size, computed_root(tail, levels), signer), tail, levels)


def parse(data: bytes) -> Head:
    """The head in ``data``; the root was computed again, the signature not looked at.

    Raises:
        ToolFailure: written by a newer version.
        BadEvidence: malformed, or the checkpoint is not of this tail and these tiles.
    """
    value = loads(data, what="the log's head")
    schema = value.get("schema")
    if schema != SCHEMA and isinstance(schema, str) and schema.startswith("maestro-conductor/log/"):
        raise ToolFailure(
            f"the ledger's log is {schema!r:.60}; this version knows {SCHEMA}", remedy="upgrade maestro-conductor"
        )
    said, tail, packed = value.get("checkpoint"), value.get("tail"), value.get("tiles")
    if (
        schema != SCHEMA
        or set(value) != {"schema", "checkpoint", "tail", "tiles"}
        or not isinstance(said, str)
        or not isinstance(tail, list)
        or not isinstance(packed, list)
        or not all(isinstance(one, str) for one in (*tail, *packed))
    ):
        raise BadEvidence("the log's head is malformed")
    try:
        levels = tuple(_level(one) for one in packed)
    except (binascii.Error, ValueError) as error:
        raise BadEvidence(f"the log's head holds hashes that are not base64: {error}") from error
    found = Head(checkpoint.parse(said.encode()), tuple(entry.encode() for entry in tail), levels)
    if found.bundled < 0 or found.bundled % tiles.WIDTH or not _right_edge(found):
        raise BadEvidence(
            f"the log's head does not hold what a log of {found.size} entries leaves behind its full tiles"
        )
    if computed_root(found.tail, found.tiles) != found.checkpoint.root:
        raise BadEvidence("the log's head is not what its checkpoint was signed over: it was changed after signing")
    return found


def _level(text: str) -> tuple[bytes, ...]:
    raw = base64.b64decode(text, validate=True)
    return tuple(tiles.hashes(raw, len(raw) // HASH_SIZE))


def _right_edge(head: Head) -> bool:
    """Whether each level holds as many hashes as a log of that size leaves behind its full tiles."""
    count = head.bundled // tiles.WIDTH
    for level in head.tiles:
        if len(level) != count % tiles.WIDTH:
            return False
        count //= tiles.WIDTH
    return count == 0
