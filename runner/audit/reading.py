"""What lies in the ledger, read whole: records believed by the keys of the tip, runs, inputs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from maestro.evidence.errors import BadEvidence
from maestro.evidence.trust import Trust
from maestro.ledger.folder import FolderStore
from maestro.ledger.store import Reader, Store
from policy.kept_inputs import look_through, name_of
from policy.merge_record import PREFIX, MergeRecord, read
from runner.audit.finding import Finding, finding
from runner.audit.judge import Ledger
from runner.audit.logged import findings_of
from runner.ledger_check import Logged, check_run
from runner.log_checking import LogVerdict
from runner.run_folder import all_runs


def read_records(folder: Path, trust: Trust, logged: Logged | None) -> tuple[dict[str, MergeRecord], list[Finding]]:
    """The records of merges that are believed, by name, and why others are not.

    Args:
        folder: the ledger, or a copy of it.
        trust: the keys that are believed.
        logged: what the ledger's log says: what is proven to be old may be signed by a key revoked since.

    Raises:
        ToolFailure: the ledger cannot be read.
    """
    store = FolderStore(folder)
    proven = logged.proven if logged is not None else {}
    records: dict[str, MergeRecord] = {}
    not_believed: list[Finding] = []
    for name in store.names(PREFIX):
        found = store.read(name)
        if found is None:
            continue
        when = proven.get(hashlib.sha256(found.data).hexdigest()) if proven else None
        try:
            records[name] = read(found.data, trust.since(when), name=name)
        except BadEvidence as error:
            not_believed.append(finding("record-not-believed", name, error.message, remedy=error.remedy))
    return records, not_believed


def read_ledger(
    store: Store, folder: Path, trust: Trust, glass_closed: Callable[[str], bool], log: LogVerdict
) -> Ledger:
    """Everything in it.

    Args:
        store: where inputs lie.
        folder: the ledger, or a copy of it without its inputs.
        trust: the keys of the default branch's tip.
        glass_closed: whether a merged document closes the break-glass of the run with that id.
        log: what was found out about its log.

    Raises:
        ToolFailure: the ledger cannot be read.
    """
    records, not_believed = read_records(folder, trust, log.logged)
    there = store.now()
    return Ledger(
        records=records,
        objections=(*not_believed, *findings_of(log, records)),
        runs=tuple(check_run(run, trust, glass_closed, log.logged) for run in all_runs(folder)),
        inputs=look_through(there),
        input_of=lambda digest: _input(there, digest),
    )


def _input(store: Reader, digest: str) -> Any:  # noqa: ANN401 - JSON
    """The input with a digest, where it is there and can be read; it is looked at for words only."""
    try:
        found = store.read(name_of(digest)) if digest else None
        return None if found is None else json.loads(found.data)
    except (ValueError, RecursionError):
        return None
