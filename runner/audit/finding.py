"""What an audit can find: a stable name, what it means, what to do. ``docs/audit.md`` has a section for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

Kind = Literal[
    "unchecked-merge",
    "record-missing",
    "record-not-believed",
    "record-incomplete",
    "record-contradicts-git",
    "decision-without-pack",
    "pack-not-on-default-branch",
    "execution-without-decision",
    "execution-not-merged",
    "run-altered",
    "run-unclosed",
    "run-unreadable",
    "input-altered",
    "record-removed",
    "record-altered",
    "record-unlogged",
    "log-altered",
    "log-truncated",
    "log-forked",
    "log-not-believed",
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

REMEDIES: Final[dict[Kind, str]] = {
    "unchecked-merge": "repair what blocks, or revert it, in a pull request; then answer for it in a reviewed change",
    "record-missing": "restore the ledger; where the job on push did not run, record the merge now",
    "record-not-believed": "restore the file, or find out who wrote it; a key is believed only as the default branch "
    "lists it",
    "record-incomplete": "restore the missing part from where the ledger is kept",
    "record-contradicts-git": "restore the default branch, or find out who signed a record about something else",
    "decision-without-pack": "find out what judged: no pack of that name and content is at that commit",
    "pack-not-on-default-branch": "find out what judged: only policy that is merged decides",
    "execution-without-decision": "find out who started it; restore the session where it is only lost",
    "execution-not-merged": "find out who started it: only what is merged may run",
    "run-altered": "restore the run from where the ledger is kept",
    "run-unclosed": "complete it: `maestro run --resume RUN-ID`; restore its last segment where it was closed",
    "run-unreadable": "make the file readable for whoever audits, and audit again",
    "input-altered": "erase it (`inputs/…` may go missing, it may not change), or restore it",
    "record-removed": "restore it from where the ledger is kept, and find out who removed it",
    "record-altered": "restore the file that was entered, and find out who changed it",
    "record-unlogged": "enter it: `maestro check --record` of that merge again, or `maestro run --resume RUN-ID`",
    "log-altered": "restore the log's files from where the ledger is kept, and find out who changed them",
    "log-truncated": "restore the ledger: this is an older state of it, or another place",
    "log-forked": "find out who has the key, and revoke it: both histories are signed",
    "log-not-believed": "name the checkpoint of this ledger; list the key that signs through a reviewed change",
}


@dataclass(frozen=True, order=True)
class Finding:
    """Something that does not hold. ``place`` is a file of the ledger or a commit; ``subject`` is what it is about."""

    kind: Kind
    place: str
    message: str
    remedy: str
    subject: str


def finding(kind: Kind, place: str, message: str, *, subject: str = "", remedy: str | None = None) -> Finding:
    """A finding with the advice of its kind, or better one."""
    return Finding(kind, place, message, remedy or REMEDIES[kind], subject or place)
