"""Who signed what, and when: everything about one bundle that needs no policy, only the roots and keys we believe.

The order is that of Sigstore's client specification. sigstore-python judges the same bundle at the end.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from maestro.evidence.dsse import Envelope
from maestro.evidence.trust import Trust, TrustedKey
from maestro.provenance import certificate, certificate_log, log_body, second_opinion, timestamps, transparency
from maestro.provenance.bundle import Bundle, MessageSignature
from maestro.provenance.certificate import Identity
from maestro.provenance.public_keys import UnsupportedKey, verifies
from maestro.provenance.reasons import NotProven
from maestro.provenance.trusted_root import TrustedRoot

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes, PublicKeyTypes
    from cryptography.x509 import Certificate

CLOCK_SKEW = dt.timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Believed:
    """Whom the trust policy believes: its roots, and its keys that may sign attestations."""

    roots: Sequence[TrustedRoot]
    keys: Trust


@dataclass(frozen=True, slots=True)
class Authentic:
    """A signature that was verified.

    Attributes:
        identity: whom the certificate names; None where a key signed.
        key: the managed key that signed; None where a certificate did.
        root: the root that vouches for certificate, log and timestamps; None where nothing of it was needed.
        envelope: what was signed; None where it is the artifact itself.
        times: when the signature certainly existed (aware, UTC); empty for a key without log and timestamp.
        included: whether the log proves inclusion; False: it only promises it, or there is no log.
        logged: whether there is a log entry at all.
    """

    identity: Identity | None
    key: TrustedKey | None
    root: TrustedRoot | None
    envelope: Envelope | None
    times: tuple[dt.datetime, ...]
    included: bool
    logged: bool

    @property
    def signer(self) -> str:
        """One name for one signer, however often and under however many names it signs."""
        if self.key is not None:
            return f"key {self.key.fingerprint}"
        return f"{self.identity.issuer} {self.identity.subject}" if self.identity is not None else ""


def authenticate(data: bytes, bundle: Bundle, sha256: str, believed: Believed, now: dt.datetime) -> Authentic:
    """The signature in a bundle, verified as far as that needs no expectations.

    Args:
        data: the bundle's bytes.
        bundle: what was read in them.
        sha256: of the artifact, hexadecimal.
        believed: roots and keys.
        now: aware; a signature from later is refused.

    Raises:
        NotProven: the first thing found wrong.
    """
    if bundle.key_hint is not None:
        return _by_key(bundle, bundle.key_hint, sha256, believed, now)
    signing = certificate.load(bundle)
    identity = certificate.identity(signing)
    named = [one for one in believed.roots if certificate.issued_by(one, signing)]
    if len(named) != 1:
        return _by_certificate(data, bundle, signing, identity, _root_of(signing, named), sha256, now)
    # The path proves that the issuer signed. Asked before, it would be computed twice for every good bundle; so it is
    # asked first only of what turns out bad, whose reason is the first stage that fails.
    try:
        return _by_certificate(data, bundle, signing, identity, named[0], sha256, now)
    except NotProven:
        _root_of(signing, named)
        raise


def _by_certificate(
    data: bytes,
    bundle: Bundle,
    signing: Certificate,
    identity: Identity,
    root: TrustedRoot,
    sha256: str,
    now: dt.datetime,
) -> Authentic:
    logged = _logged(bundle, root)
    times = _times(bundle, root, logged, now)
    if not times:
        raise NotProven("verify/timestamp-missing", "neither the log nor a timestamp says when it was signed")
    issuer = certificate.verify_path(certificate.issued_by(root, signing), signing, times)
    if not root.without_transparency:
        certificate_log.require_logged(signing, issuer, root.certificate_logs)
    _require_signature(signing.public_key(), bundle, sha256)
    if bundle.entry is not None:
        log_body.require_same(bundle.entry, bundle, signer=bundle.certificate or b"", sha256=sha256)
    if second_opinion.can_judge(bundle, root, times):
        second_opinion.require(data, bundle, root, identity, sha256)
    return _authentic(bundle, identity, None, root, times, logged)


def _by_key(bundle: Bundle, hint: str, sha256: str, believed: Believed, now: dt.datetime) -> Authentic:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = _key(believed.keys.keys, hint)
    root = None
    if bundle.entry is not None or bundle.timestamps:
        log_id = bundle.entry.log_id if bundle.entry is not None else None
        root = next((one for one in believed.roots if log_id is None or one.log(log_id) is not None), None)
        if root is None:
            raise NotProven("verify/log-unknown", "the log or timestamp beside the signature is none of the roots'")
    logged = _logged(bundle, root) if root is not None and bundle.entry is not None else None
    times = _times(bundle, root, logged, now) if root is not None else ()
    for when in times or (now,):
        objection = key.objection(when)
        if objection is not None:
            raise NotProven("verify/key-not-valid", objection)
    _require_signature(key.key, bundle, sha256)
    if bundle.entry is not None:
        der = key.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        log_body.require_same(bundle.entry, bundle, signer=der, sha256=sha256)
    return _authentic(bundle, None, key, root, times, logged)


def _authentic(
    bundle: Bundle,
    identity: Identity | None,
    key: TrustedKey | None,
    root: TrustedRoot | None,
    times: tuple[dt.datetime, ...],
    logged: transparency.Logged | None,
) -> Authentic:
    envelope = bundle.content if isinstance(bundle.content, Envelope) else None
    included = logged is not None and logged.proven
    return Authentic(identity, key, root, envelope, times, included, logged is not None)


def _key(keys: Mapping[str, TrustedKey], hint: str) -> TrustedKey:
    """The key a hint names: by its fingerprint, as cosign writes it, or by its id in trust.yaml."""
    found = keys.get(hint) or next((one for one in keys.values() if one.id == hint), None)
    if found is None:
        raise NotProven("verify/key-unknown", f"signed by a key that trust.yaml does not list (hint {hint!r:.80})")
    return found


def _root_of(signing: Certificate, roots: Sequence[TrustedRoot]) -> TrustedRoot:
    """The root one of whose authorities issued the certificate: name and signature."""
    from cryptography.exceptions import InvalidSignature

    for root in roots:
        for authority in certificate.issued_by(root, signing):
            try:
                signing.verify_directly_issued_by(authority.chain[0])
            except (InvalidSignature, ValueError, TypeError):
                continue
            return root
    raise NotProven("verify/certificate-untrusted", "none of the roots in trust.yaml issued the certificate")


def _logged(bundle: Bundle, root: TrustedRoot) -> transparency.Logged | None:
    if bundle.entry is None:
        if not root.without_transparency:
            raise NotProven("verify/log-missing", f"the signature is in no log, and the root {root.name} has logs")
        return None
    return transparency.require_logged(bundle.entry, root)


def _times(
    bundle: Bundle, root: TrustedRoot, logged: transparency.Logged | None, now: dt.datetime
) -> tuple[dt.datetime, ...]:
    """Every verified time; each has to suit, so that no second, better one can be added."""
    times = [timestamps.verified_time(one, bundle.signature, root) for one in bundle.timestamps]
    if logged is not None and logged.time is not None:
        times.append(logged.time)
    for when in times:
        if when > now + CLOCK_SKEW:
            raise NotProven("verify/timestamp-future", f"signed at {when:%Y-%m-%d %H:%M:%S} UTC, which is yet to come")
        if logged is not None and when not in logged.log.span:
            message = f"the log's key was not in service at {when:%Y-%m-%d %H:%M:%S} UTC, says the trusted root"
            raise NotProven("verify/log-retired", message)
    return tuple(times)


def _require_signature(key: PublicKeyTypes | CertificatePublicKeyTypes, bundle: Bundle, sha256: str) -> None:
    content = bundle.content
    try:
        if isinstance(content, MessageSignature):
            digest = bytes.fromhex(sha256)
            if content.sha256 is not None and content.sha256 != digest:
                raise NotProven("verify/subject-mismatch", "the bundle is about a file with another digest")
            good = verifies(key, content.signature, digest, sha256_given=True)
        else:
            good = verifies(key, content.signature, content.signed)
    except UnsupportedKey as error:
        raise NotProven("verify/signature-algorithm", f"the signature is not accepted: {error}") from error
    if not good:
        raise NotProven("verify/signature-invalid", "the signature is not over this content: one of them was changed")
