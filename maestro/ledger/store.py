"""What the ledger needs of a place that keeps files: to read, to create at most once, to replace what one has read.

A folder, a git reference, S3 and GCS are stores; each passes one contract suite (``tests/maestro/ledger/contract.py``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

_NAME = re.compile(r"[A-Za-z0-9_@=+-][A-Za-z0-9._@=+-]*(/[A-Za-z0-9_@=+-][A-Za-z0-9._@=+-]*)*")
_NAME_LIMIT = 700
_PART_LIMIT = 200


@dataclass(frozen=True)
class Stored:
    """A file as it was read. ``version`` names exactly these bytes to ``Store.replace``; it means nothing elsewhere."""

    data: bytes
    version: str


class Reader(Protocol):
    """Files by name, to be read. Methods raise what those of ``Store`` do."""

    @property
    def address(self) -> str:
        """What people call it: a path or an address, for messages."""

    def read(self, name: str) -> Stored | None:
        """The file, None where there is none."""

    def names(self, prefix: str) -> Iterator[str]:
        """The names that begin with ``prefix``, in the order of their code points."""

    def prefetch(self, names: Iterable[str]) -> None:
        """Say that these, as far as they are there, will be read: where each read is a long way, they come at once."""


class Store(Reader, Protocol):
    """Files by name, each read whole or not at all; see ``checked`` for what a name may be. What has another name, as
    anybody may put it into a bucket, is passed over.

    What was written is on the disk, or where the service keeps it, when a method returns. Every method raises
    ``maestro.errors.ToolFailure`` where the store cannot be reached or refuses, and ValueError for a bad name. A write
    that was answered by nothing has perhaps happened: the implementation reads again and says what holds, so that
    True means "these bytes stand there because of this call" and False "somebody else was first". Where two write the
    same bytes and the answer to one is lost, both may hear True: who claims something writes what only they can write.
    """

    @property
    def erases(self) -> bool:
        """Whether ``erase`` forgets. Nothing that may be personal goes where it does not."""

    def create(self, name: str, data: bytes) -> bool:
        """Write a file that is not there yet. False where it is; of several writers exactly one is told True."""

    def replace(self, name: str, data: bytes, version: str) -> bool:
        """Write in the place of what was read as ``version``. False where something else, or nothing, stands there."""

    def now(self) -> Reader:
        """All of it as it is now, or later: for whoever reads much. Where each read is a long way, this is one."""

    def erase(self, name: str) -> None:
        """Forget a file that evidence cites by digest only; nothing happens where it is gone already."""


def checked(name: str) -> str:
    """``name``, where it is one that every store can keep.

    Parts of letters, digits and ``._@=+-``, none beginning with a dot, with ``/`` between. No name may be the folder of
    another.

    Raises:
        ValueError: it is not.
    """
    if len(name) > _NAME_LIMIT or not _NAME.fullmatch(name) or max(map(len, name.split("/"))) > _PART_LIMIT:
        raise ValueError(f"no name of a file in a store: {name!r:.120}")
    return name


def is_name(name: str) -> bool:
    """Whether ``checked`` takes it."""
    try:
        return bool(checked(name))
    except ValueError:
        return False
