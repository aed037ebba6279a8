"""Sigstore bundles, v0.1 to v0.3, as plain values (protobuf-specs: sigstore_bundle.proto, sigstore_rekor.proto)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from maestro.evidence.dsse import Envelope
from maestro.evidence.errors import BadEvidence
from maestro.evidence.strict_json import SIZE_LIMIT, loads
from maestro.provenance.reading import Fields
from maestro.provenance.reasons import NotProven

_V01: Final = "application/vnd.dev.sigstore.bundle+json;version=0.1"
_V02: Final = "application/vnd.dev.sigstore.bundle+json;version=0.2"
_V03: Final = ("application/vnd.dev.sigstore.bundle+json;version=0.3", "application/vnd.dev.sigstore.bundle.v0.3+json")
_MOST_TIMESTAMPS = 32
_MOST_HASHES = 64


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """Where an entry is in a log's Merkle tree; ``checkpoint`` is the signed note."""

    log_index: int
    tree_size: int
    root_hash: bytes
    hashes: tuple[bytes, ...]
    checkpoint: str | None


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An entry of a transparency log. ``body`` are the bytes that the log holds; ``integrated_time`` Unix seconds."""

    log_index: int
    log_id: bytes
    kind: str
    version: str
    integrated_time: int | None
    promise: bytes | None
    proof: InclusionProof | None
    body: bytes


@dataclass(frozen=True, slots=True)
class MessageSignature:
    """A signature over a file's bytes; ``sha256``: what the bundle says they hash to."""

    sha256: bytes | None
    signature: bytes


@dataclass(frozen=True, slots=True)
class Bundle:
    """What one bundle brings. Nothing of it is verified yet.

    Either ``certificate`` (DER) or ``key_hint`` is there. ``intermediates`` are what v0.1 and v0.2 put beside it.
    """

    certificate: bytes | None
    intermediates: tuple[bytes, ...]
    key_hint: str | None
    entry: LogEntry | None
    timestamps: tuple[bytes, ...]
    content: Envelope | MessageSignature

    @property
    def signature(self) -> bytes:
        """The signature, whatever it is over: what timestamps are taken of."""
        return self.content.signature


def _form(words: str) -> NotProven:
    return NotProven("verify/bundle-form", f"the bundle is malformed: {words}")


def parse(data: bytes) -> Bundle:
    """The bundle in ``data``.

    Raises:
        NotProven: it is not one, in whatever way (stage ``bundle``).
    """
    if len(data) > SIZE_LIMIT:
        raise NotProven(
            "verify/bundle-too-large", f"the bundle has {len(data):,} bytes, at most {SIZE_LIMIT:,} are read"
        )
    try:
        value = loads(data, what="the bundle")
    except BadEvidence as error:
        raise NotProven("verify/bundle-malformed", error.message) from error
    bundle = Fields(value, "", _form)
    media_type = value.get("mediaType")
    if media_type not in (_V01, _V02, *_V03):
        raise NotProven("verify/bundle-version", f"the bundle's media type is {media_type!r:.80}: not a known version")
    material = bundle.fields("verificationMaterial")
    certificate, intermediates, hint = _signer(material, single=media_type in _V03)
    stamps = material.fields("timestampVerificationData").each("rfc3161Timestamps") if _has_stamps(material) else []
    timestamps = tuple(one.data("signedTimestamp") for one in stamps)
    if len(timestamps) > _MOST_TIMESTAMPS or len(set(timestamps)) < len(timestamps):
        raise NotProven("verify/bundle-ambiguous", "the bundle has the same timestamp twice, or more than 32")
    entries = [_entry(one) for one in material.each("tlogEntries")]
    if len(entries) > 1:
        raise NotProven("verify/bundle-ambiguous", f"the bundle has {len(entries)} log entries: which one is meant?")
    entry = entries[0] if entries else None
    if entry is not None and media_type == _V01 and entry.promise is None:
        raise _form("a bundle v0.1 has an inclusion promise")
    if entry is not None and media_type != _V01 and (entry.proof is None or entry.proof.checkpoint is None):
        raise _form("since v0.2 a log entry has an inclusion proof with a checkpoint")
    return Bundle(certificate, intermediates, hint, entry, timestamps, _content(bundle))


def _has_stamps(material: Fields) -> bool:
    return "timestampVerificationData" in material


def _signer(material: Fields, *, single: bool) -> tuple[bytes | None, tuple[bytes, ...], str | None]:
    given = [key for key in ("certificate", "x509CertificateChain", "publicKey") if key in material]
    if len(given) > 1:
        raise NotProven("verify/bundle-ambiguous", f"the bundle names its signer in {len(given)} ways")
    if "publicKey" in material:
        return None, (), material.fields("publicKey").text("hint")
    if "certificate" in material:
        return material.fields("certificate").data("rawBytes"), (), None
    if single:
        raise _form("since v0.3 it has one certificate or the hint of a public key")
    chain = material.fields("x509CertificateChain").each("certificates")
    if not chain:
        raise _form("the certificate chain is empty")
    first, *others = (one.data("rawBytes") for one in chain)
    return first, tuple(others), None


def _entry(entry: Fields) -> LogEntry:
    kind = entry.fields("kindVersion")
    proof = _proof(entry.fields("inclusionProof")) if "inclusionProof" in entry else None
    integrated = entry.number("integratedTime") if "integratedTime" in entry else 0
    promise = entry.fields("inclusionPromise").data("signedEntryTimestamp") if "inclusionPromise" in entry else None
    return LogEntry(
        log_index=entry.number("logIndex") if "logIndex" in entry else 0,  # protobuf leaves zeros out
        log_id=entry.fields("logId").data("keyId"),
        kind=kind.text("kind"),
        version=kind.text("version"),
        integrated_time=integrated or None,
        promise=promise,
        proof=proof,
        body=entry.data("canonicalizedBody"),
    )


def _proof(proof: Fields) -> InclusionProof:
    hashes = proof.every_data("hashes")
    if len(hashes) > _MOST_HASHES or any(len(one) != 32 for one in hashes):
        raise _form("the inclusion proof's hashes are not SHA-256, or more than a log can have")
    return InclusionProof(
        log_index=proof.number("logIndex") if "logIndex" in proof else 0,
        tree_size=proof.number("treeSize"),
        root_hash=proof.data("rootHash"),
        hashes=hashes,
        checkpoint=proof.fields("checkpoint").text("envelope") if "checkpoint" in proof else None,
    )


def _content(bundle: Fields) -> Envelope | MessageSignature:
    if "dsseEnvelope" in bundle and "messageSignature" in bundle:
        raise NotProven("verify/bundle-ambiguous", "the bundle signs an envelope and a file at once")
    if "dsseEnvelope" in bundle:
        envelope = bundle.fields("dsseEnvelope")
        signatures = envelope.each("signatures")
        if len(signatures) != 1:
            raise NotProven("verify/bundle-ambiguous", f"the envelope has {len(signatures)} signatures, wanted one")
        return Envelope(
            payload_type=envelope.text("payloadType"),
            payload=envelope.data("payload"),
            signature=signatures[0].data("sig"),
            key_id="",
        )
    message = bundle.fields("messageSignature")
    digest = None
    if "messageDigest" in message:
        stated = message.fields("messageDigest")
        if stated.text("algorithm") != "SHA2_256":
            raise NotProven("verify/signature-algorithm", "the signed file's digest is not SHA-256")
        digest = stated.data("digest")
    return MessageSignature(digest, message.data("signature"))
