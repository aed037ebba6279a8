"""A signer whose key is ECDSA P-256 in a PEM file or variable."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from maestro.evidence import public_key
from maestro.evidence.errors import KeyProblem

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

HOW_TO_MAKE = "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out maestro-key.pem"


class EcdsaSigner:
    """Signs with ECDSA P-256 and SHA-256; signatures are DER, as cosign and openssl want them."""

    def __init__(self, key: EllipticCurvePrivateKey) -> None:
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        self._key = key
        self._algorithm = ECDSA(SHA256())
        public = key.public_key()
        self.key_id = public_key.fingerprint(public)
        self.public_key_pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")

    def sign(self, data: bytes) -> bytes:
        """The DER signature over ``data``."""
        return self._key.sign(data, self._algorithm)


def from_pem(pem: bytes, *, where: str) -> EcdsaSigner:
    """A signer from an unencrypted PEM private key (PKCS #8 or SEC 1). The message never shows the key.

    Raises:
        KeyProblem: encrypted, not a private key, or of another type.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError as error:
        raise KeyProblem(
            "the signing key is encrypted with a passphrase",
            where=where,
            remedy="nobody is there to type it: keep it unencrypted in a secret store and hand it over from there",
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyProblem(
            "the signing key is not a private key in PEM form", where=where, remedy=f"make one: `{HOW_TO_MAKE}`"
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise KeyProblem(
            f"the signing key is {_name(key)}, wanted ECDSA on the curve P-256",
            where=where,
            remedy=f"make one: `{HOW_TO_MAKE}`",
        )
    return EcdsaSigner(key)


def _name(key: object) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec

    return (
        f"ECDSA on {key.curve.name}" if isinstance(key, ec.EllipticCurvePrivateKey) else type(key).__name__.lstrip("_")
    )


def find(key_file: str | None, environ: Mapping[str, str], cwd: Path) -> EcdsaSigner:
    """The signer for a run: ``--key FILE``, else MAESTRO_SIGNING_KEY (PEM text), else MAESTRO_SIGNING_KEY_FILE.

    Raises:
        KeyProblem: none given, unreadable, encrypted, or of another type.
    """
    if key_file is None and environ.get("MAESTRO_SIGNING_KEY"):
        text = environ["MAESTRO_SIGNING_KEY"]
        return from_pem(text.encode("utf-8", "surrogateescape"), where="MAESTRO_SIGNING_KEY")
    name = key_file or environ.get("MAESTRO_SIGNING_KEY_FILE")
    if not name:
        raise KeyProblem(
            "there is no key to sign with",
            remedy="give --key FILE, or set MAESTRO_SIGNING_KEY (PEM) or MAESTRO_SIGNING_KEY_FILE; "
            f"make one: `{HOW_TO_MAKE}`",
        )
    try:
        pem = (cwd / name).read_bytes()
    except OSError as error:
        raise KeyProblem(
            f"the signing key cannot be read: {error.strerror}", where=name, remedy="check the path and its permissions"
        ) from error
    return from_pem(pem, where=name)
