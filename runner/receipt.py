"""The receipt: the signed record of one execution.

Predicate (urn:maestro-conductor:receipt:v1); the subjects are the logs, the one that counts first::

    {run, made_at, execution: {id, index}, manifest: {subject, tenant, path, digest}, source, verdict, approvals,
     decisions: [digest], session: {number, digest}, placement, executed_on: {driver, cloud},
     rehearsal, break_glass, outcome, exit_code, signal, attempts: [attempt], tool, engine}

The session of a receipt is the one in which its last attempt was started: that one's decision allowed it.
"""

from __future__ import annotations

from typing import Any

from maestro.evidence.errors import BadEvidence
from maestro.evidence.statement import Statement, Subject
from maestro.evidence.trust import Trust
from maestro.evidence.types import RECEIPT
from maestro.evidence.verify import Verified, verify_bundle
from runner.execution import Ending, Execution, execution_id
from runner.session import Session, made_at

CLOUD_OF_DRIVER = {"local": "local", "aws": "aws", "gcp": "gcp"}


def statement(run_id: str, execution: Execution, ending: Ending, session: Session, signed_at: str) -> Statement:
    """What is signed about an execution that has ended.

    Args:
        run_id: the run.
        execution: what was to be executed.
        ending: what became of it.
        session: the one that started the last attempt.
        signed_at: now, RFC 3339.
    """
    said, last = session.predicate, ending.last
    manifest = session.manifest(execution.task.subject)
    logs = [attempt.log for attempt in reversed(ending.attempts) if attempt.log is not None]
    return Statement(
        tuple(Subject(log.name, {"sha256": log.sha256}) for log in logs),
        RECEIPT,
        {
            "run": run_id,
            "made_at": signed_at,
            "execution": {"id": execution.id, "index": execution.index},
            "manifest": {key: manifest.get(key) for key in ("subject", "tenant", "path", "digest")},
            "source": said["source"],
            "verdict": said["verdict"],
            "approvals": said["approvals"],
            "decisions": session.decision_digests(execution.task.subject),
            "session": {"number": session.number, "digest": session.digest},
            "placement": manifest["placement"],
            "executed_on": {"driver": said["driver"], "cloud": CLOUD_OF_DRIVER[said["driver"]]},
            "rehearsal": said["rehearsal"],
            "break_glass": said["break_glass"] if manifest["denied"] or not said["verdict"]["allowed"] else None,
            "outcome": last.outcome,
            "exit_code": "unknown" if last.outcome == "unknown" else last.exit_code,
            "signal": last.signal,
            "attempts": [attempt.to_json() for attempt in ending.attempts],
            "tool": said["tool"],
            "engine": said["engine"],
        },
    )


_KINDS = {"decisions": list, "session": dict, "attempts": list, "outcome": str, "rehearsal": bool}


def read(data: bytes, trust: Trust, *, run_id: str, execution: str) -> Verified:
    """A signed receipt that is believed and is about this execution of this run.

    Raises:
        BadEvidence: changed, foreign, malformed, or about something else (a receipt copied from elsewhere).
    """
    verified = verify_bundle(data, trust, predicate_type=RECEIPT, made_at=made_at)
    said = verified.statement.predicate
    identity, manifest = _object(said, "execution"), _object(said, "manifest")
    index = identity.get("index")
    if said.get("run") != run_id or identity.get("id") != execution:
        raise BadEvidence(f"the receipt is about {identity.get('id')!r:.50} of the run {said.get('run')!r:.110}")
    if not isinstance(manifest.get("subject"), str) or not (index is None or type(index) is int):
        raise BadEvidence("the receipt does not say what was executed")
    if execution_id(run_id, manifest["subject"], index) != execution:
        raise BadEvidence("the receipt's execution id is not that of its manifest and index")
    for key, kind in _KINDS.items():
        if not isinstance(said.get(key), kind):
            raise BadEvidence(f"the receipt's {key} is malformed")
    if not isinstance(said["session"].get("digest"), str):
        raise BadEvidence("the receipt's session is malformed")
    return verified


def _object(said: Any, key: str) -> dict[str, Any]:  # noqa: ANN401 - JSON
    value = said.get(key)
    if not isinstance(value, dict):
        raise BadEvidence(f"the receipt's {key} is malformed")
    return value
