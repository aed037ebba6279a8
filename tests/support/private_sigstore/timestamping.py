"""A timestamp authority (RFC 3161): signs that something existed, at whatever time a test says."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.support.private_sigstore import der
from tests.support.private_sigstore.authority import ca_certificate, name, new_key

_SHA256 = der.sequence(der.oid("2.16.840.1.101.3.4.2.1"))
_TST_INFO = "1.2.840.113549.1.9.16.1.4"
_SIGNED_DATA = "1.2.840.113549.1.7.2"
_CONTENT_TYPE = "1.2.840.113549.1.9.3"
_MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
_SIGNING_TIME = "1.2.840.113549.1.9.5"
_SIGNING_CERTIFICATE_2 = "1.2.840.113549.1.9.16.2.47"
_ECDSA_SHA256 = der.sequence(der.oid("1.2.840.10045.4.3.2"))
_POLICY = "1.3.6.1.4.1.57264.2"


@dataclass
class TimestampAuthority:
    """Root and signing certificate in service since ``start`` for ``days``."""

    start: dt.datetime
    days: int = 3650
    root_key: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    key: ec.EllipticCurvePrivateKey = field(default_factory=new_key)

    def __post_init__(self) -> None:
        self.root = ca_certificate("tsa-root", self.root_key, None, self.start)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(name("tsa"))
            .issuer_name(self.root.subject)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.start)
            .not_valid_after(self.start + dt.timedelta(days=self.days))
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=True,
                    content_commitment=False,
                    key_encipherment=False,
                    data_encipherment=False,
                    key_agreement=False,
                    key_cert_sign=False,
                    crl_sign=False,
                    encipher_only=False,
                    decipher_only=False,
                ),
                critical=True,
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.root_key.public_key()), critical=False
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .sign(self.root_key, SHA256())
        )

    def respond(self, message: bytes, at: dt.datetime) -> bytes:
        """The whole response (TimeStampResp), the certificate within."""
        info = der.sequence(
            der.integer(1),
            der.oid(_POLICY),
            der.sequence(_SHA256, der.octets(hashlib.sha256(message).digest())),
            der.integer(x509.random_serial_number()),
            der.generalized_time(at),
        )
        own = self.certificate.public_bytes(Encoding.DER)
        essential = der.sequence(der.sequence(der.sequence(der.octets(hashlib.sha256(own).digest()))))
        attributes = [
            der.sequence(der.oid(_CONTENT_TYPE), der.set_of(der.oid(_TST_INFO))),
            der.sequence(der.oid(_SIGNING_TIME), der.set_of(der.utc_time(at))),
            der.sequence(der.oid(_MESSAGE_DIGEST), der.set_of(der.octets(hashlib.sha256(info).digest()))),
            der.sequence(der.oid(_SIGNING_CERTIFICATE_2), der.set_of(essential)),
        ]
        signature = self.key.sign(der.set_of(*attributes), ec.ECDSA(SHA256()))
        signer = der.sequence(
            der.integer(1),
            der.sequence(self.certificate.issuer.public_bytes(), der.integer(self.certificate.serial_number)),
            _SHA256,
            der.tlv(0xA0, *sorted(attributes)),
            _ECDSA_SHA256,
            der.octets(signature),
        )
        data = der.sequence(
            der.integer(3),
            der.set_of(_SHA256),
            der.sequence(der.oid(_TST_INFO), der.tlv(0xA0, der.octets(info))),
            der.tlv(0xA0, own),
            der.set_of(signer),
        )
        token = der.sequence(der.oid(_SIGNED_DATA), der.tlv(0xA0, data))
        return der.sequence(der.sequence(der.integer(0)), token)
