"""A verification summary attestation: what was verified here, so that the next gate need not repeat it.

SLSA VSA v1 (https://slsa.dev/spec/v1.1/verification_summary). The signers that were believed, and what trust.yaml gave
up, stand in extension fields of ours, ``urn:maestro-conductor:signers`` and ``urn:maestro-conductor:loosened``.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from maestro import __version__
from maestro.evidence.statement import Statement, Subject
from maestro.evidence.types import SUMMARY, VERIFIER

if TYPE_CHECKING:
    from maestro.provenance.loosening import Loosened
    from maestro.provenance.verify import Evidence, Verification

SIGNERS: Final = "urn:maestro-conductor:signers"
LOOSENED: Final = "urn:maestro-conductor:loosened"


def summary(
    subjects: Sequence[Subject],
    *,
    resource: str,
    policy_sha256: str,
    inputs: Mapping[str, str],
    level: int | None,
    signers: Sequence[str],
    loosened: Sequence[str],
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
            LOOSENED: sorted(set(loosened)),
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
    loosened: Iterable[Loosened] = (),
) -> Statement:
    """What a verification found.

    Args:
        found: the artifacts.
        resource: the URI of what is summed up.
        policy_sha256: of trust.yaml.
        evidence: what proved it.
        now: aware.
        holds: False where something else than these artifacts failed.
        loosened: for what else trust.yaml gave something up.
    """
    entries = (entry.loosened() for artifact in found for entry in artifact.entries)
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
        loosened=[f"{one.entry}: {field}" for one in (*entries, *loosened) for field in one.fields],
        now=now,
    )
