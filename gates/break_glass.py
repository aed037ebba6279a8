"""Approvals to break the glass: who agrees that these manifests run now, in spite of what policy says.

Each is a file that is handed to ``maestro run --break-glass REASON --approval FILE``. It is never in git: committing it
would move the tip that it is for, and in an emergency nobody waits for a merge. The receipts keep it::

    {"schema": "urn:maestro-conductor:break-glass-approval:v1", "method": "ssh", "who": "dev@acme.example",
     "policy_revision": COMMIT, "run": "glass-0123456789abcdef", "reason": "…",
     "manifests": [{"subject": "Manifest/nightly-report", "digest": "sha256:…"}],
     "signed_at": "2026-11-23T18:00:00Z", "expires": "2026-11-23T22:00:00Z", "signature": ARMORED}

Signed (``ssh-keygen -Y``, namespace ``maestro-approval``) are the canonical JSON bytes of all of it but the signature.
The schema stands among them, and neither kind of approval has the fields of the other: none can be taken for another.
An approval is for one run: the run's id is made of the manifests and the reason, and a run's executions start once.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gates.approvals import SIZE_LIMIT, Approval, check_signature, moment_of, people, stamp, time_fault
from gates.ssh_signatures import plain_principal
from maestro.canonical_json import digest, dumps
from maestro.config import Config
from maestro.errors import UsageError
from maestro.evidence.errors import BadEvidence
from maestro.evidence.strict_json import loads
from maestro.evidence.types import BREAK_GLASS_APPROVAL
from maestro.repository import Snapshot
from runner.errors import Refused

USUAL = dt.timedelta(hours=4)
LONGEST = dt.timedelta(hours=24)
"""How long such an approval may hold."""
REASON_LIMIT = 500
FILE_LIMIT = 50
"""Files that are looked at; each costs a process or more."""

_FIELDS = frozenset(
    {"schema", "method", "who", "policy_revision", "run", "reason", "manifests", "signed_at", "expires", "signature"}
)
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@dataclass(frozen=True, slots=True)
class Emergency:
    """What is approved: the tip, what is to run (subject → digest of the manifest), and why."""

    policy_revision: str
    manifests: Mapping[str, str]
    reason: str

    @property
    def run_id(self) -> str:
        """The run it is for: the same manifests for the same reason are one run, wherever the tip has moved to."""
        return "glass-" + digest([sorted(self.manifests.items()), self.reason]).removeprefix("sha256:")[:16]


@dataclass(frozen=True, slots=True)
class Statement:
    """What is signed: who approves which emergency, from when until when (UTC, whole seconds)."""

    who: str
    emergency: Emergency
    signed_at: dt.datetime
    expires: dt.datetime

    def fields(self) -> dict[str, Any]:
        """The statement as JSON fields."""
        return {
            "schema": BREAK_GLASS_APPROVAL,
            "method": "ssh",
            "who": self.who,
            "policy_revision": self.emergency.policy_revision,
            "run": self.emergency.run_id,
            "reason": self.emergency.reason,
            "manifests": [
                {"subject": subject, "digest": value} for subject, value in sorted(self.emergency.manifests.items())
            ],
            "signed_at": stamp(self.signed_at),
            "expires": stamp(self.expires),
        }

    def message(self) -> bytes:
        """The bytes that are signed."""
        return dumps(self.fields())


class Entitled(Protocol):
    """Says whether an approval is one of a path's owners' (``gates.governance.Approvers``)."""

    def entitled(self, approval: Approval, path: str) -> bool:
        """Whether it counts for ``path``."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A file that was handed in: the approval it makes or fails to make, and its fields as evidence keeps them."""

    approval: Approval
    fields: Mapping[str, Any]


def reason_of(text: str) -> str:
    """The reason, as it is signed.

    Raises:
        UsageError: there is none, or it is not one line of text.
    """
    reason = text.strip()
    if not reason:
        raise UsageError("--break-glass wants a reason")
    if len(reason) > REASON_LIMIT or not reason.isprintable():
        raise UsageError(f"the reason of --break-glass is one line of at most {REASON_LIMIT} characters")
    return reason


def needed_by(config: Config) -> int:
    """How many people have to approve.

    Raises:
        Refused: the glass may not be broken here.
    """
    if config.break_glass is None:
        raise Refused(
            "maestro.yaml does not allow --break-glass",
            where="maestro.yaml",
            remedy="`break_glass: {approvals: N}` allows it, once that is merged",
        )
    return config.break_glass.approvals


def file_name(statement: Statement) -> str:
    """Named after the run it is for and who gives it."""
    who = re.sub(r"[^a-z0-9]+", "-", statement.who.lower()).strip("-") or "approver"
    return f"{statement.emergency.run_id}-{who[:60]}.json"


def judge(
    policy: Snapshot,
    emergency: Emergency,
    files: Sequence[tuple[str, bytes]],
    environ: Mapping[str, str],
    now: dt.datetime,
) -> tuple[Judged, ...]:
    """The approvals in ``files`` (name, content), by the keys of the policy revision; good or not.

    Raises:
        ToolFailure: ssh-keygen could not be asked.
        UsageError: too many files.
    """
    if len(files) > FILE_LIMIT:
        raise UsageError(f"{len(files)} approvals are more than are looked at ({FILE_LIMIT})")
    return tuple(_judged(policy, emergency, name, data, environ, now) for name, data in files)


def lacking(judged: Sequence[Judged], approvers: Entitled, paths: Sequence[str], needed: int) -> str | None:
    """None when for each of ``paths`` as many distinct people as are needed agree; else what there is, in words."""
    counts = {path: people(one.approval for one in judged if approvers.entitled(one.approval, path)) for path in paths}
    path = min(paths, key=lambda each: counts[each])
    if counts[path] >= needed:
        return None
    words = [
        f"{counts[path]} approved" + (f" who may for {path}" if any(one.approval.verified for one in judged) else "")
    ]
    words += [
        f"{one.approval.path} does not count: {one.approval.detail}" for one in judged if not one.approval.verified
    ]
    return "; ".join(words)


def _judged(
    policy: Snapshot, emergency: Emergency, name: str, data: bytes, environ: Mapping[str, str], now: dt.datetime
) -> Judged:
    fields = _read(data)
    statement = _statement(fields) if isinstance(fields, dict) else fields
    if isinstance(statement, str) or isinstance(fields, str):
        return Judged(Approval(name, "ssh", False, str(statement), path=name), {})
    fault = _fault_of(statement, emergency, now)
    if fault is not None:
        return Judged(Approval(statement.who, "ssh", False, fault, path=name), fields)
    approval = check_signature(policy, statement, fields["signature"], path=name, environ=environ, now=now)
    return Judged(approval, fields)


def _fault_of(statement: Statement, emergency: Emergency, now: dt.datetime) -> str | None:
    said = statement.emergency
    if said.policy_revision != emergency.policy_revision:
        return f"it is for the tip {said.policy_revision[:12]}, and that is {emergency.policy_revision[:12]} by now"
    if said.manifests.keys() != emergency.manifests.keys():
        return f"it is for {', '.join(sorted(said.manifests))}"
    if said.manifests != emergency.manifests:
        return "it is for another content of these manifests"
    if said.reason != emergency.reason:
        return f"it is for another reason: {said.reason!r}"
    return time_fault(statement.signed_at, statement.expires, now, longest=LONGEST)


def _read(data: bytes) -> dict[str, Any] | str:
    if len(data) > SIZE_LIMIT:
        return f"larger than {SIZE_LIMIT} bytes"
    try:
        return loads(data, what="the approval")
    except BadEvidence as error:
        return error.message


def _statement(fields: Mapping[str, Any]) -> Statement | str:
    """The statement in a file, or what is wrong with it."""
    if fields.get("schema") != BREAK_GLASS_APPROVAL:
        return f"it is no approval to break the glass (schema {fields.get('schema')!r:.80})"
    odd = sorted(_FIELDS ^ fields.keys())
    if odd:
        return f"its fields are not those of an approval: {odd[0]!r} is {'unknown' if odd[0] in fields else 'missing'}"
    wrong = sorted(name for name in _FIELDS - {"manifests"} if not isinstance(fields[name], str))
    if wrong:
        return f"{wrong[0]} is not a text"
    manifests = _manifests(fields["manifests"])
    if manifests is None:
        return "manifests is not a list of {subject, digest}"
    if not plain_principal(fields["who"]):
        return "`who` is not one principal"
    if not _COMMIT.fullmatch(fields["policy_revision"]):
        return "policy_revision is not a commit"
    signed_at, expires = moment_of(fields["signed_at"]), moment_of(fields["expires"])
    if signed_at is None or expires is None:
        return "signed_at or expires is not a time like 2026-11-23T18:00:00Z"
    emergency = Emergency(fields["policy_revision"], manifests, fields["reason"])
    statement = Statement(fields["who"], emergency, signed_at, expires)
    # What is verified is made anew from what was understood: nothing else in the file can have been signed.
    if {**statement.fields(), "signature": fields["signature"]} != fields:
        return "it says more, or says it otherwise, than this version would"
    return statement


def _manifests(value: object) -> dict[str, str] | None:
    if not isinstance(value, list) or not value:
        return None
    found: dict[str, str] = {}
    for one in value:
        if not isinstance(one, dict) or set(one) != {"subject", "digest"}:
            return None
        subject, said = one["subject"], one["digest"]
        if not isinstance(subject, str) or not isinstance(said, str) or subject in found:
            return None
        found[subject] = said
    return found
