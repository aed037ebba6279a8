"""What the ledger's log adds to an audit: what it lists and is not there, and what a checkpoint proves. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from maestro.ledger.log import HEAD
from maestro.ledger.log_check import Flaw
from runner.audit.completeness import NO_CHECKPOINT, Completeness
from runner.audit.finding import Finding, Kind, finding
from runner.log_checking import LogVerdict


def completeness_of(log: LogVerdict) -> Completeness:
    """Whether the checkpoint that was handed in shows that nothing before it is missing."""
    head = log.report.head
    if head is None and log.checked_against is None:
        return NO_CHECKPOINT
    said = log.not_proven
    return Completeness(said is None, said or log.proven_words, None if head is None else head.checkpoint)


def findings_of(log: LogVerdict, records: Iterable[str]) -> Iterator[Finding]:
    """What does not hold of the log, and the believed ``records``, by name, that it does not list.

    Where there is no log none of them is objected to: whoever asks is told that nothing is proven.
    """
    for one in log.flaws:
        yield finding(_kind(one), one.name, one.message)
    if log.logged is None:
        return
    for name in records:
        if name not in log.logged.names:
            yield finding("record-unlogged", name, "the ledger's log does not list it: removing it would not be seen")


def _kind(flaw: Flaw) -> Kind:
    of_the_log = flaw.name.startswith("log/")
    match flaw.kind:
        case "missing" if flaw.name == HEAD:
            return "log-truncated"
        case "truncated":
            return "log-truncated"
        case "missing" if not of_the_log:
            return "record-removed"
        case "changed" if not of_the_log:
            return "record-altered"
        case "forked":
            return "log-forked"
        case "foreign" | "not-believed":
            return "log-not-believed"
        case _:
            return "log-altered"
