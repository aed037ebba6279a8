"""What the job on push found about a merge, signed: the verdict of every gate, and every decision with its digests.

Predicate (urn:maestro-conductor:checked-merge:v1 where the verdict allowed it, …:unchecked-merge:v1 where it did not:
then it went round the check), subjects the commit and its tree::

    {made_at, tool, engine, policy_revision, allowed, summary: {blocking, errored, …},
     gates: {id: {outcome, judged, reason}}, blocking: [{rule, subject}], part, parts,
     decisions: [{pack, pack_digest, mode, engine, subject, path, owner, input_digest, allow,
                  reasons: [{rule, mode}], error}]}

What was judged is ``policy_revision..commit``, by the policy as it was before. A record that would grow beyond what is
read is written in parts, which differ in their decisions only.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

from maestro.canonical_json import dumps
from maestro.evidence import bundle, strict_json
from maestro.evidence.errors import BadEvidence
from maestro.evidence.signer import Signer, sign_statement
from maestro.evidence.statement import Statement, Subject
from maestro.evidence.trust import Trust
from maestro.evidence.types import CHECKED_MERGE, UNCHECKED_MERGE
from maestro.evidence.verify import instant, verify_bundle
from policy.recorded_decision import RecordedDecision, RecordedReason

KIND = "record"
"""What the ledger's log calls an entry of one."""
PREFIX = "records/"
SUFFIX = ".sigstore.json"
_PART_BYTES = 4 << 20
"""Of decisions in one part; signed and in base64 it stays well below ``strict_json.SIZE_LIMIT``."""


class GateOutcome(NamedTuple):
    """How one gate ended; ``reason`` is why it was skipped or errored, or its note."""

    outcome: str
    judged: int
    reason: str | None


class Blocking(NamedTuple):
    """A finding that blocks."""

    rule: str
    subject: str


@dataclass(frozen=True)
class MergeRecord:
    """One record, or one part of it. ``made_at`` is UTC; ``summary`` counts findings as the report does."""

    commit: str
    tree: str
    policy_revision: str
    made_at: dt.datetime
    tool_version: str
    engine: str | None
    allowed: bool
    summary: Mapping[str, int]
    gates: Mapping[str, GateOutcome]
    blocking: tuple[Blocking, ...]
    decisions: tuple[RecordedDecision, ...]
    part: int = 1
    parts: int = 1

    @property
    def undecided(self) -> bool:
        """It blocked only because a gate could not judge: judging once more can settle it."""
        return not self.allowed and self.summary.get("blocking", 0) == 0 and self.summary.get("errored", 0) > 0

    @cached_property
    def whole(self) -> bytes:
        """The same for all parts of one record, and for them alone: what they say but for their decisions."""
        return replace(self, decisions=(), part=1).statement().to_bytes()

    def statement(self) -> Statement:
        """What is signed."""
        return Statement(
            (Subject("git+commit", {"gitCommit": self.commit}), Subject("git+tree", {"gitTree": self.tree})),
            CHECKED_MERGE if self.allowed else UNCHECKED_MERGE,
            {
                "made_at": self.made_at.astimezone(dt.UTC).isoformat(),
                "tool": {"name": "maestro-conductor", "version": self.tool_version},
                "engine": self.engine,
                "policy_revision": self.policy_revision,
                "allowed": self.allowed,
                "summary": dict(self.summary),
                "gates": {gate: one._asdict() for gate, one in self.gates.items()},
                "blocking": [one._asdict() for one in self.blocking],
                "part": self.part,
                "parts": self.parts,
                "decisions": [_decision_json(one) for one in self.decisions],
            },
        )


@dataclass(frozen=True)
class Signed:
    """A signed record and the name it lies under."""

    name: str
    data: bytes


def sign(record: MergeRecord, signer: Signer) -> list[Signed]:
    """The record as Sigstore bundles, in as many parts as it needs."""
    groups = list(_groups(record.decisions))
    parts = [
        replace(record, decisions=tuple(group), part=number, parts=len(groups))
        for number, group in enumerate(groups, 1)
    ]
    out = []
    for part in parts:
        said = part.statement()
        out.append(Signed(name_of(part, said.to_bytes()), sign_statement(said, signer)))
    return out


def _groups(decisions: Sequence[RecordedDecision]) -> Iterator[list[RecordedDecision]]:
    group: list[RecordedDecision] = []
    size = 0
    for one in decisions:
        length = len(dumps(_decision_json(one)))
        if group and size + length > _PART_BYTES:
            yield group
            group, size = [], 0
        group.append(one)
        size += length
    yield group


def name_of(record: MergeRecord, payload: bytes) -> str:
    """Where a record lies: its day, its commit, and the digest of what was signed, so that a copy has no other name.

    Not of the bundle: anybody can write the same signature in a second way.
    """
    digest = hashlib.sha256(payload).hexdigest()
    return f"{PREFIX}{record.made_at.astimezone(dt.UTC):%Y-%m-%d}/{record.commit[:12]}-{digest[:12]}{SUFFIX}"


def read(data: bytes, trust: Trust, *, name: str) -> MergeRecord:
    """A signed record that is believed and lies where it belongs.

    Raises:
        BadEvidence: malformed, changed, signed by nobody we believe, written by a version that knows more, or under a
            name that is not its own.
    """
    kind = _kind(data)
    verified = verify_bundle(data, trust, predicate_type=kind, made_at=_made_at)
    record = _parsed(verified.statement)
    if record is None or record.statement().to_bytes() != verified.statement.to_bytes():
        tool = verified.statement.predicate.get("tool")
        version = tool.get("version") if isinstance(tool, dict) else None
        raise BadEvidence(
            f"the record says more, or less, than this version knows how to judge (written by {version!r:.40})",
            remedy="audit with the version that wrote it, or a later one",
        )
    if name != name_of(record, verified.payload):
        raise BadEvidence(
            f"the record belongs under the name {name_of(record, verified.payload)}",
            remedy="move it back; where one lies there already, this is a copy: remove it",
        )
    return record


def _kind(data: bytes) -> str:
    """Which of the two it claims to be; not believed yet."""
    claimed = strict_json.loads(bundle.parse(data).payload, what="the signed statement").get("predicateType")
    if claimed not in (CHECKED_MERGE, UNCHECKED_MERGE):
        raise BadEvidence(
            f"it is a {claimed!r:.80}, which is no record of a merge that this version knows",
            remedy="audit with the version that wrote it, or a later one; remove what does not belong here",
        )
    return str(claimed)


def _made_at(statement: Statement) -> dt.datetime:
    return instant(statement.predicate.get("made_at"), "the record's made_at")


_OID = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


def _parsed(said: Statement) -> MergeRecord | None:
    """The record, or None where something is not of the type it must have."""
    predicate = said.predicate
    try:
        commit, tree = (
            _oid(subject.digest[key]) for subject, key in zip(said.subjects, ("gitCommit", "gitTree"), strict=True)
        )
        made_at = _made_at(said)
        policy_revision = _oid(predicate["policy_revision"])
        record = MergeRecord(
            commit=commit,
            tree=tree,
            policy_revision=policy_revision,
            made_at=made_at,
            tool_version=_text(predicate["tool"]["version"]),
            engine=_text_or_none(predicate["engine"]),
            allowed=_flag(predicate["allowed"]),
            summary={_text(key): _count(value) for key, value in predicate["summary"].items()},
            gates={
                _text(gate): GateOutcome(_text(one["outcome"]), _count(one["judged"]), _text_or_none(one["reason"]))
                for gate, one in predicate["gates"].items()
            },
            blocking=tuple(Blocking(_text(one["rule"]), _text(one["subject"])) for one in predicate["blocking"]),
            decisions=tuple(_decision(one, made_at, commit, policy_revision) for one in predicate["decisions"]),
            part=_count(predicate["part"]),
            parts=_count(predicate["parts"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return record if 1 <= record.part <= record.parts else None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _count(value: object) -> int:
    if type(value) is not int or value < 0:
        raise TypeError
    return value


def _oid(value: object) -> str:
    if not isinstance(value, str) or not _OID.fullmatch(value):
        raise TypeError
    return value


def _decision_json(one: RecordedDecision) -> dict[str, Any]:
    return {
        "pack": one.pack,
        "pack_digest": one.pack_digest,
        "mode": one.mode,
        "engine": one.engine,
        "subject": one.subject,
        "path": one.path,
        "owner": one.owner,
        "input_digest": one.input_digest,
        "allow": one.allow,
        "reasons": [{"rule": reason.rule, "mode": reason.mode} for reason in one.reasons],
        "error": one.error,
    }


def _decision(value: Any, made_at: dt.datetime, commit: str, policy_revision: str) -> RecordedDecision:  # noqa: ANN401
    return RecordedDecision(
        made_at=made_at,
        phase="merge",
        commit=commit,
        policy_revision=policy_revision,
        pack=_text(value["pack"]),
        pack_digest=_text(value["pack_digest"]),
        mode=_text(value["mode"]),
        engine=_text(value["engine"]),
        subject=_text(value["subject"]),
        path=_text(value["path"]),
        owner=_text_or_none(value["owner"]),
        input_digest=_text(value["input_digest"]),
        allow=_flag(value["allow"]),
        reasons=tuple(RecordedReason(_text(one["rule"]), _text(one["mode"])) for one in value["reasons"]),
        error=_text_or_none(value["error"]),
    )
