"""Signatures by the kinds of keys that Sigstore uses (architecture-docs: algorithm-registry.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes, PublicKeyTypes

_SMALLEST_RSA: Final = 2048
_SHA256: Final = hashes.SHA256()
_ECDSA: Final = {
    "secp256r1": ec.ECDSA(_SHA256),
    "secp384r1": ec.ECDSA(hashes.SHA384()),
    "secp521r1": ec.ECDSA(hashes.SHA512()),
}
_ECDSA_OF_DIGEST: Final = ec.ECDSA(Prehashed(_SHA256))


class UnsupportedKey(ValueError):
    """A key of a kind, curve or size that is not accepted."""


def verifies(
    key: PublicKeyTypes | CertificatePublicKeyTypes, signature: bytes, data: bytes, *, sha256_given: bool = False
) -> bool:
    """Whether ``signature`` over ``data`` is this key's; ``sha256_given``: ``data`` is the digest of what was signed.

    Raises:
        UnsupportedKey: of a kind, curve or size that is not accepted, or one that cannot sign a digest.
    """
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            curve = key.curve.name
            if curve not in _ECDSA:
                raise UnsupportedKey(f"ECDSA on {curve}")
            if sha256_given and curve != "secp256r1":
                raise UnsupportedKey(f"ECDSA on {curve} over a SHA-256 digest")
            key.verify(signature, data, _ECDSA_OF_DIGEST if sha256_given else _ECDSA[curve])
        elif isinstance(key, rsa.RSAPublicKey):
            if key.key_size < _SMALLEST_RSA:
                raise UnsupportedKey(f"RSA with {key.key_size} bits")
            key.verify(signature, data, padding.PKCS1v15(), Prehashed(_SHA256) if sha256_given else _SHA256)
        elif isinstance(key, ed25519.Ed25519PublicKey):
            if sha256_given:
                raise UnsupportedKey("Ed25519 over a digest")
            key.verify(signature, data)
        else:
            raise UnsupportedKey(type(key).__name__)
    except InvalidSignature:
        return False
    return True
