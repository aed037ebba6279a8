"""Finding receipts: the index says where to look, and what is found is judged from the ledger itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from maestro.errors import MaestroError
from maestro.evidence.errors import BadEvidence
from runner.ledger_check import RunReport
from runner.receipt_index import ReceiptIndex
from runner.receipt_row import Key, Row, Wanted, row_in, row_of
from runner.run_folder import RunFolder
from runner.runs_of import Runs

Check = Callable[[RunFolder, frozenset[str]], RunReport]
"""Judges some executions of a run."""


@dataclass(frozen=True)
class Found:
    """A receipt that was found.

    Args:
        key: its place in the listing.
        run: the run's id.
        row: what it says, where it is believed; None where it is not.
        said: its predicate then.
        objections: what does not hold of it.
        where: ``ledger``, or the archive's file.
    """

    key: Key
    run: str
    row: Row | None
    said: Mapping[str, Any] | None
    objections: tuple[str, ...]
    where: str


def catch_up(index: ReceiptIndex, runs: Runs) -> dict[str, str]:
    """Have in the index what is in the ledger, reading only the runs that have changed since.

    Returns:
        By id of a run that cannot be read, why; it is tried again the next time.

    Raises:
        ToolFailure: the ledger cannot be read.
    """
    known, now = index.stamps(), runs.stamps()
    for run_id in known.keys() - now.keys():
        index.forget(run_id)
    changed = {run_id: stamp for run_id, stamp in now.items() if stamp is None or known.get(run_id) != stamp}
    runs.prefetch(changed)
    read = {run_id: _read(index, runs, run_id, stamp) for run_id, stamp in changed.items()}
    return {run_id: why for run_id, why in read.items() if why is not None}


def _read(index: ReceiptIndex, runs: Runs, run_id: str, stamp: str | None) -> str | None:
    rows, unread = [], 0
    with runs.opened(run_id) as folder:
        if folder.unreadable is not None:
            index.put(run_id, None, [])
            return folder.unreadable
        for execution in folder.receipts():
            try:
                rows.append(row_in(folder.receipt(execution) or b"", run_id, execution))
            except BadEvidence:
                unread += 1
    index.put(run_id, stamp, rows, unread)
    return None


def find(
    index: ReceiptIndex, runs: Runs, wanted: Wanted, after: Key | None, limit: int, check: Check
) -> tuple[list[Found], dict[str, str]]:
    """The first receipts that are asked for and come after a place, in order, each judged from the ledger.

    Beside them stands which runs cannot be read, and why: what is asked for may be in them.

    Raises:
        ToolFailure: the ledger cannot be read.
    """
    unreadable = catch_up(index, runs)
    found, lied = _judged(index.find(wanted, after, limit), runs, check)
    if lied:
        index.clear()
        unreadable = catch_up(index, runs)
        found, _ = _judged(index.find(wanted, after, limit), runs, check)
    return found, unreadable


def _judged(rows: list[Row], runs: Runs, check: Check) -> tuple[list[Found], bool]:
    """What the ledger says of rows of the index, and whether the index said something else."""
    of_run: dict[str, list[Row]] = {}
    for row in rows:
        of_run.setdefault(row.run, []).append(row)
    judged: dict[str, Found] = {}
    lied = False
    for run_id, some in of_run.items():
        try:
            with runs.opened(run_id) as folder:
                folder.require_readable()
                report = check(folder, frozenset(row.id for row in some))
                lied = lied or any(_row_of_file(folder, row.id) != row for row in some)
        except MaestroError as error:
            judged.update({row.id: Found(row.key, run_id, None, None, (error.message,), "ledger") for row in some})
            lied = lied or run_id not in runs.stamps()
            continue
        for row in some:
            judged[row.id] = _found(row, report)
    return [judged[row.id] for row in rows], lied


def _row_of_file(folder: RunFolder, execution: str) -> Row | None:
    try:
        return row_in(folder.receipt(execution) or b"", folder.run_id, execution)
    except BadEvidence:
        return None


def _found(row: Row, report: RunReport) -> Found:
    said = report.receipts.get(row.id)
    objections = [f"{one.kind}: {one.message}" for one in report.objections if row.id in one.file]
    if said is None:
        return Found(row.key, row.run, None, None, tuple(objections) or ("it is not believed",), "ledger")
    true = row_of(said, row.run, row.id)
    if true != row:
        objections.append("the index says something else than the receipt")
        return Found(row.key, row.run, None, None, tuple(objections), "ledger")
    return Found(row.key, row.run, true, said, tuple(objections), "ledger")
