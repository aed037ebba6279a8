"""The runs of a ledger one by one, wherever it is kept, each with a stamp that says whether it has changed."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from maestro.errors import ToolFailure
from maestro.ledger.store import Store
from runner.kept_runs import fetch, kept_runs
from runner.run_folder import RunFolder, all_runs, run_folder

_YOUNG_NANOSECONDS = 2_000_000_000
"""A folder changed so lately may change again without its time telling: file systems count in coarse ticks."""


class Runs(Protocol):
    """What can be looked through."""

    def stamps(self) -> Mapping[str, str | None]:
        """Of each run its state, None where it may be changing.

        Raises:
            ToolFailure: the ledger cannot be read.
        """

    def prefetch(self, run_ids: Iterable[str]) -> None:
        """Say that these will be opened: see ``Reader.prefetch``.

        Raises:
            ToolFailure: the ledger cannot be read.
        """

    def opened(self, run_id: str) -> AbstractContextManager[RunFolder]:
        """A run's folder, for as long as it is looked at."""


class FolderRuns:
    """Of a ledger in a folder: a run has changed when a file came or went."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def stamps(self) -> Mapping[str, str | None]:
        """See ``Runs``."""
        return {run.run_id: self._stamp(run) for run in all_runs(self._folder)}

    def prefetch(self, run_ids: Iterable[str]) -> None:
        """See ``Runs``: they are here."""

    def _stamp(self, run: RunFolder) -> str | None:
        now, times = time.time_ns(), []
        for kind in ("receipts", "segments"):
            try:
                times.append((run.path / kind).stat().st_mtime_ns)
            except FileNotFoundError:
                times.append(0)
            except OSError as error:
                raise ToolFailure(f"the ledger cannot be read: {error.strerror}", where=str(run.path)) from error
        return None if max(times) > now - _YOUNG_NANOSECONDS else "/".join(map(str, times))

    @contextmanager
    def opened(self, run_id: str) -> Iterator[RunFolder]:
        """See ``Runs``."""
        yield run_folder(self._folder, run_id)


class StoreRuns:
    """Of a ledger elsewhere: a run's newest archive or step, which is written once, is its state."""

    def __init__(self, store: Store) -> None:
        self._there = store.now()
        self._runs = kept_runs(self._there)

    def stamps(self) -> Mapping[str, str | None]:
        """See ``Runs``."""
        return {run_id: kept.stamp for run_id, kept in self._runs.items()}

    def prefetch(self, run_ids: Iterable[str]) -> None:
        """See ``Runs``."""
        self._there.prefetch(name for run_id in run_ids for name in self._runs[run_id].files)

    @contextmanager
    def opened(self, run_id: str) -> Iterator[RunFolder]:
        """See ``Runs``."""
        with tempfile.TemporaryDirectory(prefix="maestro-run-", ignore_cleanup_errors=True) as folder:
            kept = self._runs.get(run_id)
            yield run_folder(Path(folder), run_id) if kept is None else fetch(self._there, kept, Path(folder))
