"""Signatures by the kinds of keys that Sigstore uses (architecture-docs: algorithm-registry.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes, PublicKeyTypes
    from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512

_SMALLEST_RSA = 2048


class UnsupportedKey(ValueError):
    """A key of a kind, curve or size that is not accepted."""


def _hash_for(curve: str) -> SHA256 | SHA384 | SHA512:
    from cryptography.hazmat.primitives import hashes

    if curve == "secp256r1":
        return hashes.SHA256()
    if curve == "secp384r1":
        return hashes.SHA384()
    if curve == "secp521r1":
        return hashes.SHA512()
    raise UnsupportedKey(f"ECDSA on {curve}")


def verifies(
    key: PublicKeyTypes | CertificatePublicKeyTypes, signature: bytes, data: bytes, *, sha256_given: bool = False
) -> bool:
    """Whether ``signature`` over ``data`` is this key's; ``sha256_given``: ``data`` is the digest of what was signed.

    Raises:
        UnsupportedKey: of a kind, curve or size that is not accepted, or one that cannot sign a digest.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            algorithm = _hash_for(key.curve.name)
            if sha256_given and not isinstance(algorithm, hashes.SHA256):
                raise UnsupportedKey(f"ECDSA on {key.curve.name} over a SHA-256 digest")
            key.verify(signature, data, ec.ECDSA(Prehashed(algorithm) if sha256_given else algorithm))
        elif isinstance(key, rsa.RSAPublicKey):
            if key.key_size < _SMALLEST_RSA:
                raise UnsupportedKey(f"RSA with {key.key_size} bits")
            sha256 = hashes.SHA256()
            key.verify(signature, data, padding.PKCS1v15(), Prehashed(sha256) if sha256_given else sha256)
        elif isinstance(key, ed25519.Ed25519PublicKey):
            if sha256_given:
                raise UnsupportedKey("Ed25519 over a digest")
            key.verify(signature, data)
        else:
            raise UnsupportedKey(type(key).__name__)
    except InvalidSignature:
        return False
    return True
