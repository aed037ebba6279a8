"""The decisions of a session, as the ledger remembers decisions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from maestro.evidence.errors import BadEvidence
from maestro.evidence.verify import instant
from policy.recorded_decision import RecordedDecision, RecordedReason
from runner.session import Session


def decisions_of(session: Session) -> Iterator[RecordedDecision]:
    """Every decision that was made when the session was planned. Sessions do not say who owns a manifest.

    Raises:
        BadEvidence: the session is malformed where it speaks of decisions.
    """
    said = session.predicate
    try:
        made_at = instant(said.get("made_at"), "made_at")
        for manifest in said["manifests"]:
            for one in manifest["decisions"]:
                yield RecordedDecision(
                    made_at=made_at,
                    phase="execution",
                    commit=_text(said["source"]["commit"]),
                    policy_revision=_text(said["source"]["policy_revision"]),
                    pack=_text(one["pack"]),
                    pack_digest=_text(one["pack_digest"]),
                    mode=_text(one["mode"]),
                    engine=_text(one["engine"]),
                    subject=_text(manifest["subject"]),
                    path=_text(manifest["path"]),
                    owner=None,
                    input_digest=_text(one["input_digest"]),
                    allow=one["allow"] is True,
                    reasons=tuple(RecordedReason(_text(each["rule"]), _text(each["mode"])) for each in one["reasons"]),
                    error=None if one["error"] is None else _text(one["error"]),
                )
    except (KeyError, TypeError, AttributeError) as error:
        raise BadEvidence(f"session {session.number} is malformed where it speaks of decisions: {error}") from error


def _text(value: Any) -> str:  # noqa: ANN401 - JSON
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.60} where text should be")
    return value
