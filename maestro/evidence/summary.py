"""A verification summary attestation: what was verified here, so that the next gate need not repeat it.

SLSA VSA v1 (https://slsa.dev/spec/v1.1/verification_summary). Extension fields of ours hold the documents that decided
(``urn:maestro-conductor:decided-by``), the signers that were believed (``…:signers``) and what trust.yaml gave up
(``…:loosened``).
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from maestro import __version__
from maestro.evidence.statement import Statement, Subject
from maestro.evidence.types import SUMMARY, VERIFIER

if TYPE_CHECKING:
    from maestro.provenance.loosening import Loosened
    from maestro.provenance.verify import Evidence, Verification
    from maestro.provenance.verify import Subject as Named

DECIDED_BY: Final = "urn:maestro-conductor:decided-by"
SIGNERS: Final = "urn:maestro-conductor:signers"
LOOSENED: Final = "urn:maestro-conductor:loosened"


@dataclass(frozen=True, slots=True)
class DecidedBy:
    """The documents that decided.

    Attributes:
        documents: their names, with their SHA-256 (hexadecimal).
        commit: that they were read at; None where that was no revision.
    """

    documents: Mapping[str, str]
    commit: str | None = None

    @property
    def sha256(self) -> str:
        """Of all of them: of what ``sha256sum`` prints of them, in the order of their names."""
        return hashlib.sha256("".join(f"{one}  {name}\n" for name, one in self._sorted).encode()).hexdigest()

    @property
    def _sorted(self) -> list[tuple[str, str]]:
        return sorted(self.documents.items())

    def as_json(self) -> dict[str, object]:
        """As the summary has it: resource descriptors, and the commit where there is one."""
        listed = [_described(name, one) for name, one in self._sorted]
        return {"documents": listed} | ({"commit": self.commit} if self.commit is not None else {})


def _described(uri: str, sha256: str) -> dict[str, object]:
    """in-toto's ResourceDescriptor."""
    return {"uri": uri, "digest": {"sha256": sha256}}


def summary(
    subjects: Sequence[Subject],
    *,
    resource: str,
    decided_by: DecidedBy,
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
            "policy": {"uri": DECIDED_BY, "digest": {"sha256": decided_by.sha256}},
            DECIDED_BY: decided_by.as_json(),
            "inputAttestations": [_described(quote(name, safe="/:@"), digest) for name, digest in inputs.items()],
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
    decided_by: DecidedBy,
    evidence: Sequence[Evidence],
    now: dt.datetime,
    *,
    subjects: Sequence[Named] | None = None,
    holds: bool = True,
    loosened: Iterable[Loosened] = (),
) -> Statement:
    """What a verification found.

    Args:
        found: the artifacts.
        resource: the URI of what is summed up.
        decided_by: the documents by whose word.
        evidence: all that was asked, whatever it is worth.
        now: aware.
        subjects: what is summed up; those of ``found`` unless given.
        holds: False where something else than these artifacts failed.
        loosened: for what else trust.yaml gave something up.
    """
    entries = (entry.loosened() for artifact in found for entry in artifact.entries)
    met = [one for artifact in found for entry in artifact.entries for one in entry.met]
    levels = [one.built.level for one in met]
    proven = holds and all(one.proven for one in found)
    return summary(
        [
            Subject(one.name, {"sha256": one.sha256})
            for one in (subjects if subjects is not None else [artifact.subject for artifact in found])
        ],
        resource=resource,
        decided_by=decided_by,
        inputs={one.name: hashlib.sha256(one.data).hexdigest() for one in evidence if one.data},
        level=min(levels, default=0) if proven else None,
        signers=[one.signer for one in met],
        loosened=[f"{one.entry}: {field}" for one in (*entries, *loosened) for field in one.fields],
        now=now,
    )
