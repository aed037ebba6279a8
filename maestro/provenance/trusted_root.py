"""A Sigstore trusted root (protobuf-specs, sigstore_trustroot.proto): whose certificates, logs and times we believe."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from maestro.errors import UsageError
from maestro.evidence.errors import BadEvidence
from maestro.evidence.strict_json import loads
from maestro.provenance.reading import Fields

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
    from cryptography.x509 import Certificate

_MEDIA_TYPES: Final = (
    "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    "application/vnd.dev.sigstore.trustedroot.v0.2+json",
)


@dataclass(frozen=True, slots=True)
class Span:
    """When something was in service: both ends inclusive, aware UTC; without an end: still."""

    start: dt.datetime
    end: dt.datetime | None

    def __contains__(self, when: dt.datetime) -> bool:
        return self.start <= when and (self.end is None or when <= self.end)


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate or timestamp authority: its chain, issuing certificate first, root last."""

    chain: tuple[Certificate, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class LogKey:
    """The key of a transparency or certificate log; ``host`` is how checkpoints name it."""

    log_id: bytes
    key: PublicKeyTypes
    span: Span
    host: str


@dataclass(frozen=True, slots=True)
class TrustedRoot:
    """One instance of Sigstore, as its operator's file describes it. ``data``: that file's bytes."""

    name: str
    data: bytes
    authorities: tuple[Authority, ...]
    logs: tuple[LogKey, ...]
    certificate_logs: tuple[LogKey, ...]
    timestamp_authorities: tuple[Authority, ...]
    without_transparency: bool = False

    def log(self, log_id: bytes) -> LogKey | None:
        """The transparency log with this id."""
        return next((one for one in self.logs if one.log_id == log_id), None)


def load(
    data: bytes, *, name: str, where: str, sha256: str | None = None, without_transparency: bool = False
) -> TrustedRoot:
    """The trusted root in ``data``, whose SHA-256 must be ``sha256`` (hexadecimal) where that is given.

    Raises:
        UsageError: another digest, or not a trusted root.
    """
    found = hashlib.sha256(data).hexdigest()
    if sha256 is not None and found != sha256:
        raise UsageError(
            f"this is not the trusted root that trust.yaml means: its SHA-256 is {found}",
            where=where,
            remedy="restore the file, or pin the new one's digest through a reviewed change",
        )

    def refuse(words: str) -> UsageError:
        return UsageError(f"the trusted root cannot be used: {words}", where=where, remedy="get its file again")

    try:
        value = loads(data, what="the file")
    except BadEvidence as error:
        raise refuse(error.message) from error
    if value.get("mediaType") not in _MEDIA_TYPES:
        raise refuse(f"its media type is {value.get('mediaType')!r:.80}")
    root = Fields(value, "", refuse)
    try:
        made = TrustedRoot(
            name=name,
            data=data,
            authorities=tuple(_authority(one) for one in root.each("certificateAuthorities")),
            logs=tuple(_logs(root, "tlogs")),
            certificate_logs=tuple(_logs(root, "ctlogs")),
            timestamp_authorities=tuple(_authority(one) for one in root.each("timestampAuthorities")),
            without_transparency=without_transparency,
        )
    except ValueError as error:
        raise refuse(f"a key or certificate in it cannot be read ({error})") from error
    if not made.authorities:
        raise refuse("it has no certificate authority")
    return made


def _span(fields: Fields) -> Span:
    span = fields.fields("validFor")
    # A span without a beginning is malformed, not one that reaches back for ever.
    return Span(span.time("start"), span.time("end") if "end" in span else None)


def _authority(authority: Fields) -> Authority:
    from cryptography.x509 import load_der_x509_certificate

    chain = tuple(
        load_der_x509_certificate(one.data("rawBytes")) for one in authority.fields("certChain").each("certificates")
    )
    if not chain:
        raise ValueError("an authority without certificates")
    return Authority(chain, _span(authority))


def _logs(root: Fields, key: str) -> Iterator[LogKey]:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    for log in root.each(key):
        public = log.fields("publicKey")
        try:
            found = load_der_public_key(public.data("rawBytes"))
        except UnsupportedAlgorithm as error:
            raise ValueError(str(error)) from error
        host = urlsplit(log.text("baseUrl")).netloc
        yield LogKey(log.fields("logId").data("keyId"), found, _span(public), host)
