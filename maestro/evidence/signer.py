"""What can sign: a key in a file today, a key service or a workload identity later."""

from __future__ import annotations

from typing import Protocol

from maestro.evidence import bundle
from maestro.evidence.dsse import Envelope, pre_authentication_encoding
from maestro.evidence.statement import Statement
from maestro.evidence.types import PAYLOAD


class Signer(Protocol):
    """Signs bytes with one key."""

    @property
    def key_id(self) -> str:
        """The fingerprint of the public key: what a bundle's hint says (see ``public_key.fingerprint``)."""

    @property
    def public_key_pem(self) -> str:
        """The public key (SubjectPublicKeyInfo, PEM)."""

    def sign(self, data: bytes) -> bytes:
        """The signature over ``data`` (hashing included)."""


def sign_statement(statement: Statement, signer: Signer) -> bytes:
    """The statement, signed, as the bytes of a Sigstore bundle."""
    payload = statement.to_bytes()
    signature = signer.sign(pre_authentication_encoding(PAYLOAD, payload))
    return bundle.to_bytes(Envelope(PAYLOAD, payload, signature, signer.key_id))
