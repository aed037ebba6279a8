"""The instance: signs statements and files as a client would, and writes the trusted root over its own keys."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.private_sigstore.authority import Authority, CertificateLog, new_key, spki
from tests.support.private_sigstore.log import Log, RekorV1, RekorV2, b64, canonical
from tests.support.private_sigstore.timestamping import TimestampAuthority
from tests.support.private_sigstore.workflow import Run

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
SIGNED = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)
V03 = "application/vnd.dev.sigstore.bundle.v0.3+json"
ROOT = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
STATEMENT = "application/vnd.in-toto+json"
Kind = Literal["dsse", "intoto"]


def pae(kind: str, payload: bytes) -> bytes:
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)


@dataclass
class Signer:
    """A key, and what vouches for it: a certificate, or nothing but itself."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate | None = None

    @property
    def der(self) -> bytes:
        if self.certificate is not None:
            return self.certificate.public_bytes(Encoding.DER)
        return spki(self.key.public_key())

    @property
    def pem(self) -> bytes:
        if self.certificate is not None:
            return self.certificate.public_bytes(Encoding.PEM)
        return self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, data: bytes) -> bytes:
        return self.key.sign(data, ec.ECDSA(SHA256()))

    def verifier(self) -> dict[str, Any]:
        """As Rekor v2 writes it."""
        kind = "x509Certificate" if self.certificate is not None else "publicKey"
        return {"keyDetails": "PKIX_ECDSA_P256_SHA_256", kind: {"rawBytes": b64(self.der)}}

    def material(self) -> dict[str, Any]:
        if self.certificate is not None:
            return {"certificate": {"rawBytes": b64(self.der)}}
        return {"publicKey": {"hint": b64(hashlib.sha256(self.der).digest())}}


@dataclass
class PrivateSigstore:
    """All of an instance, in service since ``start``."""

    start: dt.datetime = START
    authority: Authority = field(init=False)
    certificate_log: CertificateLog = field(default_factory=CertificateLog)
    log: RekorV1 = field(default_factory=lambda: RekorV1("rekor.sigstore.test"))
    log_2: RekorV2 = field(default_factory=lambda: RekorV2("log2026.rekor.sigstore.test"))
    timestamps: TimestampAuthority = field(init=False)

    def __post_init__(self) -> None:
        self.authority = Authority(self.start)
        self.timestamps = TimestampAuthority(self.start)

    def signer(
        self,
        run: Run,
        at: dt.datetime = SIGNED,
        *,
        log: CertificateLog | Literal["own", "none"] = "own",
        names: Sequence[x509.GeneralName] | None = None,
        **changes: Any,
    ) -> Signer:
        """A fresh key with a certificate for the run."""
        key = new_key()
        chosen = self.certificate_log if log == "own" else None if log == "none" else log
        certificate = self.authority.issue(
            key.public_key(),
            names or [x509.UniformResourceIdentifier(run.signer_uri)],
            run.extensions(),
            at,
            chosen,
            **changes,
        )
        return Signer(key, certificate)

    def envelope(self, signer: Signer, payload: bytes, kind: str = STATEMENT) -> dict[str, Any]:
        signature = signer.sign(pae(kind, payload))
        return {"payload": b64(payload), "payloadType": kind, "signatures": [{"sig": b64(signature)}]}

    def attest(
        self,
        statement: dict[str, Any] | bytes,
        signer: Signer,
        *,
        at: dt.datetime = SIGNED,
        log: Literal[1, 2, None] = 1,
        kind: Kind = "dsse",
        stamp: bool = False,
        payload_type: str = STATEMENT,
    ) -> dict[str, Any]:
        """A bundle v0.3 over a statement (or any bytes), logged and stamped as asked for."""
        payload = statement if isinstance(statement, bytes) else canonical(statement)
        envelope = self.envelope(signer, payload, payload_type)
        signature = _bytes(envelope["signatures"][0]["sig"])
        body = self.body(signer, envelope, payload, signature, log, kind) if log is not None else None
        return self.bundle(signer, {"dsseEnvelope": envelope}, signature, body, log, at, stamp)

    def sign(
        self,
        data: bytes,
        signer: Signer,
        *,
        at: dt.datetime = SIGNED,
        log: Literal[1, 2, None] = 1,
        stamp: bool = False,
    ) -> dict[str, Any]:
        """A bundle v0.3 over a file itself."""
        digest = hashlib.sha256(data).digest()
        signature = signer.key.sign(digest, ec.ECDSA(Prehashed(SHA256())))
        message = {"messageDigest": {"algorithm": "SHA2_256", "digest": b64(digest)}, "signature": b64(signature)}
        body = None
        if log == 1:
            body = {
                "apiVersion": "0.0.1",
                "kind": "hashedrekord",
                "spec": {
                    "data": {"hash": {"algorithm": "sha256", "value": digest.hex()}},
                    "signature": {"content": b64(signature), "publicKey": {"content": b64(signer.pem)}},
                },
            }
        elif log == 2:
            body = hashedrekord_2(digest, signature, signer)
        return self.bundle(signer, {"messageSignature": message}, signature, body, log, at, stamp)

    def body(
        self,
        signer: Signer,
        envelope: dict[str, Any],
        payload: bytes,
        signature: bytes,
        log: Literal[1, 2],
        kind: Kind,
    ) -> dict[str, Any]:
        """What the log holds."""
        payload_hash = {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()}
        if log == 2:
            digest = hashlib.sha256(pae(envelope["payloadType"], payload)).digest()
            return hashedrekord_2(digest, signature, signer)
        whole = {"algorithm": "sha256", "value": hashlib.sha256(canonical(envelope)).hexdigest()}
        if kind == "intoto":
            inner = {
                "payload": b64(envelope["payload"].encode()),
                "payloadType": envelope["payloadType"],
                "signatures": [{"publicKey": b64(signer.pem), "sig": b64(b64(signature).encode())}],
            }
            content = {"envelope": inner, "hash": whole, "payloadHash": payload_hash}
            return {"apiVersion": "0.0.2", "kind": "intoto", "spec": {"content": content}}
        return {
            "apiVersion": "0.0.1",
            "kind": "dsse",
            "spec": {
                "envelopeHash": whole,
                "payloadHash": payload_hash,
                "signatures": [{"signature": b64(signature), "verifier": b64(signer.pem)}],
            },
        }

    def bundle(
        self,
        signer: Signer,
        content: dict[str, Any],
        signature: bytes,
        body: dict[str, Any] | None,
        log: Literal[1, 2, None],
        at: dt.datetime,
        stamp: bool,
    ) -> dict[str, Any]:
        material = signer.material()
        if body is not None:
            entry = self.log.entry(body, at) if log == 1 else self.log_2.entry(body)
            material["tlogEntries"] = [entry]
        if stamp or log == 2:
            stamped = {"signedTimestamp": b64(self.timestamps.respond(signature, at))}
            material["timestampVerificationData"] = {"rfc3161Timestamps": [stamped]}
        return {"mediaType": V03, "verificationMaterial": material, **content}

    def trusted_root(self, *, logs: bool = True) -> dict[str, Any]:
        """The trusted_root.json; without ``logs`` that of an instance that operates none."""
        served = {"start": _rfc3339(self.start)}

        def log_of(host: str, log_id: bytes, der: bytes, details: str) -> dict[str, Any]:
            return {
                "baseUrl": f"https://{host}",
                "hashAlgorithm": "SHA2_256",
                "publicKey": {"rawBytes": b64(der), "keyDetails": details, "validFor": dict(served)},
                "logId": {"keyId": b64(log_id)},
            }

        def chain(host: str, *certificates: x509.Certificate) -> dict[str, Any]:
            return {
                "subject": {"organization": "sigstore.test", "commonName": host},
                "uri": f"https://{host}",
                "certChain": {
                    "certificates": [{"rawBytes": b64(one.public_bytes(Encoding.DER))} for one in certificates]
                },
                "validFor": dict(served),
            }

        def rekor(log: Log, details: str) -> dict[str, Any]:
            return log_of(log.host, log.log_id, log.public_der(), details)

        public = spki(self.certificate_log.key.public_key())
        root: dict[str, Any] = {
            "mediaType": ROOT,
            "tlogs": [rekor(self.log, "PKIX_ECDSA_P256_SHA_256"), rekor(self.log_2, "PKIX_ED25519")] if logs else [],
            "certificateAuthorities": [chain("fulcio.test", self.authority.certificate, self.authority.root)],
            "ctlogs": [log_of("ct.test", self.certificate_log.log_id, public, "PKIX_ECDSA_P256_SHA_256")]
            if logs
            else [],
            "timestampAuthorities": [chain("tsa.test", self.timestamps.certificate, self.timestamps.root)],
        }
        return root


def hashedrekord_2(digest: bytes, signature: bytes, signer: Signer) -> dict[str, Any]:
    record = {
        "data": {"algorithm": "SHA2_256", "digest": b64(digest)},
        "signature": {"content": b64(signature), "verifier": signer.verifier()},
    }
    return {"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": record}}


def _bytes(text: str) -> bytes:
    import base64

    return base64.b64decode(text)


def _rfc3339(when: dt.datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")
