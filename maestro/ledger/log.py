"""An append-only log over a store: a Merkle tree of entries, its head moved by compare-and-swap.

::

    <store>/log/head                      see head.py
    <store>/log/tile/<level>/<n>          full tiles of hashes, as c2sp.org/tlog-tiles lays them out
    <store>/log/tile/entries/<n>          full bundles of entries

Tiles are written only from what a head has committed already, so whoever writes one writes the same bytes: a writer
that dies or loses leaves nothing behind that another would have to clean up. An append is one read and one write, and
every 256th writes a bundle and a tile besides (rarely another level).
"""

from __future__ import annotations

import datetime as dt
import random
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from secrets import token_hex

from maestro.errors import ToolFailure
from maestro.evidence.errors import BadEvidence
from maestro.evidence.signer import Signer
from maestro.evidence.trust import Trust
from maestro.ledger import checkpoint, entry, merkle, tiles
from maestro.ledger import head as heads
from maestro.ledger.checkpoint import Checkpoint
from maestro.ledger.entry import Entry
from maestro.ledger.head import Head
from maestro.ledger.merkle import leaf_hash, split
from maestro.ledger.store import Store

HEAD = "log/head"
CLOCK_SKEW = dt.timedelta(days=1)
"""How far the clocks of those who append may differ before one that was cut short could enter something twice."""
PATIENCE = 120.0
"""Seconds for which others may be faster before an append gives up."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 2.0


@dataclass
class Log:
    """The log in a store.

    Args:
        store: where it lies.
        sleep, clock: for waiting between attempts, in seconds.
    """

    store: Store
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    _own: Head | None = None
    _bundles: dict[int, tuple[bytes, ...]] = field(default_factory=dict)
    _tiles: dict[tuple[int, int], list[bytes]] = field(default_factory=dict)

    def head(self) -> Head | None:
        """The head; None where there is no log yet. Its root is that of what it holds; who signed it is not looked at.

        Raises:
            BadEvidence: malformed or changed.
            ToolFailure: the store cannot be read, or a newer version wrote it.
        """
        found = self.store.read(HEAD)
        return None if found is None else heads.parse(found.data)

    def append(
        self, new: Sequence[Entry], signer: Signer, trust: Trust, *, since: dt.datetime, origin: str | None = None
    ) -> Head:
        """Enter what is not in the log yet; others may append at the same time.

        Args:
            new: what to enter, in this order. What has the identity of one entered after ``since`` is there already.
            signer: signs the checkpoint.
            trust: whoever signed the head must be listed, else nothing is built upon it.
            since: nothing of ``new`` was entered before this time (an earlier attempt for one that was cut short).
            origin: the name of a log that has to be started; made up where it is None.

        Raises:
            BadEvidence: the log's head or an entry behind it is changed, or signed by nobody who is listed.
            ToolFailure: the store cannot be reached or written, or others were faster for ``PATIENCE`` seconds.
        """
        waiting_until = self.clock() + PATIENCE
        pause = _FIRST_PAUSE
        looked_at: int | None = None
        left = list({one.identity: one for one in new}.values())
        while True:
            found = self.store.read(HEAD)
            head = None if found is None else self._believed(found.data, trust)
            if head is not None:
                present = self._present(head, looked_at, since)
                left = [one for one in left if one.identity not in present]
                looked_at = head.size
                if not left:
                    return head
            took, moved = self._move(head, found.version if found else None, left, signer, origin)
            if took:
                self._own = moved
                left = left[tiles.WIDTH :]
                looked_at = moved.size
                pause = _FIRST_PAUSE
                if not left:
                    return moved
                continue
            if self.clock() > waiting_until:
                raise ToolFailure(
                    f"others were faster for {PATIENCE:.0f} seconds: the ledger's log did not take an entry",
                    where=self.store.address,
                    remedy="nothing is lost: the same command again enters it",
                )
            self.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - spreads writers, hides nothing
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _believed(self, data: bytes, trust: Trust) -> Head:
        """The head, when somebody listed has signed it: the one we wrote last need not be judged again."""
        if self._own is not None and self._own.to_bytes() == data:
            return self._own
        head = heads.parse(data)
        checkpoint.signer_of(head.checkpoint, trust)
        return head

    def _move(
        self, head: Head | None, version: str | None, left: Sequence[Entry], signer: Signer, origin: str | None
    ) -> tuple[bool, Head]:
        """Try to put the next head in the place of this one."""
        while head is not None and len(head.tail) >= tiles.WIDTH:
            for path, data in head.full_tiles():
                self._settle(f"log/{path}", data)
            head = head.without_full_tiles()
        name = head.checkpoint.origin if head else origin or f"maestro-ledger-{token_hex(8)}"
        grown = heads.grown(head, name, tuple(one.to_bytes() for one in left[: tiles.WIDTH]), signer)
        data = grown.to_bytes()
        if version is None:
            return self.store.create(HEAD, data), grown
        return self.store.replace(HEAD, data, version), grown

    def _settle(self, name: str, data: bytes) -> None:
        """Have a tile written, by us or by whoever was faster."""
        if self.store.create(name, data):
            return
        found = self.store.read(name)
        if found is None or found.data != data:
            raise BadEvidence(
                "a file of the ledger's log is not what the log has committed",
                where=f"{self.store.address}: {name}",
                remedy="see who wrote it, then move it away: the next append writes it anew from the head",
            )

    def _present(self, head: Head, start: int | None, since: dt.datetime) -> set[tuple[bytes, bytes]]:
        """The identities of what was entered from ``start`` on, or after ``since`` where ``start`` is None."""
        found: set[tuple[bytes, bytes]] = set()
        oldest = since - CLOCK_SKEW
        end = head.size
        for part in self._backwards(head):
            if start is not None and start >= end:
                break
            found.update(map(entry.identity_of, part))
            end -= len(part)
            if start is None and part and entry.parse(part[-1]).entered < oldest:
                break  # not before: a clock that was set back may have dated all of the tail so
        return found

    def _backwards(self, head: Head) -> Iterator[tuple[bytes, ...]]:
        """The tail and the bundles, the last first."""
        yield head.tail
        for index in range(head.bundled // tiles.WIDTH - 1, -1, -1):
            yield self.bundle(index)

    def bundle(self, index: int) -> tuple[bytes, ...]:
        """The entries of a full bundle.

        Raises:
            BadEvidence: missing or malformed.
        """
        if index not in self._bundles:
            path = tiles.bundle_path(index)
            self._bundles[index] = tuple(tiles.unbundle(self._read(path), tiles.WIDTH))
        return self._bundles[index]

    def tile(self, level: int, index: int) -> list[bytes]:
        """The hashes of a full tile.

        Raises:
            BadEvidence: missing or malformed.
        """
        if (level, index) not in self._tiles:
            self._tiles[level, index] = tiles.hashes(self._read(tiles.tile_path(level, index)), tiles.WIDTH)
        return self._tiles[level, index]

    def _read(self, path: str) -> bytes:
        found = self.store.read(f"log/{path}")
        if found is None:
            raise BadEvidence(f"the ledger's log lacks {path}", where=self.store.address)
        return found.data

    def entries(self, head: Head) -> Iterator[bytes]:
        """All entries, from the first on.

        Raises:
            BadEvidence: a bundle is missing or malformed.
        """
        for index in range(head.bundled // tiles.WIDTH):
            yield from self.bundle(index)
        yield from head.tail

    def subtree(self, head: Head) -> merkle.Subtree:
        """The hashes over spans of the log, from its tiles: what proofs are made of."""

        def stored(level: int, number: int) -> bytes:
            """The hash of the ``number``-th span of 256**level leaves."""
            full = (head.bundled >> (tiles.HEIGHT * (level + 1))) * tiles.WIDTH
            if number < full:
                return self.tile(level, number // tiles.WIDTH)[number % tiles.WIDTH]
            if level == 0:
                return leaf_hash(head.tail[number - head.bundled])
            return head.tiles[level - 1][number - full]

        def over(start: int, end: int) -> bytes:
            size = end - start
            level = (size.bit_length() - 1) // tiles.HEIGHT
            held = size == 1 << (tiles.HEIGHT * level) and end <= head.bundled
            if size == 1 or held:
                return stored(level, start >> (tiles.HEIGHT * level))
            middle = start + split(size)
            return merkle.node_hash(over(start, middle), over(middle, end))

        return over

    def inclusion_proof(self, head: Head, index: int) -> list[bytes]:
        """That the entry at ``index`` is in the log of this head.

        Raises:
            ValueError: there is none.
            BadEvidence: a tile is missing or malformed.
        """
        return merkle.inclusion_proof(index, head.size, self.subtree(head))

    def consistency_proof(self, head: Head, old: int) -> list[bytes]:
        """That the log of this head only grew since it had ``old`` entries.

        Raises:
            ValueError: it never had.
            BadEvidence: a tile is missing or malformed.
        """
        return merkle.consistency_proof(old, head.size, self.subtree(head))

    def root_at(self, head: Head, size: int) -> bytes:
        """The root that the log had with ``size`` entries, from its tiles.

        Raises:
            BadEvidence: a tile is missing or malformed.
        """
        return self.subtree(head)(0, size) if size else merkle.EMPTY_ROOT


def proof_text(leaf: bytes, index: int, proof: Sequence[bytes], of: Checkpoint) -> str:
    """An inclusion proof with its checkpoint, as others read it (c2sp.org/tlog-proof); the leaf is its extra data."""
    lines = "".join(b64encode(one).decode() + "\n" for one in proof)
    extra = b64encode(leaf).decode()
    return f"c2sp.org/tlog-proof@v1\nextra {extra}\nindex {index}\n{lines}\n{of.to_bytes().decode()}"


def published(log: Log, head: Head) -> Iterator[tuple[str, bytes]]:
    """The log as static files that other tools read (c2sp.org/tlog-tiles): path and content, partial tiles and all.

    Raises:
        BadEvidence: a tile or bundle is missing or malformed.
    """
    entries = list(log.entries(head))
    level, hashes = 0, list(map(leaf_hash, entries))
    while hashes:
        for start in range(0, len(hashes), tiles.WIDTH):
            part = hashes[start : start + tiles.WIDTH]
            yield tiles.tile_path(level, start // tiles.WIDTH, len(part)), b"".join(part)
            if level == 0:
                path = tiles.bundle_path(start // tiles.WIDTH, len(part))
                yield path, tiles.bundle(entries[start : start + tiles.WIDTH])
        full = len(hashes) // tiles.WIDTH * tiles.WIDTH
        hashes = [merkle.root(hashes[at : at + tiles.WIDTH]) for at in range(0, full, tiles.WIDTH)]
        level += 1
    yield "checkpoint", head.checkpoint.to_bytes()
