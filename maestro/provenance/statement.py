"""The in-toto statement inside of a verified envelope, read strictly (in-toto attestation framework, spec/v1)."""

from __future__ import annotations

import re
from typing import Final

from maestro.evidence.dsse import Envelope
from maestro.evidence.errors import BadEvidence
from maestro.evidence.statement import Statement, Subject
from maestro.evidence.strict_json import loads
from maestro.evidence.types import PAYLOAD, STATEMENT
from maestro.provenance.reasons import NotProven

# v0.1 is what goes with SLSA provenance v0.2, which slsa-github-generator still writes.
VERSIONS: Final = (STATEMENT, "https://in-toto.io/Statement/v0.1")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


def parse(envelope: Envelope) -> Statement:
    """What was signed.

    Raises:
        NotProven: not a statement, not one of a known version, or one that readers could read in two ways.
    """
    if envelope.payload_type != PAYLOAD:
        raise NotProven("verify/payload-type", f"what was signed is {envelope.payload_type!r:.80}, not a statement")
    try:
        value = loads(envelope.payload, what="the signed statement")
    except BadEvidence as error:
        raise NotProven("verify/statement-malformed", error.message) from error
    if value.get("_type") not in VERSIONS:
        raise NotProven("verify/statement-version", f"the statement is a {value.get('_type')!r:.80}")
    subjects, kind, predicate = value.get("subject"), value.get("predicateType"), value.get("predicate")
    if not isinstance(subjects, list) or not subjects:
        raise NotProven("verify/statement-malformed", "the statement has no subject")
    if not isinstance(kind, str) or not kind:
        raise NotProven("verify/statement-malformed", "the statement has no predicate type")
    if not isinstance(predicate, dict):
        raise NotProven("verify/statement-malformed", "the statement has no predicate")
    return Statement(tuple(_subject(one) for one in subjects), kind, predicate)


def _subject(value: object) -> Subject:
    if isinstance(value, dict):
        name, digest = value.get("name", ""), value.get("digest")
        if isinstance(name, str) and isinstance(digest, dict) and all(isinstance(one, str) for one in digest.values()):
            return Subject(name, digest)
    raise NotProven("verify/statement-malformed", "a subject of the statement has no digest, or one that is not text")


def digests(statement: Statement) -> frozenset[str]:
    """The SHA-256 (hexadecimal) of each subject that has one."""
    found = (one.digest.get("sha256", "") for one in statement.subjects)
    return frozenset(one for one in found if _SHA256.fullmatch(one))


def require_subject(statement: Statement, sha256: str) -> None:
    """Insist that the statement is about the artifact.

    Raises:
        NotProven: about others, or about nothing that a SHA-256 tells apart.
    """
    known = digests(statement)
    if sha256 in known:
        return
    if not known:
        algorithms = ", ".join(sorted({name for one in statement.subjects for name in one.digest})) or "none"
        raise NotProven("verify/subject-weak-digest", f"no subject has a SHA-256 digest (there is {algorithms[:80]})")
    raise NotProven("verify/subject-mismatch", f"the statement is about other content, not sha256:{sha256[:16]}…")
