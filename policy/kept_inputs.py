"""The inputs of decisions, kept apart from the evidence that cites them: ``inputs/<sha256>.json``.

Evidence holds only their digests, so an input can be erased and nothing that was signed breaks. The bytes are the
canonical JSON that the digest is over. A manifest's secrets are references in it, never values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from maestro.canonical_json import digest_of_bytes
from maestro.ledger.store import Reader, Store

PREFIX = "inputs/"
_NAME = re.compile(r"inputs/([0-9a-f]{64})\.json")


def name_of(digest: str) -> str:
    """Where the input with this digest (``sha256:…``) lies."""
    return f"{PREFIX}{digest.removeprefix('sha256:')}.json"


def keep(store: Store, inputs: Iterable[bytes]) -> None:
    """Write these inputs (canonical JSON), each once; none where they could never be erased.

    Raises:
        ToolFailure: the store cannot be written.
    """
    if not store.erases:
        return
    for data in dict.fromkeys(inputs):
        store.create(name_of(digest_of_bytes(data)), data)


@dataclass(frozen=True)
class KeptInputs:
    """What lies there: the digests of those that are as they were, and the names of those that are not."""

    intact: frozenset[str]
    altered: tuple[str, ...]


def look_through(store: Reader) -> KeptInputs:
    """Read every input that is kept, and compare it with its own name.

    Raises:
        ToolFailure: the store cannot be read.
    """
    intact, altered = set(), []
    names = list(store.names(PREFIX))
    store.prefetch(names)
    for name in names:
        found = store.read(name)
        if found is None:  # erased meanwhile
            continue
        digest = digest_of_bytes(found.data)
        if _NAME.fullmatch(name) and name == name_of(digest):
            intact.add(digest)
        else:
            altered.append(name)
    return KeptInputs(frozenset(intact), tuple(altered))
