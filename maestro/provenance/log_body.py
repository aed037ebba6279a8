"""That a log entry is the one of this very signature: hashedrekord, dsse and intoto, as Rekor v1 and v2 write them.

Without it the proof of another entry could be put beside a signature that was never logged (CVE-2022-36056).
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from maestro.evidence.dsse import Envelope
from maestro.evidence.errors import BadEvidence
from maestro.evidence.strict_json import loads
from maestro.provenance.bundle import Bundle, LogEntry
from maestro.provenance.reading import Fields
from maestro.provenance.reasons import NotProven

if TYPE_CHECKING:
    from collections.abc import Callable


def _other(words: str) -> NotProven:
    return NotProven("verify/log-other-entry", f"the log entry is not this signature's: {words}")


def require_same(entry: LogEntry, bundle: Bundle, *, signer: bytes, sha256: str) -> None:
    """Insist that the entry is about the bundle's signature.

    Args:
        entry: proven to be in the log.
        bundle: what it came with.
        signer: the certificate or public key (DER) that signed.
        sha256: of the artifact, hexadecimal; used where the signature is over the artifact itself.

    Raises:
        NotProven: another signature, signer or content; or a kind of entry that is not known.
    """
    try:
        body = Fields(loads(entry.body, what="the log entry"), "", _other)
    except BadEvidence as error:
        raise _other(error.message) from error
    if (body.text("kind"), body.text("apiVersion")) != (entry.kind, entry.version):
        raise _other("its kind is not the one that the bundle says")
    signed: Envelope | None = bundle.content if isinstance(bundle.content, Envelope) else None
    check = _CHECKS.get((entry.kind, entry.version, signed is not None))
    if check is None:
        what = "an envelope" if signed is not None else "a file"
        raise NotProven(
            "verify/log-entry-kind", f"the log entry is a {entry.kind[:40]} {entry.version[:20]}, not known for {what}"
        )
    covered = hashlib.sha256(signed.signed).hexdigest() if signed is not None else sha256
    check(body.fields("spec"), _Expected(bundle.content.signature, signer, covered, signed))


class _Expected:
    """What the entry must say."""

    __slots__ = ("covered", "envelope", "signature", "signer")

    def __init__(self, signature: bytes, signer: bytes, covered: str, envelope: Envelope | None) -> None:
        self.signature = signature
        self.signer = signer
        self.covered = covered  # SHA-256 of what the signature is over, hexadecimal
        self.envelope = envelope

    @property
    def payload_digest(self) -> str:
        return hashlib.sha256(self.envelope.payload if self.envelope is not None else b"").hexdigest()

    def same(self, signature: bytes, signer: bytes) -> None:
        if signature != self.signature:
            raise _other("it has another signature")
        if signer != self.signer:
            raise _other("it has another certificate or key")


def _pem(data: bytes) -> bytes:
    """The DER in PEM: a certificate, or a public key."""
    lines = [line.strip() for line in data.decode("ascii", "replace").strip().splitlines()]
    if len(lines) >= 3 and lines[0] in ("-----BEGIN CERTIFICATE-----", "-----BEGIN PUBLIC KEY-----"):
        try:
            return base64.b64decode("".join(lines[1:-1]), validate=True)
        except ValueError:
            pass
    raise _other("its certificate or key is not PEM")


def _sha256(hash_: Fields, wanted: str, what: str) -> None:
    if hash_.text("algorithm") != "sha256" or hash_.text("value") != wanted:
        raise _other(f"it is over another {what}")


def _one(signatures: list[Fields]) -> Fields:
    if len(signatures) != 1:
        raise _other(f"it has {len(signatures)} signatures")
    return signatures[0]


def _hashedrekord_1(spec: Fields, expected: _Expected) -> None:
    _sha256(spec.fields("data").fields("hash"), expected.covered, "content")
    signature = spec.fields("signature")
    expected.same(signature.data("content"), _pem(signature.fields("publicKey").data("content")))


def _hashedrekord_2(spec: Fields, expected: _Expected) -> None:
    record = spec.fields("hashedRekordV002")
    data = record.fields("data")
    if data.text("algorithm") != "SHA2_256" or data.data("digest").hex() != expected.covered:
        raise _other("it is over other content")
    signature = record.fields("signature")
    verifier = signature.fields("verifier")
    kind = "x509Certificate" if "x509Certificate" in verifier else "publicKey"
    expected.same(signature.data("content"), verifier.fields(kind).data("rawBytes"))


def _dsse_1(spec: Fields, expected: _Expected) -> None:
    _sha256(spec.fields("payloadHash"), expected.payload_digest, "payload")
    signature = _one(spec.each("signatures"))
    expected.same(signature.data("signature"), _pem(signature.data("verifier")))


def _intoto_2(spec: Fields, expected: _Expected) -> None:
    content = spec.fields("content")
    _sha256(content.fields("payloadHash"), expected.payload_digest, "payload")
    envelope = content.fields("envelope")
    if expected.envelope is None or envelope.text("payloadType") != expected.envelope.payload_type:
        raise _other("it has another payload type")
    signature = _one(envelope.each("signatures"))
    try:
        inner = base64.b64decode(signature.data("sig"), validate=True)  # this kind has base64 in base64
    except ValueError as error:
        raise _other("its signature is not base64") from error
    expected.same(inner, _pem(signature.data("publicKey")))


_CHECKS: dict[tuple[str, str, bool], Callable[[Fields, _Expected], None]] = {
    ("hashedrekord", "0.0.1", False): _hashedrekord_1,
    ("hashedrekord", "0.0.2", False): _hashedrekord_2,
    ("hashedrekord", "0.0.2", True): _hashedrekord_2,
    ("dsse", "0.0.1", True): _dsse_1,
    ("intoto", "0.0.2", True): _intoto_2,
}
