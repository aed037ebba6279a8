"""What lies in the ledger, read whole: records believed by the keys of the tip, runs, inputs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from maestro.evidence.errors import BadEvidence
from maestro.evidence.trust import Trust
from maestro.ledger.store import Store
from policy.kept_inputs import look_through, name_of
from policy.merge_record import PREFIX, MergeRecord, read
from runner.audit.finding import Finding, finding
from runner.audit.judge import Ledger
from runner.ledger_check import check_run
from runner.run_folder import all_runs


def read_ledger(store: Store, runs: Path, trust: Trust, glass_closed: Callable[[str], bool]) -> Ledger:
    """Everything in it.

    Args:
        store: where records and inputs lie.
        runs: the folder in which the runs lie.
        trust: the keys of the default branch's tip.
        glass_closed: whether a merged document closes the break-glass of the run with that id.

    Raises:
        ToolFailure: the ledger cannot be read.
    """
    records: dict[str, MergeRecord] = {}
    not_believed: list[Finding] = []
    for name in store.names(PREFIX):
        found = store.read(name)
        if found is None:
            continue
        try:
            records[name] = read(found.data, trust, name=name)
        except BadEvidence as error:
            not_believed.append(finding("record-not-believed", name, error.message, remedy=error.remedy))
    return Ledger(
        records=records,
        not_believed=tuple(not_believed),
        runs=tuple(check_run(folder, trust, glass_closed) for folder in all_runs(runs)),
        inputs=look_through(store),
        input_of=lambda digest: _input(store, digest),
    )


def _input(store: Store, digest: str) -> Any:  # noqa: ANN401 - JSON
    """The input with a digest, where it is there and can be read; it is looked at for words only."""
    try:
        found = store.read(name_of(digest)) if digest else None
        return None if found is None else json.loads(found.data)
    except (ValueError, RecursionError):
        return None
