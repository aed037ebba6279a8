"""What a command asks of the ledger's log: is it what was signed, does it continue a checkpoint kept elsewhere?"""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from maestro.commands.files import read_named
from maestro.errors import SelectionError, UsageError
from maestro.evidence.errors import BadEvidence
from maestro.evidence.trust import Trust
from maestro.ledger.checkpoint import Checkpoint, parse
from maestro.ledger.log import Log
from maestro.ledger.log_check import Flaw, LogReport, check_log
from maestro.ledger.note import SIZE_LIMIT
from maestro.report.visible_text import visible
from maestro.world import World
from runner.ledger_check import NOT_PROVEN, Logged


def add_arguments(parser: argparse.ArgumentParser, *, of: str = "") -> None:
    """Declare the options; ``of`` goes before their help, where only one action has them."""
    parser.add_argument(
        "--checkpoint", metavar="FILE", help=f"{of}one kept elsewhere, that the ledger's log must continue"
    )
    parser.add_argument("--timestamp", metavar="FILE", help=f"{of}an RFC 3161 response about the checkpoint")
    parser.add_argument(
        "--held-since", metavar="TIME", help=f"{of}since when you have held the checkpoint, by your own word"
    )


def refuse_nonsense(arguments: argparse.Namespace) -> None:
    """Asked before anything is read.

    Raises:
        UsageError: options that exclude each other, or speak of a checkpoint that is not given.
    """
    times = arguments.timestamp is not None or arguments.held_since is not None
    if times and arguments.checkpoint is None:
        raise UsageError("--timestamp and --held-since speak of a checkpoint", remedy="give it with --checkpoint FILE")
    if arguments.timestamp is not None and arguments.held_since is not None:
        raise UsageError("--timestamp and --held-since exclude each other", remedy="the timestamp says more: give that")


@dataclass(frozen=True)
class LogVerdict:
    """What holds of the log, and what is proven by it.

    Args:
        report: what was found in it.
        flaws: what does not hold, as far as it was asked for.
        logged: what it lists; None where there is no log.
        checked_against: the file with the checkpoint, as the user wrote it; None where none was given.
        proven: when that checkpoint existed for sure.
    """

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
            f"proven: nothing of the {_entries(covered)} in {file}{when} is missing,"
            f" changed or in another order; {_entries(later)} came since, and later ones may have been cut off"
        )


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count:,} entries"


def checked(
    arguments: argparse.Namespace,
    world: World,
    log: Log,
    trust: Trust,
    *,
    authorities: Sequence[str],
    origin: str | None,
    run_id: str | None = None,
) -> LogVerdict:
    """What holds of ``log``, by the checkpoint that the options name.

    Args:
        arguments: as ``add_arguments`` declares them.
        world: where their files lie.
        log: it.
        trust: the keys of the default branch.
        authorities: root certificates (PEM) of those whose timestamps count.
        origin: the name that the log must have; None for any.
        run_id: objections to other runs are left out.

    Raises:
        UsageError: a file that cannot be read, a time that is none.
        BadEvidence: the file is no checkpoint, or the timestamp is not about it.
        ToolFailure: the log cannot be read.
    """
    known, trust = _known(arguments, world, trust, authorities)
    report = check_log(log, trust, known, origin)
    flaws = tuple(
        one
        for one in report.flaws
        if run_id is None or not one.name.startswith("runs/") or one.name.startswith(f"runs/{run_id}/")
    )
    logged = None
    if report.head is not None:
        covered = report.entries[: report.covered] if trust.proven is not None else []
        proven = {one.sha256: trust.proven for one in covered if trust.proven is not None}
        logged = Logged(frozenset(one.name for one in report.entries), proven)
    return LogVerdict(report, flaws, logged, arguments.checkpoint, trust.proven)


def _known(
    arguments: argparse.Namespace, world: World, trust: Trust, authorities: Sequence[str]
) -> tuple[Checkpoint | None, Trust]:
    """The checkpoint from elsewhere, and the keys with the time at which it existed for sure."""
    if arguments.checkpoint is None:
        return None, trust
    data = _file(world, arguments.checkpoint)
    try:
        known = parse(data)
    except BadEvidence as error:
        remedy = "`maestro receipts checkpoint FILE` writes one"
        raise BadEvidence(f"no checkpoint: {error.message}", where=arguments.checkpoint, remedy=remedy) from error
    proven = None
    if arguments.timestamp is not None:
        from maestro.ledger.timestamp import time_of

        proven = time_of(_file(world, arguments.timestamp), data, authorities)
    elif arguments.held_since is not None:
        proven = _time(arguments.held_since)
        if proven > world.now():
            raise UsageError(f"--held-since is yet to come: {arguments.held_since}")
    return known, trust.since(proven)


def _file(world: World, name: str) -> bytes:
    try:
        return read_named(world.cwd / name, name, SIZE_LIMIT)
    except SelectionError as error:
        raise UsageError(f"the file {error.message}", where=name) from error


def _time(text: str) -> dt.datetime:
    try:
        said = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"--held-since {text!r:.60} is no time", remedy="write it like 2026-01-31 or 2026-01-31T12:00:00Z"
        ) from error
    return said if said.tzinfo else said.replace(tzinfo=dt.UTC)
