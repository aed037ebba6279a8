"""The in-toto statement over a bundle's file: what an auditor reads with cosign, without OPA.

Predicate (urn:maestro-conductor:policy-bundle:v1): ``{name, revision, commit, expires, signed_at: RFC 3339,
packs: [{path, digest}], parity: sha256:… or null}``. Subject: the signed tarball's SHA-256.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import TYPE_CHECKING, Any

from maestro.evidence.errors import BadEvidence
from maestro.evidence.signer import Signer, sign_statement
from maestro.evidence.statement import Statement, Subject
from maestro.evidence.trust import Trust
from maestro.evidence.types import POLICY_BUNDLE
from maestro.evidence.verify import instant, verify_bundle
from policy.bundle.reasons import Refused

if TYPE_CHECKING:
    from policy.bundle.manifest import Manifest

ENDING = ".sigstore.json"
"""Beside ``FILE`` lies ``FILE.sigstore.json``."""


def attest(name: str, data: bytes, manifest: Manifest, signer: Signer, now: dt.datetime) -> bytes:
    """The statement about the file ``data``, signed, as a Sigstore bundle."""
    subject = Subject(name, {"sha256": hashlib.sha256(data).hexdigest()})
    predicate = {**_story(manifest), "signed_at": now.astimezone(dt.UTC).isoformat()}
    return sign_statement(Statement((subject,), POLICY_BUNDLE, predicate), signer)


def _story(manifest: Manifest) -> dict[str, Any]:
    contents = manifest.contents
    return {
        "name": contents.name,
        "revision": manifest.revision,
        "commit": contents.commit,
        "expires": contents.expires,
        "packs": [{"path": pack.entry.path, "digest": pack.digest} for pack in contents.packs],
        "parity": contents.parity,
    }


def check(statement: bytes, data: bytes, manifest: Manifest, trust: Trust) -> None:
    """The statement is about exactly this file and tells the manifest's story.

    Raises:
        Refused: it is not, or nobody we believe has signed it.
    """
    try:
        said = verify_bundle(statement, trust, predicate_type=POLICY_BUNDLE, made_at=_signed_at).statement
    except BadEvidence as error:
        raise Refused("statement", f"the statement beside it: {error.message}") from error
    digest = hashlib.sha256(data).hexdigest()
    if len(said.subjects) != 1 or said.subjects[0].digest.get("sha256") != digest:
        raise Refused("statement", "the statement beside it is about another file")
    story = {key: value for key, value in said.predicate.items() if key != "signed_at"}
    if story != _story(manifest):
        raise Refused("statement", "the statement beside it says something else than the bundle's manifest")


def _signed_at(statement: Statement) -> dt.datetime:
    return instant(statement.predicate.get("signed_at"), "the statement's signed_at")
