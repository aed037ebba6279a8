"""A session: one dispatch of a run, and everything that was decided for it, signed before anything starts.

Predicate (urn:maestro-conductor:decision:v1), subject the commit that is executed::

    {run, session, made_at, tool, engine, source: {commit, tree, policy_revision},
     verdict: {digest, allowed}, approvals: [{who, method, verified}],
     driver, rehearsal, break_glass: {reason, approvals: [as it was signed, signature included]} or null,
     manifests: [{subject, tenant, path, digest, size, placement, denied, decisions: […]}]}
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from maestro import __version__
from maestro.canonical_json import digest
from maestro.evidence.errors import BadEvidence
from maestro.evidence.statement import Statement, Subject
from maestro.evidence.trust import Trust
from maestro.evidence.types import DECISION
from maestro.evidence.verify import Verified, instant, verify_bundle
from runner.execution import Execution, Task, executions_of

if TYPE_CHECKING:
    from policy.decide import Decision
    from policy.placement import Placement

TOOL = {"name": "maestro-conductor", "version": __version__}


@dataclass(frozen=True)
class Planned:
    """A manifest of the run, and what policy said about it now.

    ``size`` is None for a manifest that is no array. ``denied`` says why it must not run, None when it may.
    """

    task: Task
    path: str
    digest: str
    size: int | None
    placement: Placement | None
    denied: str | None
    decisions: tuple[Mapping[str, Any], ...]
    inputs: tuple[bytes, ...] = ()
    """What was decided about, as canonical JSON: kept apart, never part of the session."""
    tenant: str | None = None

    @property
    def identity(self) -> tuple[str, str, int | None]:
        """What must stay the same from one dispatch of a run to the next."""
        return (self.task.subject, self.digest, self.size)

    def executions(self, run_id: str) -> tuple[Execution, ...]:
        """Its executions in that run."""
        return executions_of(run_id, self.task, self.size)

    def to_json(self) -> dict[str, Any]:
        """As the session's statement writes it."""
        return {
            "subject": self.task.subject,
            "tenant": self.tenant,
            "path": self.path,
            "digest": self.digest,
            "size": self.size,
            "placement": None if self.placement is None else self.placement.as_json(),
            "denied": self.denied,
            "decisions": list(self.decisions),
        }


def decision_json(decision: Decision) -> dict[str, Any]:
    """A decision as evidence keeps it; its digest is what receipts cite."""
    return {
        "pack": decision.pack,
        "mode": decision.mode,
        "engine": decision.engine,
        "allow": decision.allow,
        "value": decision.value,
        "reasons": [
            {"rule": reason.rule, "mode": reason.mode, "message": reason.message} for reason in decision.reasons
        ],
        "pack_digest": decision.pack_digest,
        "input_digest": decision.input_digest,
        "error": decision.error,
    }


@dataclass(frozen=True)
class BreakGlass:
    """Executing in spite of a deny: why, and what was signed by those who approved (``gates.break_glass``)."""

    reason: str
    approvals: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Facts:
    """What holds for every execution of one dispatch."""

    commit: str
    tree: str
    policy_revision: str
    verdict_digest: str
    verdict_allowed: bool
    engine: str | None
    driver: str
    rehearsal: bool
    approvals: Sequence[Mapping[str, Any]]
    break_glass: BreakGlass | None


def statement(run_id: str, number: int, made_at: dt.datetime, facts: Facts, planned: Iterable[Planned]) -> Statement:
    """The statement to be signed before the session starts anything."""
    glass = facts.break_glass
    return Statement(
        (Subject("git+commit", {"gitCommit": facts.commit}),),
        DECISION,
        {
            "run": run_id,
            "session": number,
            "made_at": made_at.astimezone(dt.UTC).isoformat(),
            "tool": TOOL,
            "engine": facts.engine,
            "source": {"commit": facts.commit, "tree": facts.tree, "policy_revision": facts.policy_revision},
            "verdict": {"digest": facts.verdict_digest, "allowed": facts.verdict_allowed},
            "approvals": [dict(approval) for approval in facts.approvals],
            "driver": facts.driver,
            "rehearsal": facts.rehearsal,
            "break_glass": None
            if glass is None
            else {"reason": glass.reason, "approvals": [dict(one) for one in glass.approvals]},
            "manifests": [one.to_json() for one in planned],
        },
    )


@dataclass(frozen=True)
class Session:
    """A session as it was signed, with its digest; receipts cite it."""

    number: int
    digest: str
    predicate: Mapping[str, Any]

    @property
    def plan(self) -> frozenset[tuple[str, str, int | None]]:
        """The identities of its manifests."""
        return frozenset((one["subject"], one["digest"], one["size"]) for one in self.predicate["manifests"])

    def manifest(self, subject: str) -> Mapping[str, Any]:
        """What was decided about one manifest.

        Raises:
            BadEvidence: nothing was.
        """
        found = self._manifests.get(subject)
        if found is None:
            raise BadEvidence(f"session {self.number} decided nothing about {subject}")
        return found

    @cached_property
    def _manifests(self) -> dict[str, Mapping[str, Any]]:
        found: dict[str, Mapping[str, Any]] = {}
        for one in self.predicate["manifests"]:
            found.setdefault(one["subject"], one)
        return found

    @cached_property
    def _digests(self) -> dict[str, list[str]]:
        return {one["subject"]: [digest(said) for said in one["decisions"]] for one in self.predicate["manifests"]}

    def decision_digests(self, subject: str) -> list[str]:
        """The digests of the decisions about one manifest."""
        return self._digests[subject]


def made_at(said: Statement) -> dt.datetime:
    """When a statement of ours was made, by its own word."""
    return instant(said.predicate.get("made_at"), "made_at")


_MANIFEST_KEYS = {"subject", "path", "digest", "size", "placement", "denied", "decisions"}
"""Those of each; the first ledgers name no ``tenant``."""


def session_of(verified: Verified, run_id: str, number: int) -> Session:
    """The session in a believed statement.

    Raises:
        BadEvidence: it is another run's or number's, or malformed.
    """
    from maestro.canonical_json import digest_of_bytes

    said = verified.statement.predicate
    if said.get("run") != run_id or said.get("session") != number:
        raise BadEvidence(f"the session is number {said.get('session')!r} of the run {said.get('run')!r}")
    manifests = said.get("manifests")
    keys = ("source", "verdict", "approvals", "driver", "rehearsal", "break_glass", "tool", "engine")
    if not isinstance(manifests, list) or any(key not in said for key in keys):
        raise BadEvidence("the session is malformed")
    if not isinstance(said["verdict"], dict) or not isinstance(said["source"], dict):
        raise BadEvidence("the session is malformed")
    for one in manifests:
        known = isinstance(one, dict) and set(one) - {"tenant"} == _MANIFEST_KEYS
        if not known or not isinstance(one["decisions"], list) or not isinstance(one["subject"], str):
            raise BadEvidence("a manifest of the session is malformed")
    return Session(number, digest_of_bytes(verified.payload), said)


def read(data: bytes, trust: Trust, run_id: str, number: int) -> Session:
    """A signed session.

    Raises:
        BadEvidence: it is not believed, or not this one.
    """
    return session_of(verify_bundle(data, trust, predicate_type=DECISION, made_at=made_at), run_id, number)
