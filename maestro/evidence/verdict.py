"""The verdict on a git tree, signed: what ``check --attest`` writes and ``run`` accepts.

Predicate (urn:maestro-conductor:verdict:v1): ``{allowed: bool, policy_revision: commit, made_at: RFC 3339,
tool: {name, version}, engine: text or null, summary: {blocking, warnings, …}, gates: {id: outcome}}``.
Subject: ``git+tree`` with ``{"gitTree": <tree id>}`` (in-toto DigestSet).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from maestro.canonical_json import digest_of_bytes
from maestro.evidence.errors import BadEvidence
from maestro.evidence.signer import Signer, sign_statement
from maestro.evidence.statement import Statement, Subject
from maestro.evidence.trust import Trust
from maestro.evidence.types import VERDICT
from maestro.evidence.verify import instant, verify_bundle


@dataclass(frozen=True, slots=True)
class TreeVerdict:
    """What the gates concluded about one git tree.

    ``digest`` is that of the statement's bytes: of the signed ones when it came in a bundle.
    """

    tree: str
    allowed: bool
    policy_revision: str
    made_at: dt.datetime
    tool_version: str
    engine: str | None
    summary: Mapping[str, int]
    gates: Mapping[str, str]

    def statement(self) -> Statement:
        """The in-toto statement that says so."""
        return Statement(
            (Subject("git+tree", {"gitTree": self.tree}),),
            VERDICT,
            {
                "allowed": self.allowed,
                "policy_revision": self.policy_revision,
                "made_at": self.made_at.astimezone(dt.UTC).isoformat(),
                "tool": {"name": "maestro-conductor", "version": self.tool_version},
                "engine": self.engine,
                "summary": dict(self.summary),
                "gates": dict(self.gates),
            },
        )

    @property
    def digest(self) -> str:
        """``sha256:…`` of the statement's bytes; what a receipt cites."""
        return digest_of_bytes(self.statement().to_bytes())


def attest(verdict: TreeVerdict, signer: Signer) -> bytes:
    """The verdict as a signed Sigstore bundle."""
    return sign_statement(verdict.statement(), signer)


def _made_at(statement: Statement) -> dt.datetime:
    return instant(statement.predicate.get("made_at"), "the verdict's made_at")


def read_attested(data: bytes, trust: Trust) -> TreeVerdict:
    """The verdict in a bundle that a listed key has signed.

    Raises:
        BadEvidence: malformed, changed, or signed by nobody we believe.
    """
    said = verify_bundle(data, trust, predicate_type=VERDICT, made_at=_made_at).statement
    predicate = said.predicate
    if len(said.subjects) != 1 or "gitTree" not in said.subjects[0].digest:
        raise BadEvidence("the verdict is not about one git tree")
    tool, summary, gates = predicate.get("tool"), predicate.get("summary"), predicate.get("gates")
    well_formed = (
        isinstance(predicate.get("allowed"), bool)
        and isinstance(predicate.get("policy_revision"), str)
        and isinstance(tool, dict)
        and isinstance(tool.get("version"), str)
        and isinstance(predicate.get("engine"), str | None)
        and isinstance(summary, dict)
        and all(type(count) is int for count in summary.values())
        and isinstance(gates, dict)
        and all(isinstance(outcome, str) for outcome in gates.values())
    )
    if not well_formed or not isinstance(tool, dict) or not isinstance(summary, dict) or not isinstance(gates, dict):
        raise BadEvidence("the verdict's predicate is malformed")
    verdict = TreeVerdict(
        tree=said.subjects[0].digest["gitTree"],
        allowed=predicate["allowed"],
        policy_revision=predicate["policy_revision"],
        made_at=_made_at(said),
        tool_version=tool["version"],
        engine=predicate.get("engine"),
        summary=summary,
        gates=gates,
    )
    if verdict.statement().to_bytes() != said.to_bytes():
        raise BadEvidence("the verdict says more than this version knows how to judge")
    return verdict


_HOURS = 24
MAXIMUM_AGE = dt.timedelta(hours=_HOURS)
CLOCK_SKEW = dt.timedelta(minutes=10)
_AGAIN = "let `maestro check` judge this tree again, or hand in no verdict to have it judged on the spot"


def require_scope(verdict: TreeVerdict, *, tree: str, policy_revision: str) -> None:
    """Insist that the verdict is about exactly this tree under exactly this policy.

    Raises:
        BadEvidence: another tree or another policy revision.
    """
    if verdict.tree != tree:
        raise BadEvidence(f"the verdict is about the tree {verdict.tree[:12]}, not {tree[:12]}", remedy=_AGAIN)
    if verdict.policy_revision != policy_revision:
        raise BadEvidence(
            f"the verdict comes from the policy of {verdict.policy_revision[:12]}, the tip is {policy_revision[:12]}",
            remedy=_AGAIN,
        )


def require_fresh(verdict: TreeVerdict, now: dt.datetime) -> None:
    """Insist that a handed-in verdict is of today: waivers and flags end while the tip stands still.

    Raises:
        BadEvidence: older than ``MAXIMUM_AGE``, or made later than now (a clock is wrong).
    """
    age = now - verdict.made_at
    if age > MAXIMUM_AGE:
        hours = int(age.total_seconds() // 3600)
        raise BadEvidence(f"the verdict is {hours} hours old; {_HOURS} are allowed", remedy=_AGAIN)
    if age < -CLOCK_SKEW:
        raise BadEvidence(f"the verdict was made at {verdict.made_at.isoformat()}, which is yet to come", remedy=_AGAIN)


def require(verdict: TreeVerdict, *, tree: str, policy_revision: str) -> None:
    """Insist that the verdict allows exactly this tree under exactly this policy.

    Raises:
        BadEvidence: another tree, another policy revision, or a verdict that blocks.
    """
    require_scope(verdict, tree=tree, policy_revision=policy_revision)
    if not verdict.allowed:
        failed = ", ".join(gate for gate, outcome in sorted(verdict.gates.items()) if outcome in ("failed", "errored"))
        raise BadEvidence(
            f"the verdict for this tree blocks ({failed or 'no gate named'})", remedy="see `maestro check`"
        )
