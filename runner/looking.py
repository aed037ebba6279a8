"""A ledger to look at, wherever it is kept: the store itself, and its runs in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from maestro.config import Ledger
from maestro.errors import UsageError
from maestro.ledger import address
from maestro.ledger.opening import open_store
from maestro.ledger.store import Store
from maestro.world import World
from runner.runs_of import FolderRuns, Runs, StoreRuns


@contextmanager
def looked_at(
    place: str | None, ledger: Ledger, world: World, root: Path, *, run_id: str | None = None
) -> Iterator[tuple[Store, Path]]:
    """The ledger at ``place`` (as on the command line), or the one that maestro.yaml names, for as long as this lasts.

    One that is kept elsewhere is copied, of its runs only ``run_id`` where it is given.

    Raises:
        UsageError: the place is none.
        ToolFailure: it cannot be read.
    """
    store, there = _opened(place, ledger, world, root)
    if there is not None:
        yield store, there
        return
    from runner.mirror import mirrored

    with mirrored(store, run_id) as folder:
        yield store, folder


def _opened(place: str | None, ledger: Ledger, world: World, root: Path) -> tuple[Store, Path | None]:
    """The store, and its folder where it is one."""
    base = world.cwd if place else root
    try:
        where = address.parse(place) if place else ledger.address
    except ValueError as error:
        raise UsageError(f"--store {error}", where=place) from error
    store = open_store(where, base, world.environ)
    return store, base / where.place if where.kind == "folder" else None


def runs_of(place: str | None, ledger: Ledger, world: World, root: Path) -> tuple[str, Runs]:
    """The same ledger run by run, without copying all of it, and what it is called.

    Raises:
        UsageError, ToolFailure: as ``looked_at``.
    """
    store, folder = _opened(place, ledger, world, root)
    return (store.address, StoreRuns(store)) if folder is None else (str(folder.resolve()), FolderRuns(folder))
