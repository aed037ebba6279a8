"""Entering a run's closed segments into the ledger's log, and keeping the run itself where the ledger is.

A segment entered cannot be taken away unseen any more: the checkpoint that is printed says so to whoever keeps it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from maestro.evidence.errors import BadEvidence
from maestro.evidence.signer import Signer
from maestro.evidence.trust import Trust
from maestro.evidence.verify import instant
from maestro.ledger.entry import Entry
from maestro.ledger.head import Head
from maestro.ledger.log import Log
from maestro.ledger.store import Store
from runner import archive, segment
from runner.run_folder import SUFFIX, RunFolder
from runner.signing_time import signing_time

KIND = "segment"


def entry_name(run_id: str, number: int) -> str:
    """The name under which the log knows a segment: where it lies in the ledger's folder."""
    return f"runs/{run_id}/segments/{number}{SUFFIX}"


def append_segments(
    folder: RunFolder,
    store: Store,
    *,
    elsewhere: bool,
    signer: Signer,
    trust: Trust,
    now: Callable[[], dt.datetime],
    origin: str | None,
) -> Head | None:
    """Enter the run's segments that are not in the log yet; None where it has none.

    Args:
        folder: the run.
        store: the ledger.
        elsewhere: the ledger is not the folder that the run lies in, so the run is copied there first.
        signer, trust: as the run has them.
        now: the wall clock.
        origin: the log's name, where maestro.yaml gives one.

    Raises:
        BadEvidence: a segment or the log is not believed.
        ToolFailure: the store cannot be reached or written, or the key does not count now; the same call again
            completes it.
    """
    entries, oldest = [], now()
    for number, data in folder.numbered("segments"):
        said = segment.read(data, trust, run_id=folder.run_id, number=number)
        made = instant(said.made_at, "the segment's made_at")
        oldest = min(oldest, made)
        at = signing_time(now(), signer, trust).astimezone(dt.UTC).isoformat(timespec="microseconds")
        entries.append(Entry(KIND, entry_name(folder.run_id, number), segment.sha256(data), at))
    if not entries:
        return None
    if elsewhere:
        _keep(folder, store, len(entries))
    return Log(store).append(entries, signer, trust, since=oldest, origin=origin)


def _keep(folder: RunFolder, store: Store, number: int) -> None:
    """Have the run as of its ``number``-th segment in the store."""
    for name, data in archive.pieces(folder, number):
        if not store.create(name, data):
            found = store.read(name)
            if found is None or not archive.same(name, found.data, data):
                raise BadEvidence(
                    "the ledger holds another run under this id",
                    where=f"{store.address}: {name}",
                    remedy="two machines worked on one run: see both before either is believed",
                )
