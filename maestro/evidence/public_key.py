"""ECDSA P-256 public keys: reading, naming, verifying."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import TYPE_CHECKING

from maestro.evidence.errors import KeyProblem

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey


def load(pem: str, *, where: str | None = None) -> EllipticCurvePublicKey:
    """The key in PEM text (SubjectPublicKeyInfo).

    Raises:
        KeyProblem: not PEM, or not an ECDSA key on P-256.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(pem.encode("utf-8", "replace"))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyProblem(f"not a public key in PEM form: {error}", where=where) from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise KeyProblem("the public key is not ECDSA on the curve P-256", where=where)
    return key


def fingerprint(key: EllipticCurvePublicKey) -> str:
    """Base64 of the SHA-256 of the DER form: made from the key, so one key never counts as two."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(der).digest()).decode("ascii")


def verifies(key: EllipticCurvePublicKey, signature: bytes, data: bytes) -> bool:
    """Whether ``signature`` (DER) over ``data`` with SHA-256 was made by this key."""
    algorithm, refusal = _verification()
    try:
        key.verify(signature, data, algorithm)
    except refusal:
        return False
    return True


@cache
def _verification() -> tuple[ECDSA, type[Exception]]:
    """The algorithm, and what cryptography raises for a signature that is none: imported once, not for each."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA256

    return ECDSA(SHA256()), InvalidSignature
