"""What the ledger needs of a place that keeps files: to read, to create at most once, to replace what one has read.

A folder, a git reference, S3 and GCS are stores; each passes one contract suite.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Stored:
    """A file as it was read. ``version`` names exactly these bytes to ``Store.replace``; it means nothing elsewhere."""

    data: bytes
    version: str


class Store(Protocol):
    """Files by name (relative, ``/`` between parts, no ``.`` or ``..``), each read whole or not at all.

    Every method raises ``maestro.errors.ToolFailure`` where the store cannot be reached or refuses. One that answered
    nothing to a write has perhaps written: the implementation reads again and says what holds.
    """

    def read(self, name: str) -> Stored | None:
        """The file, None where there is none."""

    def create(self, name: str, data: bytes) -> bool:
        """Write a file that is not there yet. False where it is; of several writers exactly one is told True."""

    def replace(self, name: str, data: bytes, version: str) -> bool:
        """Write in the place of what was read as ``version``. False where something else stands there by now."""

    def names(self, prefix: str) -> Iterator[str]:
        """The names that begin with ``prefix``, sorted."""

    def erase(self, name: str) -> None:
        """Forget a file that evidence cites by digest only; nothing happens where it is gone already."""
