"""What ``receipts verify`` says of the ledger's log, with or without a checkpoint from elsewhere."""

from __future__ import annotations

import argparse
import datetime as dt
from base64 import b64encode
from dataclasses import dataclass
from typing import Any

from maestro.counting import many
from maestro.errors import UsageError
from maestro.evidence.errors import BadEvidence
from maestro.evidence.trust import Trust
from maestro.ledger.checkpoint import Checkpoint
from maestro.ledger.checkpoint import parse as parse_checkpoint
from maestro.ledger.log_check import Flaw, LogReport, check_log
from maestro.report.visible_text import visible
from maestro.world import World
from runner.commands.receipts.opened import OpenLedger
from runner.commands.receipts.words import SHOWN
from runner.ledger_check import NOT_PROVEN, Logged


def _known(arguments: argparse.Namespace, world: World, ledger: OpenLedger) -> tuple[Checkpoint | None, Trust]:
    """The checkpoint from elsewhere, and the keys with the time at which it existed for sure."""
    if arguments.checkpoint is None:
        return None, ledger.trust
    data = _file(world, arguments.checkpoint)
    try:
        known = parse_checkpoint(data)
    except BadEvidence as error:
        remedy = "`maestro receipts checkpoint FILE` writes one"
        raise BadEvidence(f"no checkpoint: {error.message}", where=arguments.checkpoint, remedy=remedy) from error
    proven = None
    if arguments.timestamp is not None:
        from maestro.ledger.timestamp import time_of

        proven = time_of(_file(world, arguments.timestamp), data, ledger.authorities)
    elif arguments.held_since is not None:
        proven = _time(arguments.held_since)
        if proven > world.now():
            raise UsageError(f"--held-since is yet to come: {arguments.held_since}")
    return known, ledger.trust.since(proven)


def _file(world: World, name: str) -> bytes:
    try:
        return (world.cwd / name).read_bytes()
    except OSError as error:
        raise UsageError(f"the file cannot be read: {error.strerror}", where=name) from error


def _time(text: str) -> dt.datetime:
    try:
        said = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"--held-since {text!r:.60} is no time", remedy="write it like 2026-01-31 or 2026-01-31T12:00:00Z"
        ) from error
    return said if said.tzinfo else said.replace(tzinfo=dt.UTC)


@dataclass(frozen=True)
class LogVerdict:
    """What holds of the log, and what is proven by it."""

    report: LogReport
    flaws: tuple[Flaw, ...]
    logged: Logged | None
    checked_against: str | None
    proven: dt.datetime | None

    @property
    def not_proven(self) -> str | None:
        """What nobody can say, for people; None where a checkpoint says it."""
        if self.checked_against is None:
            return NOT_PROVEN
        if self.flaws or self.report.head is None:
            return f"not proven: that this ledger continues the checkpoint in {visible(self.checked_against)}"
        return None

    @property
    def proven_words(self) -> str:
        """What the checkpoint says, for people."""
        head, covered, file = self.report.head, self.report.covered, visible(str(self.checked_against))
        later = head.size - covered if head is not None else 0
        when = f", which existed at {self.proven.isoformat()}," if self.proven is not None else ""
        return (
            f"proven: nothing of the {many(covered, 'segment')} in {file}{when} is missing,"
            f" changed or in another order; {many(later, 'segment')} came since, and later ones may have been cut off"
        )


def log_verdict(arguments: argparse.Namespace, world: World, ledger: OpenLedger) -> LogVerdict:
    """The log, checked against the checkpoint that was given."""
    known, trust = _known(arguments, world, ledger)
    report = check_log(ledger.log, trust, known, ledger.origin)
    flaws = tuple(
        one
        for one in report.flaws
        if arguments.run is None or not one.name.startswith("runs/") or one.name.startswith(f"runs/{arguments.run}/")
    )
    logged = None
    if report.head is not None:
        covered = report.entries[: report.covered] if trust.proven is not None else []
        proven = {one.sha256: trust.proven for one in covered if trust.proven is not None}
        logged = Logged(frozenset(one.name for one in report.entries), proven)
    return LogVerdict(report, flaws, logged, arguments.checkpoint, trust.proven)


def log_json(log: LogVerdict) -> dict[str, Any] | None:
    """The verdict as JSON; None where there is no log."""
    head = log.report.head
    flaws = [{"kind": one.kind, "file": one.name, "message": one.message} for one in log.flaws]
    if head is None:
        return {"objections": flaws} if flaws else None
    said = head.checkpoint
    root = b64encode(said.root).decode()
    return {"origin": said.origin, "size": said.size, "root": root, "covered": log.report.covered, "objections": flaws}


def tell_log(world: World, log: LogVerdict) -> None:
    """The verdict for people."""
    head = log.report.head
    if head is None and not log.flaws:
        return
    said = "the log" if head is None else f"{visible(head.checkpoint.origin)}: size {head.size}"
    root = "" if head is None else f", root {b64encode(head.checkpoint.root).decode()}"
    world.stdout.write(f"{'FAILS' if log.flaws else 'HOLDS'}  {said}{root}\n")
    for one in log.flaws[:SHOWN]:
        world.stdout.write(f"       {one.kind}: {visible(one.name)}: {visible(one.message)}\n")
    if len(log.flaws) > SHOWN:
        world.stdout.write(f"       … and {len(log.flaws) - SHOWN} more\n")
