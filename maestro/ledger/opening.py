"""From an address to the store. What a cloud needs is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from maestro.ledger.address import Address
from maestro.ledger.folder import FolderStore
from maestro.ledger.store import Store


def open_store(address: Address, root: Path, environ: Mapping[str, str]) -> Store:
    """The store at an address; a folder's path is relative to ``root``.

    Credentials are found as the cloud's own tools find them, those of git by its helpers and agents.

    Raises:
        ToolFailure: it cannot be opened. Nothing is asked of the network yet.
    """
    if address.kind == "s3":
        from maestro.ledger.s3 import s3_store

        return s3_store(address.place, address.prefix)
    if address.kind == "gs":
        from maestro.ledger.gcs import gcs_store

        return gcs_store(address.place, address.prefix)
    if address.kind == "git":
        from maestro.ledger.git_reference import GitStore

        return GitStore(address.place, address.protocol, environ)
    return FolderStore(root / address.place)
