"""What is executed and what became of it. Plain values that every driver and every receipt speaks in."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from maestro.canonical_json import dumps

Outcome = Literal["succeeded", "failed", "timed_out", "not_started", "cancelled", "unknown"]
"""``failed``: a non-zero exit code or a signal of its own. ``not_started``: there was nothing that could be started.
``unknown``: it may have run, and nobody can know how it ended."""


@dataclass(frozen=True, slots=True)
class Task:
    """What all executions of one manifest share.

    Args:
        subject: ``Manifest/name``.
        command: program and arguments; None where the manifest has only an image.
        secrets: variable name → reference (``env:NAME``); values are never in here.
        timeout_seconds: for each attempt.
        attempts: how often it may be tried in all; 1 unless idempotent.
        idempotent: whether running it again does no harm.
        tenant: whose it is; tenants are treated alike.
        class_: ``warm`` is started before ``batch``, and where it is a Python program, kept ready.
        pool: the pool it is placed in, whose size bounds it.
    """

    subject: str
    command: tuple[str, ...] | None
    image: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    timeout_seconds: float = 3600.0
    attempts: int = 1
    idempotent: bool = False
    tenant: str = ""
    class_: str = "batch"
    pool: str | None = None


@dataclass(frozen=True, slots=True)
class Execution:
    """One run of one manifest: of one index, where it is an array."""

    id: str
    task: Task
    index: int | None = None


def execution_id(run_id: str, subject: str, index: int | None) -> str:
    """32 hexadecimal digits made of run, manifest and index: whoever resumes a run arrives at the same one.

    They are the first of the digest of ``["execution", run_id, subject, index]``.
    """
    number = b"null" if index is None else b"%d" % index
    return hashlib.sha256(b"%b,%b]" % (_named(run_id, subject), number)).hexdigest()[:32]


@lru_cache(maxsize=16)
def _named(run_id: str, subject: str) -> bytes:
    """What the canonical JSON of ``["execution", run_id, subject, index]`` begins with: ten thousand have it alike."""
    return dumps(["execution", run_id, subject]).removesuffix(b"]")


def executions_of(run_id: str, task: Task, size: int | None) -> tuple[Execution, ...]:
    """The executions of a manifest: one, or ``size`` of them where it is an array."""
    if size is None:
        return (Execution(execution_id(run_id, task.subject, None), task),)
    return tuple(Execution(execution_id(run_id, task.subject, index), task, index) for index in range(size))


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claim on an execution by a session that worked elsewhere, of which nothing more is known."""

    session: int
    at: str
    """RFC 3339."""


@dataclass(frozen=True, slots=True)
class Log:
    """A log that no living process can write to any more."""

    name: str
    """Relative to the folder of the run."""
    sha256: str
    size: int
    dropped: int = 0
    """Bytes cut out of the middle because the log grew beyond its limit (at least so many)."""

    def to_json(self) -> dict[str, Any]:
        """As a receipt writes it."""
        return {"name": self.name, "sha256": self.sha256, "bytes": self.size, "dropped_bytes": self.dropped}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try.

    Times are RFC 3339 in UTC with microseconds, all counted on the monotonic clock from one reading of the wall clock
    at ``published``: they never run backwards, whatever is done to the clock meanwhile. None where nobody knows.
    """

    number: int
    session: int
    outcome: Outcome
    published: str
    claimed: str | None
    started: str | None
    ended: str | None
    run_seconds: float | None
    exit_code: int | None = None
    signal: int | None = None
    reason: str | None = None
    stopped_leftovers: int = 0
    """Processes it had left running, which were ended with it."""
    log: Log | None = None
    queue_seconds: float | None = None
    """From published to claimed."""
    start_seconds: float | None = None
    """From claimed to started."""

    def to_json(self) -> dict[str, Any]:
        """As a receipt writes it."""
        return {
            "number": self.number,
            "session": self.session,
            "outcome": self.outcome,
            "exit_code": self.exit_code,
            "signal": self.signal,
            "reason": self.reason,
            "times": {
                "published": self.published,
                "claimed": self.claimed,
                "started": self.started,
                "ended": self.ended,
                "queue_seconds": self.queue_seconds,
                "start_seconds": self.start_seconds,
                "run_seconds": self.run_seconds,
            },
            "stopped_leftovers": self.stopped_leftovers,
            "log": None if self.log is None else self.log.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Ending:
    """How an execution ended: by its last attempt. The earlier ones failed or are unknown."""

    execution_id: str
    attempts: tuple[Attempt, ...]

    @property
    def last(self) -> Attempt:
        """The attempt that counts."""
        return self.attempts[-1]
