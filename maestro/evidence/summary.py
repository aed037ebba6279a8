"""A verification summary attestation: what was verified here, so that the next gate need not repeat it.

SLSA VSA v1 (https://slsa.dev/spec/v1.1/verification_summary). The signers that were believed stand in an extension
field of ours, ``urn:maestro-conductor:signers``.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from maestro import __version__
from maestro.evidence.errors import BadEvidence
from maestro.evidence.statement import Statement, Subject
from maestro.evidence.types import SUMMARY
from maestro.evidence.verify import instant, verify_bundle

if TYPE_CHECKING:
    from maestro.evidence.trust import Trust
    from maestro.provenance.verify import Evidence, Verification

VERIFIER: Final = "urn:maestro-conductor:verifier"
SIGNERS: Final = "urn:maestro-conductor:signers"
_LEVEL = re.compile(r"SLSA_BUILD_LEVEL_([0-3])")
_CLOCK_SKEW = dt.timedelta(minutes=10)


def summary(
    subjects: Sequence[Subject],
    *,
    resource: str,
    policy_sha256: str,
    inputs: Mapping[str, str],
    level: int | None,
    signers: Sequence[str],
    now: dt.datetime,
) -> Statement:
    """The statement. ``level``: the SLSA build level that all subjects have; None: something is not proven."""
    return Statement(
        tuple(subjects),
        SUMMARY,
        {
            "verifier": {"id": VERIFIER, "version": {"maestro-conductor": __version__}},
            "timeVerified": now.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "resourceUri": resource,
            "policy": {"uri": "trust.yaml", "digest": {"sha256": policy_sha256}},
            "inputAttestations": [{"uri": name, "digest": {"sha256": digest}} for name, digest in inputs.items()],
            "verificationResult": "FAILED" if level is None else "PASSED",
            "verifiedLevels": ["FAILED" if level is None else f"SLSA_BUILD_LEVEL_{level}"],
            "slsaVersion": "1.1",
            SIGNERS: sorted(set(signers)),
        },
    )


def summary_of(
    found: Sequence[Verification],
    resource: str,
    policy_sha256: str,
    evidence: Sequence[Evidence],
    now: dt.datetime,
    *,
    holds: bool = True,
) -> Statement:
    """What a verification found. ``holds``: False where something else than these artifacts failed."""
    met = [one for artifact in found for entry in artifact.entries for one in entry.met]
    levels = [one.built.level for one in met]
    proven = holds and all(one.proven for one in found)
    return summary(
        [Subject(one.subject.name, {"sha256": one.subject.sha256}) for one in found],
        resource=resource,
        policy_sha256=policy_sha256,
        inputs={one.name: hashlib.sha256(one.data).hexdigest() for one in evidence},
        level=min(levels, default=0) if proven else None,
        signers=[one.signer for one in met],
        now=now,
    )


def read_summary(
    data: bytes, trust: Trust, *, sha256: str, resource: str, level: int, now: dt.datetime
) -> Mapping[str, Any]:
    """The predicate of a summary that says PASSED about this very file.

    Args:
        data: the bundle's bytes.
        trust: whose summaries are believed.
        sha256: of the file, hexadecimal.
        resource: the URI that it must be about.
        level: the SLSA build level that it must have at least.
        now: aware; a summary from later is refused.

    Raises:
        BadEvidence: anything else, also a summary that is malformed or contradicts itself.
    """
    said = verify_bundle(data, trust, predicate_type=SUMMARY, made_at=_made_at).statement
    predicate = said.predicate
    made_at = _made_at(said)
    if made_at > now + _CLOCK_SKEW:
        raise BadEvidence(f"the summary was made at {made_at.isoformat()}, which is yet to come")
    if sha256 not in [one.digest.get("sha256") for one in said.subjects]:
        raise BadEvidence("the summary is about another file")
    verifier = predicate.get("verifier")
    if not isinstance(verifier, dict) or verifier.get("id") != VERIFIER:
        raise BadEvidence("the summary comes from another verifier than this tool")
    if predicate.get("resourceUri") != resource:
        raise BadEvidence(f"the summary is about {predicate.get('resourceUri')!r:.200}, wanted {resource!r:.200}")
    result, levels = predicate.get("verificationResult"), predicate.get("verifiedLevels")
    if result != "PASSED":
        raise BadEvidence(f"the summary does not say PASSED but {result!r:.40}: verify the artifact itself")
    if not isinstance(levels, list) or len(levels) != 1 or not isinstance(levels[0], str):
        raise BadEvidence("the summary names not exactly one level")
    named = _LEVEL.fullmatch(levels[0])
    if named is None or int(named[1]) < level:
        raise BadEvidence(f"the summary says {levels[0]!r:.60}, wanted SLSA_BUILD_LEVEL_{level} or higher")
    return predicate


def _made_at(statement: Statement) -> dt.datetime:
    return instant(statement.predicate.get("timeVerified"), "the summary's timeVerified")
