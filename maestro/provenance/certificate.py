"""Fulcio's certificates: is one issued by a root we believe, and whose identity does it name.

Sources: fulcio's certificate-specification.md and oid-info.md; RFC 5280 for paths.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeVar

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier
from cryptography.x509.verification import (
    ClientVerifier,
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from maestro.provenance.bundle import Bundle
from maestro.provenance.reasons import NotProven
from maestro.provenance.trusted_root import Authority, Span, TrustedRoot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cryptography.x509 import Certificate

_Kind = TypeVar("_Kind", bound=x509.ExtensionType)
_FULCIO: Final = "1.3.6.1.4.1.57264.1."
_UTF8: Final = 0x0C


@dataclass(frozen=True, slots=True)
class Identity:
    """What a certificate says about who signed. Empty where it says nothing.

    ``subject`` is its one alternative name; the others are Fulcio's extensions, named as its documentation does.
    """

    subject: str
    issuer: str = ""  # 8, or 1 in old certificates
    build_signer_uri: str = ""  # 9
    build_signer_digest: str = ""  # 10
    runner_environment: str = ""  # 11
    source_repository_uri: str = ""  # 12
    source_repository_digest: str = ""  # 13
    source_repository_ref: str = ""  # 14
    source_repository_identifier: str = ""  # 15
    source_repository_owner_uri: str = ""  # 16
    source_repository_owner_identifier: str = ""  # 17
    build_config_uri: str = ""  # 18
    build_config_digest: str = ""  # 19
    build_trigger: str = ""  # 20
    run_invocation_uri: str = ""  # 21


_ISSUER_V1: Final = ObjectIdentifier(_FULCIO + "1")
_OTHER_NAME: Final = ObjectIdentifier(_FULCIO + "7")
_NAMES: Final = {ObjectIdentifier(f"{_FULCIO}{number}"): one.name for number, one in enumerate(fields(Identity)[1:], 8)}


def load(bundle: Bundle) -> Certificate:
    """The signing certificate of a bundle.

    Raises:
        NotProven: it cannot be read, or a root certificate lies beside it.
    """
    if bundle.certificate is None:
        raise NotProven("verify/bundle-form", "the bundle has no certificate")
    try:
        certificate = x509.load_der_x509_certificate(bundle.certificate)
        beside = [x509.load_der_x509_certificate(one) for one in bundle.intermediates]
        if any(one.subject == one.issuer for one in beside):
            raise NotProven(
                "verify/bundle-root-certificate", "the bundle brings a root certificate: roots are ours to name"
            )
        # Names are only parsed when they are asked for.
        _ = certificate.public_key(), certificate.subject, certificate.issuer
    except NotProven:
        raise
    except Exception as error:  # cryptography raises a dozen kinds for malformed DER, some only when asked
        raise NotProven("verify/certificate-malformed", f"the certificate cannot be read: {error}") from error
    return certificate


def identity(certificate: Certificate) -> Identity:
    """Whom the certificate names.

    Raises:
        NotProven: not a certificate for signing code, or not exactly one name in it.
    """

    def profile(words: str) -> NotProven:
        return NotProven("verify/certificate-profile", f"the certificate {words}")

    try:
        extensions = {one.oid: one.value for one in certificate.extensions}
        usage = _extension(extensions, x509.KeyUsage)
        extended = _extension(extensions, x509.ExtendedKeyUsage)
        names = list(_extension(extensions, x509.SubjectAlternativeName))
    except x509.ExtensionNotFound as error:
        raise profile(f"lacks an extension: {error}") from error
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise NotProven("verify/certificate-malformed", f"the certificate cannot be read: {error}") from error
    if not usage.digital_signature or usage.key_cert_sign:
        raise profile("is not for signatures")
    if ExtendedKeyUsageOID.CODE_SIGNING not in extended:
        raise profile("is not for signing code")
    if len(names) != 1:
        raise profile(f"has {len(names)} names, wanted exactly one")
    found = {name: _utf8_string(der) for oid, name in _NAMES.items() if (der := _fulcio(extensions, oid)) is not None}
    old_issuer = _fulcio(extensions, _ISSUER_V1)
    if old_issuer is not None:
        found.setdefault("issuer", old_issuer.decode("utf-8", "replace"))
    return Identity(subject=_name(names[0]), **found)


def _extension(extensions: Mapping[ObjectIdentifier, x509.ExtensionType], kind: type[_Kind]) -> _Kind:
    found = extensions.get(kind.oid)
    if not isinstance(found, kind):
        raise x509.ExtensionNotFound(f"No {kind} extension was found", kind.oid)
    return found


def _fulcio(extensions: Mapping[ObjectIdentifier, x509.ExtensionType], oid: ObjectIdentifier) -> bytes | None:
    found = extensions.get(oid)
    # isinstance would ask an abstract base class, which is slow.
    return found.value if type(found) is x509.UnrecognizedExtension else None


def _utf8_string(der: bytes) -> str:
    """A DER UTF8String."""
    try:
        if der[0] == _UTF8:
            length, begin = der[1], 2
            if length & 0x80:
                size = length & 0x7F
                length, begin = int.from_bytes(der[2 : 2 + size]), 2 + size
            if len(der) == begin + length:
                return der[begin:].decode("utf-8")
    except (IndexError, UnicodeDecodeError):
        pass
    raise NotProven("verify/certificate-malformed", "an extension of the certificate is not a UTF8String")


def _name(name: object) -> str:
    if isinstance(name, x509.UniformResourceIdentifier | x509.RFC822Name):
        return name.value
    if isinstance(name, x509.OtherName) and name.type_id == _OTHER_NAME:
        return _utf8_string(name.value)
    raise NotProven("verify/certificate-profile", f"the certificate's name is a {type(name).__name__}")


def issued_by(root: TrustedRoot, certificate: Certificate) -> tuple[Authority, ...]:
    """The root's authorities that bear the name the certificate gives as its issuer's."""
    return tuple(one for one in root.authorities if one.chain[0].subject == certificate.issuer)


def verify_path(candidates: Sequence[Authority], certificate: Certificate, times: Sequence[dt.datetime]) -> Certificate:
    """The issuing certificate, proven to lead to the root at each of ``times`` (when the signature is known to exist).

    Raises:
        NotProven: not issued by any, or not valid then, or an authority out of service then.
    """
    worst: NotProven | None = None
    for authority in candidates:
        try:
            for when in dict.fromkeys(times):
                _require_path(authority, certificate, when)
        except NotProven as error:
            worst = error
        else:
            return authority.chain[0]
    raise worst or NotProven("verify/certificate-untrusted", "none of the roots in trust.yaml issued the certificate")


def _said(when: dt.datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M:%S} UTC"


def _require_path(authority: Authority, certificate: Certificate, when: dt.datetime) -> None:
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not start <= when <= end:
        message = f"signed at {_said(when)}, but the certificate is valid from {_said(start)} to {_said(end)}"
        raise NotProven("verify/certificate-expired", message)
    if when not in authority.span or start not in authority.span:
        message = f"the certificate authority was not in service at {_said(when)}, says the trusted root"
        raise NotProven("verify/certificate-authority-retired", message)
    try:
        _prove_path(authority.chain, certificate, when)
    except (VerificationError, x509.UnsupportedGeneralNameType, ValueError) as error:
        message = f"the certificate does not lead to the root in trust.yaml: {error}"
        raise NotProven("verify/certificate-untrusted", message) from error


def _prove_path(chain: tuple[Certificate, ...], certificate: Certificate, when: dt.datetime) -> None:
    """The whole path the first time; then only its last step, as the others are the same for every certificate."""
    span = _proven.get(chain)
    if span is not None and when in span:
        try:
            _path_verifier(chain[0], when).verify(certificate, [])
        except (VerificationError, x509.UnsupportedGeneralNameType, ValueError):
            pass  # the whole path says why
        else:
            return
    path = _path_verifier(chain[-1], when).verify(certificate, list(chain[:-1])).chain[1:]
    if path[0] == chain[0] and not any(_constrains_names(one) for one in path):
        start, end = (max(one.not_valid_before_utc for one in path), min(one.not_valid_after_utc for one in path))
        _proven[chain] = Span(start, end)


_proven: dict[tuple[Certificate, ...], Span] = {}
"""Chains of trusted roots, by their bytes, of which a path from the issuing certificate to the root was verified, and
when all of that path is valid. What else it is held to does not depend on the certificate that it ends in, unless a
name constraint is in it."""


def _constrains_names(certificate: Certificate) -> bool:
    return any(one.oid == x509.NameConstraints.oid for one in certificate.extensions)


@lru_cache(maxsize=64)
def _store(root: Certificate) -> Store:
    return Store([root])


@lru_cache(maxsize=256)
def _path_verifier(root: Certificate, when: dt.datetime) -> ClientVerifier:
    # The web's policy would want the usage "client authentication"; ours is code signing, which `identity` asks for.
    usage = x509.ExtendedKeyUsage
    authority = ExtensionPolicy.webpki_defaults_ca().may_be_present(usage, Criticality.NON_CRITICAL, None)
    leaf = ExtensionPolicy.webpki_defaults_ee().may_be_present(usage, Criticality.NON_CRITICAL, None)
    policy = PolicyBuilder().store(_store(root)).time(when).extension_policies(ca_policy=authority, ee_policy=leaf)
    return policy.build_client_verifier()
