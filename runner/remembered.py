"""What the ledger remembers of decisions: of merges and of executions, as far as it is believed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from maestro.config import Ledger
from maestro.evidence.errors import BadEvidence
from maestro.evidence.trust import Trust
from maestro.world import World
from policy.recorded_decision import RecordedDecision
from runner.audit.reading import read_records
from runner.looking import looked_at
from runner.recorded import decisions_of
from runner.run_folder import all_runs
from runner.session import read


@dataclass(frozen=True)
class Remembered:
    """Decisions in the order of the files that hold them, and how many files are not believed and so do not count."""

    decisions: tuple[RecordedDecision, ...]
    not_believed: int


def remembered(ledger: Ledger, trust: Trust, world: World, root: Path) -> Remembered:
    """Every decision in the ledger that maestro.yaml names. Whether git bears them out is for `policy audit` to say.

    Args:
        ledger: where it is.
        trust: the keys of the policy revision.
        world: where it is reached from.
        root: the repository, which a relative place is in.

    Raises:
        ToolFailure: the ledger cannot be read.
    """
    with looked_at(None, ledger, world, root) as (_, folder):
        records, objected = read_records(folder, trust, None)
        found = [one for record in records.values() for one in record.decisions]
        not_believed = len(objected)
        for run in all_runs(folder):
            not_believed += run.unreadable is not None
            for number, data in run.numbered("sessions"):
                try:
                    found += decisions_of(read(data, trust, run.run_id, number))
                except BadEvidence:
                    not_believed += 1
    return Remembered(tuple(found), not_believed)
