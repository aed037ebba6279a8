"""A ledger that is kept elsewhere, copied into a folder for as long as it is looked at.

A run that cannot be read is an empty folder that says so (``RunFolder.unreadable``), and the others are there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from maestro.errors import ToolFailure
from maestro.ledger.store import Reader, Store
from runner.kept_runs import fetch, kept_runs

_AT_ONCE = 8
_NOT_COPIED = ("inputs/", "runs/")
"""What may be personal is read only by whoever asks for it; runs come out of their archives and steps."""


@contextmanager
def mirrored(store: Store, run_id: str | None) -> Iterator[Path]:
    """The ledger as a folder; of runs only ``run_id`` where it is given.

    Raises:
        ToolFailure: the store cannot be read, or the disk not written.
    """
    with tempfile.TemporaryDirectory(prefix="maestro-ledger-", ignore_cleanup_errors=True) as folder:
        target = Path(folder)
        there = store.now()
        runs = kept_runs(there, run_id).values()
        others = [name for name in there.names("") if not name.startswith(_NOT_COPIED)]
        there.prefetch([*others, *(name for run in runs for name in run.files)])
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            try:
                list(pool.map(lambda name: _copy(there, name, target), others))
                list(pool.map(lambda run: fetch(there, run, target), runs))
            except OSError as error:
                raise ToolFailure(f"the ledger cannot be copied: {error.strerror}", where=folder) from error
        yield target


def _copy(store: Reader, name: str, target: Path) -> None:
    found = store.read(name)
    if found is not None:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes(found.data)
