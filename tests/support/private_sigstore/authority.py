"""Fulcio: a root, an intermediate, and leaves with its extensions and the timestamp of a certificate log."""

from __future__ import annotations

import datetime as dt
import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.support.private_sigstore import der

FULCIO = "1.3.6.1.4.1.57264.1"
_CT_LIST = "1.3.6.1.4.1.11129.2.4.2"
_ONE_YEAR = dt.timedelta(days=365)
LIFE = dt.timedelta(minutes=10)


def spki(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "sigstore.test"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def ca_certificate(
    common: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: tuple[x509.Name, ec.EllipticCurvePrivateKey] | None,
    start: dt.datetime,
    *,
    usages: Sequence[x509.ObjectIdentifier] = (ExtendedKeyUsageOID.CODE_SIGNING,),
    path_length: int | None = None,
) -> x509.Certificate:
    issuer_name, issuer_key = issuer or (name(common), key)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(common))
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + 10 * _ONE_YEAR)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_usage(certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if issuer is not None and usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    return builder.sign(issuer_key, SHA256())


def _usage(*, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )


@dataclass
class CertificateLog:
    """A certificate log (RFC 6962): signs for certificates."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=new_key)

    @property
    def log_id(self) -> bytes:
        return hashlib.sha256(spki(self.key.public_key())).digest()

    def timestamp(self, precertificate: bytes, issuer: x509.Certificate, at: dt.datetime) -> bytes:
        """The value of the extension: a list of one timestamp."""
        issuer_key = issuer.public_key()
        assert isinstance(issuer_key, ec.EllipticCurvePublicKey)
        milliseconds = int(at.timestamp() * 1000)
        signed = struct.pack("!BBQH", 0, 0, milliseconds, 1) + hashlib.sha256(spki(issuer_key)).digest()
        signed += len(precertificate).to_bytes(3) + precertificate + b"\0\0"
        signature = self.key.sign(signed, ec.ECDSA(SHA256()))
        stamp = struct.pack("!B32sQH", 0, self.log_id, milliseconds, 0) + b"\x04\x03"
        stamp += len(signature).to_bytes(2) + signature
        listed = len(stamp).to_bytes(2) + stamp
        return der.octets(len(listed).to_bytes(2) + listed)


@dataclass
class Authority:
    """Fulcio: root and intermediate in service since ``start``."""

    start: dt.datetime
    root_key: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    key: ec.EllipticCurvePrivateKey = field(default_factory=new_key)

    def __post_init__(self) -> None:
        self.root = ca_certificate("sigstore-root", self.root_key, None, self.start)
        self.certificate = ca_certificate(
            "sigstore-intermediate", self.key, (self.root.subject, self.root_key), self.start, path_length=0
        )

    def issue(
        self,
        public_key: ec.EllipticCurvePublicKey,
        names: Sequence[x509.GeneralName],
        extensions: Mapping[int, str],
        at: dt.datetime,
        log: CertificateLog | None,
        *,
        usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.CODE_SIGNING,
    ) -> x509.Certificate:
        """A leaf valid for ten minutes; ``extensions``: Fulcio's numbers (8, 9, …) to their text."""
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.certificate.subject)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(at)
            .not_valid_after(at + LIFE)
            .add_extension(_usage(certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=True)
        )
        for number, text in extensions.items():
            value = text.encode() if number < 8 else der.utf8(text)
            oid = x509.ObjectIdentifier(f"{FULCIO}.{number}")
            builder = builder.add_extension(x509.UnrecognizedExtension(oid, value), critical=False)
        if log is not None:
            precertificate = builder.sign(self.key, SHA256()).tbs_certificate_bytes
            stamp = log.timestamp(precertificate, self.certificate, at)
            listed = x509.UnrecognizedExtension(x509.ObjectIdentifier(_CT_LIST), stamp)
            builder = builder.add_extension(listed, critical=False)
        return builder.sign(self.key, SHA256())
