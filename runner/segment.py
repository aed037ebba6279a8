"""A segment: what one run left behind, closed and signed, so that nothing can be added, changed or taken unseen.

Predicate (urn:maestro-conductor:segment:v1); the subjects are the sessions and receipts, by digest of their files::

    {run, number, made_at, previous: digest or null, complete, receipts, outcomes: {outcome: count}, denied: [subject],
     missing: count, rehearsal, tool}

A run that was cut short is closed as incomplete; resuming it closes another one that names the one before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from maestro.evidence.errors import BadEvidence
from maestro.evidence.statement import Statement, Subject
from maestro.evidence.trust import Trust
from maestro.evidence.types import SEGMENT
from maestro.evidence.verify import verify_bundle
from runner.session import TOOL, made_at


@dataclass(frozen=True)
class Segment:
    """A segment to be signed, or as it was."""

    run_id: str
    number: int
    made_at: str
    previous: str | None
    files: Mapping[str, str]
    """Name relative to the run's folder → SHA-256, hexadecimal."""
    outcomes: Mapping[str, int]
    denied: tuple[str, ...]
    missing: int
    rehearsal: bool

    @property
    def complete(self) -> bool:
        """Whether every execution that was allowed has its receipt."""
        return self.missing == 0

    def statement(self) -> Statement:
        """What is signed."""
        return Statement(
            tuple(Subject(name, {"sha256": sha256}) for name, sha256 in sorted(self.files.items())),
            SEGMENT,
            {
                "run": self.run_id,
                "number": self.number,
                "made_at": self.made_at,
                "previous": self.previous,
                "complete": self.complete,
                "receipts": sum(self.outcomes.values()),
                "outcomes": dict(self.outcomes),
                "denied": list(self.denied),
                "missing": self.missing,
                "rehearsal": self.rehearsal,
                "tool": TOOL,
            },
        )


def sha256(data: bytes) -> str:
    """Hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def count(outcomes: Iterable[str]) -> dict[str, int]:
    """How often each occurs, in alphabetical order."""
    counts: dict[str, int] = {}
    for outcome in sorted(outcomes):
        counts[outcome] = counts.get(outcome, 0) + 1
    return counts


def read(data: bytes, trust: Trust, *, run_id: str, number: int) -> Segment:
    """A signed segment of this run.

    Raises:
        BadEvidence: changed, foreign, malformed, or another run's.
    """
    said = verify_bundle(data, trust, predicate_type=SEGMENT, made_at=made_at).statement
    predicate: Mapping[str, Any] = said.predicate
    if predicate.get("run") != run_id or predicate.get("number") != number:
        raise BadEvidence(f"the segment is number {predicate.get('number')!r} of the run {predicate.get('run')!r:.110}")
    outcomes, denied, missing = predicate.get("outcomes"), predicate.get("denied"), predicate.get("missing")
    if not isinstance(outcomes, dict) or not isinstance(denied, list) or type(missing) is not int or missing < 0:
        raise BadEvidence("the segment's counts are malformed")
    if not all(type(number) is int for number in outcomes.values()):
        raise BadEvidence("the segment's counts are malformed")
    files = {subject.name: subject.digest.get("sha256", "") for subject in said.subjects}
    if len(files) != len(said.subjects):
        raise BadEvidence("the segment names a file twice")
    return Segment(
        run_id=run_id,
        number=number,
        made_at=str(predicate.get("made_at")),
        previous=predicate.get("previous"),
        files=files,
        outcomes=outcomes,
        denied=tuple(map(str, denied)),
        missing=missing,
        rehearsal=predicate.get("rehearsal") is True,
    )
