"""Judging a log: is it what was signed, does it continue a checkpoint known from elsewhere, is what it names there?"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from maestro.evidence.errors import BadEvidence
from maestro.evidence.trust import Trust
from maestro.ledger import checkpoint, entry, merkle, tiles
from maestro.ledger.checkpoint import Checkpoint
from maestro.ledger.entry import Entry
from maestro.ledger.head import Head
from maestro.ledger.log import HEAD, Log

Kind = Literal["changed", "missing", "reordered", "forked", "truncated", "foreign", "extra", "not-believed"]


@dataclass(frozen=True)
class Flaw:
    """Something that does not hold. ``name`` is that of the file in the store."""

    kind: Kind
    name: str
    message: str


@dataclass
class LogReport:
    """What was found. ``covered`` entries, from the first on, are those of the checkpoint known from elsewhere."""

    head: Head | None = None
    entries: list[Entry] = field(default_factory=list)
    flaws: list[Flaw] = field(default_factory=list)
    covered: int = 0


def check_log(log: Log, trust: Trust, known: Checkpoint | None, origin: str | None) -> LogReport:
    """Everything that can be said about a log.

    Args:
        log: it.
        trust: the keys of the policy revision; ``proven`` is when ``known`` existed for sure.
        known: a checkpoint from elsewhere, read and not yet believed.
        origin: the name the log must have; None for any.

    Raises:
        ToolFailure: the store cannot be read, or a newer version wrote the log.
    """
    return _Check(log, trust, known, origin, LogReport()).report()


@dataclass
class _Check:
    log: Log
    trust: Trust
    known: Checkpoint | None
    origin: str | None
    out: LogReport
    hashes: list[bytes] = field(default_factory=list)

    def report(self) -> LogReport:
        self._believe_known()
        try:
            self.out.head = self.log.head()
        except BadEvidence as error:
            self._flaw("changed", HEAD, error.message)
            return self.out
        if self.out.head is None:
            if self.known is not None:
                self._flaw("missing", HEAD, f"there is no log here; the checkpoint is of {self.known.size} entries")
            return self.out
        head = self.out.head
        sound = self._read(head)
        self._believe(head)
        self._extra(head)
        if self.known is not None:
            self._continues(head, self.known, sound=sound)
        self._named()
        return self.out

    def _flaw(self, kind: Kind, name: str, message: str) -> None:
        self.out.flaws.append(Flaw(kind, name, message))

    def _believe_known(self) -> None:
        if self.known is None:
            return
        try:
            key = checkpoint.signer_of(self.known, self.trust)
        except BadEvidence as error:
            self._flaw("foreign", "the checkpoint from elsewhere", error.message)
            self.known = None
            return
        if key.revoked_at is not None and (self.trust.proven is None or self.trust.proven >= key.revoked_at):
            self._flaw(
                "not-believed",
                "the checkpoint from elsewhere",
                f"its key {key.id!r} is revoked, and nothing proves that the checkpoint is older",
            )
            self.known = None

    def _believe(self, head: Head) -> None:
        """The head's signer, valid when the last entry was made."""
        said = head.checkpoint
        if self.origin is not None and said.origin != self.origin:
            self._flaw("foreign", HEAD, f"the log calls itself {said.origin!r}, maestro.yaml {self.origin!r}")
        try:
            key = checkpoint.signer_of(said, self.trust)
        except BadEvidence as error:
            self._flaw("foreign", HEAD, error.message)
            return
        proven = self.trust.proven if self.known is not None and self.known.root == said.root else None
        if self.out.entries:
            objection = key.objection(self.out.entries[-1].entered, proven)
            if objection is not None:
                self._flaw("not-believed", HEAD, objection)

    def _read(self, head: Head) -> bool:
        """Read all entries; whether they are those that the head was signed over."""
        before = len(self.out.flaws)
        roots = [self._bundle(index) for index in range(head.bundled // tiles.WIDTH)]
        for data in head.tail:
            self._entry(data, HEAD)
        if len(self.out.flaws) == before:
            self._upper_tiles(head, roots)
        if len(self.out.flaws) == before and merkle.root(self.hashes) != head.checkpoint.root:
            self._flaw("changed", "log/tile/entries", "the entries and their hashes are not those that were signed")
        return len(self.out.flaws) == before

    def _bundle(self, index: int) -> bytes:
        path, tile_path = f"log/{tiles.bundle_path(index)}", f"log/{tiles.tile_path(0, index)}"
        found = self.log.store.read(path)
        try:
            entries = tiles.unbundle(found.data, tiles.WIDTH) if found is not None else None
        except BadEvidence as error:
            self._flaw("changed", path, error.message)
            return b""
        if entries is None:
            self._flaw("missing", path, "the log lacks it")
            return b""
        hashes = list(map(merkle.leaf_hash, entries))
        tile = self.log.store.read(tile_path)
        if tile is None:
            self._flaw("missing", tile_path, "the log lacks it")
        elif tile.data != b"".join(hashes):
            try:
                expected = tiles.hashes(tile.data, tiles.WIDTH)
            except BadEvidence as error:
                self._flaw("changed", tile_path, error.message)
            else:
                self._differ(index, hashes, expected, path)
        for data in entries:
            self._entry(data, path)
        return merkle.root(hashes)

    def _differ(self, index: int, hashes: list[bytes], expected: list[bytes], path: str) -> None:
        places = [at for at, (one, other) in enumerate(zip(hashes, expected, strict=True)) if one != other]
        where = ", ".join(str(index * tiles.WIDTH + at) for at in places[:5]) + (" …" if len(places) > 5 else "")
        if sorted(hashes) == sorted(expected):
            self._flaw("reordered", path, f"the entries {where} stand in another order than they were entered in")
        else:
            self._flaw("changed", path, f"the entries {where} are not those that were entered")

    def _entry(self, data: bytes, path: str) -> None:
        self.hashes.append(merkle.leaf_hash(data))
        try:
            found = entry.parse(data)
            found.entered  # noqa: B018 - that it is a time
        except BadEvidence as error:
            self._flaw("changed", path, error.message)
        else:
            self.out.entries.append(found)

    def _upper_tiles(self, head: Head, roots: list[bytes]) -> None:
        """Each level above the first, against what it is made of."""
        level = 1
        while roots:
            above = []
            for index in range(len(roots) // tiles.WIDTH):
                path = f"log/{tiles.tile_path(level, index)}"
                expected = roots[index * tiles.WIDTH : (index + 1) * tiles.WIDTH]
                tile = self.log.store.read(path)
                if tile is None:
                    self._flaw("missing", path, "the log lacks it")
                elif tile.data != b"".join(expected):
                    self._flaw("changed", path, "its hashes are not those of the level below")
                above.append(merkle.root(expected))
            rest = tuple(roots[len(above) * tiles.WIDTH :])
            if head.tiles[level - 1] != rest:
                self._flaw("changed", HEAD, f"its hashes of level {level} are not those of the level below")
            roots, level = above, level + 1

    def _extra(self, head: Head) -> None:
        """Whatever lies among the log's files and is none of them."""
        wanted = set(self._paths(head))
        for name in self.log.store.names("log/"):
            if name not in wanted:
                self._flaw("extra", name, "it is no file of this log")

    def _paths(self, head: Head) -> Iterator[str]:
        yield HEAD
        count = head.bundled // tiles.WIDTH
        yield from (f"log/{tiles.bundle_path(index)}" for index in range(count))
        level = 0
        while count:
            yield from (f"log/{tiles.tile_path(level, index)}" for index in range(count))
            count, level = count // tiles.WIDTH, level + 1
        while True:  # those that an append has written already which did not come to its end
            following = dict(head.full_tiles())
            if not following:
                return
            yield from (f"log/{path}" for path, data in following.items() if self._holds(f"log/{path}", data))
            head = head.without_full_tiles()

    def _holds(self, name: str, data: bytes) -> bool:
        found = self.log.store.read(name)
        return found is not None and found.data == data

    def _continues(self, head: Head, known: Checkpoint, *, sound: bool) -> None:
        if known.origin != head.checkpoint.origin:
            self._flaw("foreign", HEAD, f"the checkpoint is of {known.origin!r}, this is {head.checkpoint.origin!r}")
        elif known.size > head.size:
            self._flaw(
                "truncated", HEAD, f"the log has {head.size} entries, the checkpoint known from elsewhere {known.size}"
            )
        elif not sound:
            return
        elif merkle.root(self.hashes[: known.size]) != known.root:
            self._flaw(
                "forked",
                HEAD,
                f"its first {known.size} entries are not those of the checkpoint known from elsewhere: "
                "somebody with the key has signed two histories",
            )
        else:
            self.out.covered = known.size
            self._in_time()

    def _in_time(self) -> None:
        proven, entries = self.trust.proven, self.out.entries[: self.out.covered]
        if proven is None or not entries:
            return
        late = [one for one in entries if one.entered > proven + dt.timedelta(minutes=10)]
        if late:
            self._flaw(
                "not-believed",
                "the checkpoint from elsewhere",
                f"it is said to be of {proven.isoformat()}, but {len(late)} of its entries are later, "
                f"up to {max(one.entered for one in late).isoformat()}",
            )
            self.out.covered = 0

    def _named(self) -> None:
        """What the entries name, against the store."""
        digests: dict[str, str] = {}
        for one in self.out.entries:
            if digests.setdefault(one.name, one.sha256) != one.sha256:
                self._flaw("forked", one.name, "it was entered twice, with different digests")
                continue
            try:
                found = self.log.store.read(one.name)
            except ValueError:
                self._flaw("changed", one.name[:200], "no store can hold a file of that name")
                continue
            if found is None:
                self._flaw("missing", one.name, f"the log lists it (entered {one.made_at}), and it is not there")
            elif hashlib.sha256(found.data).hexdigest() != one.sha256:
                self._flaw("changed", one.name, "it is not the file that the log lists")
