"""The timestamp of a certificate log in a certificate: it stands in a public log (RFC 6962, sections 3.2 and 3.3)."""

from __future__ import annotations

import datetime as dt
import hashlib
import struct
from functools import lru_cache
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from maestro.provenance.public_keys import UnsupportedKey, verifies
from maestro.provenance.reasons import NotProven
from maestro.provenance.trusted_root import LogKey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.x509 import Certificate

_CODE = "verify/certificate-not-logged"
_TIMESTAMPS = x509.PrecertificateSignedCertificateTimestamps
_MILLISECOND = dt.timedelta(milliseconds=1)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def require_logged(certificate: Certificate, issuer: Certificate, logs: Sequence[LogKey]) -> None:
    """Insist that a log of ``logs`` signed for the certificate.

    Raises:
        NotProven: no timestamp, another log's, or one that is not over this certificate.
    """
    try:
        extension = certificate.extensions.get_extension_for_oid(_TIMESTAMPS.oid).value
        stamps = list(extension) if isinstance(extension, _TIMESTAMPS) else []
        if len(stamps) != 1:
            raise NotProven(_CODE, f"the certificate has {len(stamps)} timestamps of certificate logs, wanted one")
        stamp = stamps[0]
        if not isinstance(stamp.signature_hash_algorithm, SHA256):
            raise NotProven(_CODE, "the certificate log's timestamp is not over SHA-256")
        covered = certificate.tbs_precertificate_bytes
    except x509.ExtensionNotFound as error:
        raise NotProven(_CODE, "the certificate has no timestamp of a certificate log") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise NotProven("verify/certificate-malformed", f"the certificate cannot be read: {error}") from error
    when = stamp.timestamp.replace(tzinfo=dt.UTC)  # cryptography gives it naive
    milliseconds = (when - _EPOCH) // _MILLISECOND
    signed = b"".join(
        (
            struct.pack("!BBQH", stamp.version.value, 0, milliseconds, stamp.entry_type.value),
            _key_digest(issuer),
            len(covered).to_bytes(3),
            covered,
            struct.pack("!H", len(stamp.extension_bytes)),
            stamp.extension_bytes,
        )
    )
    for log in logs:
        if log.log_id == stamp.log_id:
            try:
                good = verifies(log.key, stamp.signature, signed)
            except UnsupportedKey as error:
                raise NotProven(_CODE, f"the certificate log's key is not accepted: {error}") from error
            if good and when in log.span:
                return
            what = "its key was out of service" if good else "the signature is not that log's"
            raise NotProven(_CODE, f"the certificate log's timestamp proves nothing: {what}")
    raise NotProven(_CODE, f"the certificate log {stamp.log_id.hex()[:16]}… is none of the trusted root's")


@lru_cache(maxsize=64)
def _key_digest(issuer: Certificate) -> bytes:
    """Of a root's few issuers, each of which has issued every certificate of a release."""
    key = issuer.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(key).digest()
