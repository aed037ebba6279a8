"""A run that belongs to a release: what `receipts verify --run ID --checkpoint FILE` says, and that it did what it was
to do."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from maestro.commands.files import read_named
from maestro.counting import many
from maestro.ledger.folder import FolderStore
from maestro.ledger.log import Log
from maestro.ledger.log_check import Flaw
from maestro.ledger.note import SIZE_LIMIT
from maestro.provenance.verify import Evidence
from maestro.world import World
from policy.release import reasons
from policy.release.part import Part, refused
from policy.release.verifying import JudgedRun
from runner import log_checking
from runner.governed import Governed
from runner.ledger_check import Objection, RunReport, check_run
from runner.looking import looked_at
from runner.run_folder import KINDS, SUFFIX, run_folder

KIND: Final = "receipts"
_LARGEST: Final = 2 << 30


def judged_run(run_id: str, checkpoint: str, folder: Path, said: Governed, world: World) -> JudgedRun:
    """The verdict on one run, and by what: its segments, which list the receipts' digests, and the checkpoint.

    Args:
        run_id: the run; it lies in the ledger that maestro.yaml names.
        checkpoint: a checkpoint's path below ``folder``, that the ledger's log has to continue.
        folder: the release's.
        said: what the policy revision says of the ledger.
        world: where the ledger is reached from.

    Raises:
        MaestroError: it cannot be judged.
    """
    given = argparse.Namespace(checkpoint=checkpoint, timestamp=None, held_since=None)
    with looked_at(None, said.settings, world, said.root, run_id=run_id) as (_, place):
        log = log_checking.checked(
            given,
            dataclasses.replace(world, cwd=folder),
            Log(FolderStore(place)),
            said.trust,
            authorities=said.settings.timestamp_authorities,
            origin=said.settings.origin,
            run_id=run_id,
        )
        found = run_folder(place, run_id)
        if not found.exists:
            return refused(reasons.RUN_NOT_BELIEVED, KIND, run_id, "there is no such run in the ledger"), ()
        report = check_run(found, said.trust, said.is_closed, log.logged)
        used = [Evidence(f"{run_id}/segments/{number}{SUFFIX}", data) for number, data in found.numbered("segments")]
    objections: Iterable[Objection | Flaw] = (*log.flaws, *report.objections)
    used.append(Evidence(checkpoint, read_named(folder / checkpoint, checkpoint, SIZE_LIMIT)))
    return _part(run_id, report, [f"{one.kind}: {one.message}" for one in objections], log.not_proven), tuple(used)


def _part(run_id: str, report: RunReport, objections: list[str], not_proven: str | None) -> Part:
    if objections or not_proven is not None:
        more = f" (and {many(len(objections) - 1, 'more objection')})" if len(objections) > 1 else ""
        return refused(reasons.RUN_NOT_BELIEVED, KIND, run_id, (objections or [str(not_proven)])[0] + more)
    if report.rehearsals:
        words = f"a rehearsal: {report.rehearsals} of {many(len(report.receipts), 'receipt')}"
        return refused(reasons.RUN_REHEARSED, KIND, run_id, words)
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in report.outcomes.items()) or "no receipt"
    if not report.complete or set(report.outcomes) != {"succeeded"}:
        return refused(reasons.RUN_UNSUCCESSFUL, KIND, run_id, outcomes + ("" if report.complete else "; not complete"))
    commits = tuple(dict.fromkeys(str(said["source"]["commit"]) for said in report.receipts.values()))
    glass = f"; {report.broken_glass} by BREAK-GLASS" if report.broken_glass else ""
    at = ", ".join(commit[:12] for commit in commits)
    return Part(KIND, run_id, None, f"{outcomes} at the commit {at}{glass}", commits=commits)


def files_of_run(run_id: str, said: Governed, world: World) -> dict[str, bytes]:
    """What an auditor wants of a run's folder, by path: sessions, receipts, segments, logs.

    Raises:
        MaestroError: it cannot be read.
    """
    with looked_at(None, said.settings, world, said.root, run_id=run_id) as (_, place):
        run_folder(place, run_id).require_readable()
        folder = run_folder(place, run_id).path
        found = [path for kind in KINDS for path in sorted(folder.glob(f"{kind}/*"))]
        files = [path for path in found if path.is_file() and not path.name.endswith(".tmp")]
        return {path.relative_to(folder).as_posix(): read_named(path, path.name, _LARGEST) for path in files}
