"""A step: what a dispatch of a run did next, written into a store elsewhere before or right after it did it. Pure.

Predicate (urn:maestro-conductor:step:v1); the subjects are the session that takes the step, and the files it carries,
by digest::

    {run, number, session: {number, sha256}, made_at, claims: {subject: "0-63,70" or "" where it is no array}, tool}

The steps of a run are numbered without a gap, and each number is taken once (``Store.create``). The first step of a
session carries the session. So of all sessions only the one that took the last step can take the next: whoever was
asleep meanwhile finds the number taken, and knows that it may claim nothing more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from maestro.evidence.errors import BadEvidence
from maestro.evidence.statement import Statement, Subject
from maestro.evidence.trust import Trust
from maestro.evidence.types import STEP
from maestro.evidence.verify import verify_bundle
from runner.execution import Claimed, Execution, execution_id
from runner.run_folder import SUFFIX
from runner.session import TOOL, made_at

MOST_INDICES = 1_000_000
"""In the claims of one step: beyond it somebody means harm."""
_RANGES = re.compile(r"(0|[1-9][0-9]{0,6})(-[1-9][0-9]{0,6})?(,[1-9][0-9]{0,6}(-[1-9][0-9]{0,6})?)*")


@dataclass(frozen=True)
class Step:
    """A step to be signed, or as it was."""

    run_id: str
    number: int
    session: int
    session_sha256: str
    made_at: str
    claims: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    """Those that it carries: name relative to the run's folder → SHA-256, hexadecimal."""

    @property
    def session_file(self) -> str:
        """The name of its session's file."""
        return f"sessions/{self.session}{SUFFIX}"

    def statement(self) -> Statement:
        """What is signed."""
        subjects = {**self.files, self.session_file: self.session_sha256}
        return Statement(
            tuple(Subject(name, {"sha256": sha256}) for name, sha256 in sorted(subjects.items())),
            STEP,
            {
                "run": self.run_id,
                "number": self.number,
                "session": {"number": self.session, "sha256": self.session_sha256},
                "made_at": self.made_at,
                "claims": dict(self.claims),
                "tool": TOOL,
            },
        )

    def claimed(self) -> Iterable[tuple[str, Claimed]]:
        """The ids of the executions that it claims."""
        for subject, text in self.claims.items():
            for index in indices_in(text):
                yield execution_id(self.run_id, subject, index), Claimed(self.session, self.made_at)


def read(data: bytes, trust: Trust, *, run_id: str, number: int) -> Step:
    """A signed step of this run. ``files`` has its session among them: whether it carries that, the archive says.

    Raises:
        BadEvidence: changed, foreign, malformed, or another run's.
    """
    said = verify_bundle(data, trust, predicate_type=STEP, made_at=made_at).statement
    predicate: Mapping[str, Any] = said.predicate
    if predicate.get("run") != run_id or predicate.get("number") != number:
        raise BadEvidence(f"the step is number {predicate.get('number')!r} of the run {predicate.get('run')!r:.110}")
    session, claims = predicate.get("session"), predicate.get("claims")
    if not isinstance(session, dict) or type(session.get("number")) is not int or not isinstance(claims, dict):
        raise BadEvidence("the step is malformed")
    if session["number"] < 1:
        raise BadEvidence("the step is of no session")
    if not all(isinstance(text, str) and (not text or _RANGES.fullmatch(text)) for text in claims.values()):
        raise BadEvidence("the step's claims are malformed")
    files = {subject.name: subject.digest.get("sha256", "") for subject in said.subjects}
    found = Step(
        run_id, number, session["number"], str(session.get("sha256")), str(predicate.get("made_at")), claims, files
    )
    if len(files) != len(said.subjects) or files.get(found.session_file) != found.session_sha256:
        raise BadEvidence("the step names a file twice, or not its session")
    for text in claims.values():
        indices_in(text)
    return found


def claims_of(executions: Iterable[Execution]) -> dict[str, str]:
    """The claims of a step."""
    by_subject: dict[str, list[int]] = {}
    for one in executions:
        indices = by_subject.setdefault(one.task.subject, [])
        if one.index is not None:
            indices.append(one.index)
    return {subject: _ranges(indices) for subject, indices in by_subject.items()}


def _ranges(indices: Sequence[int]) -> str:
    parts: list[list[int]] = []
    for index in sorted(set(indices)):
        if parts and parts[-1][1] == index - 1:
            parts[-1][1] = index
        else:
            parts.append([index, index])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


def indices_in(text: str) -> list[int | None]:
    """The indices that ``text`` names; a single None where it is empty, for what is no array.

    Raises:
        BadEvidence: too many, or not in order.
    """
    if not text:
        return [None]
    found: list[int | None] = []
    after = -1
    for part in text.split(","):
        first, _, last = part.partition("-")
        start, end = int(first), int(last or first)
        if start <= after or end < start or len(found) + end - start > MOST_INDICES:
            raise BadEvidence("the step's claims are malformed")
        found += range(start, end + 1)
        after = end
    return found


@dataclass(frozen=True)
class Taken:
    """What all steps of a run say together."""

    sessions: Mapping[int, str] = field(default_factory=dict)
    """SHA-256 of each session's file, by its number."""
    claims: Mapping[str, tuple[Claimed, ...]] = field(default_factory=dict)
    """By execution, each session that claimed it, in order."""
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def last_session(self) -> int:
        """0 where there is none."""
        return max(self.sessions, default=0)


def taken(steps: Sequence[Step]) -> Taken:
    """Fold the steps of a run.

    Raises:
        BadEvidence: one is missing, or a session takes a step after a later one has begun.
    """
    sessions: dict[int, str] = {}
    claims: dict[str, dict[int, Claimed]] = {}
    files: dict[str, str] = {}
    for expected, step in enumerate(steps, 1):
        if step.number != expected:
            raise BadEvidence(f"step {expected} of the run {step.run_id} is missing")
        if step.session < max(sessions, default=0) or sessions.get(step.session, step.session_sha256) != (
            step.session_sha256
        ):
            raise BadEvidence(f"step {step.number} is of a session that another one had followed")
        sessions[step.session] = step.session_sha256
        files.update(step.files)
        for execution, claim in step.claimed():
            claims.setdefault(execution, {}).setdefault(claim.session, claim)
    return Taken(sessions, {one: tuple(found.values()) for one, found in claims.items()}, files)
