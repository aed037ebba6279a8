"""What a log holds: that a record of this name and digest existed when it was entered. One line of canonical JSON."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from maestro.canonical_json import dumps
from maestro.evidence.errors import BadEvidence
from maestro.evidence.strict_json import loads
from maestro.evidence.verify import instant

SIZE_LIMIT = (1 << 16) - 1
"""Bytes: a bundle gives the length in 16 bits (c2sp.org/tlog-tiles)."""
_KIND = re.compile(r"[a-z][a-z0-9-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Entry:
    """A record: what kind, under which name the store has it, its SHA-256 in hexadecimal, when it was entered."""

    kind: str
    name: str
    sha256: str
    made_at: str

    @property
    def identity(self) -> tuple[bytes, bytes]:
        """What must not be entered twice: the same kind, name and digest."""
        return identity_of(self.to_bytes())

    @property
    def entered(self) -> dt.datetime:
        """``made_at``, by the clock of whoever entered it.

        Raises:
            BadEvidence: no time.
        """
        return instant(self.made_at, "the entry's made_at")

    def to_bytes(self) -> bytes:
        """The leaf.

        Raises:
            ValueError: too long, or no such kind or digest.
        """
        data = dumps({"kind": self.kind, "name": self.name, "sha256": self.sha256, "made_at": self.made_at})
        if len(data) > SIZE_LIMIT or not _KIND.fullmatch(self.kind) or not _SHA256.fullmatch(self.sha256):
            raise ValueError(f"no entry of a log: {data!r:.200}")
        return data


def identity_of(leaf: bytes) -> tuple[bytes, bytes]:
    """An entry's identity, from the leaf: the canonical form without its ``made_at``. A thousand of them take 1 ms."""
    kind, _, rest = leaf.partition(b',"made_at":"')
    return kind, rest.partition(b'","name":')[2]


def parse(data: bytes) -> Entry:
    """The entry in a leaf.

    Raises:
        BadEvidence: not one, or not written as we write it.
    """
    value = loads(data, what="the log's entry")
    if set(value) != {"kind", "name", "sha256", "made_at"} or not all(isinstance(one, str) for one in value.values()):
        raise BadEvidence(
            "the log's entry is not one that this version knows", remedy="a newer maestro has written it: upgrade"
        )
    found = Entry(value["kind"], value["name"], value["sha256"], value["made_at"])
    try:
        same = found.to_bytes() == data
    except ValueError as error:
        raise BadEvidence(f"the log's entry is malformed: {error}") from error
    if not same:
        raise BadEvidence("the log's entry is not canonical JSON")
    return found
