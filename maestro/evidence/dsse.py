"""DSSE v1: the envelope around signed bytes (secure-systems-lab/dsse, protocol.md and envelope.md)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Envelope:
    """Signed bytes with their type and one signature. ``payload`` is kept as it was signed."""

    payload_type: str
    payload: bytes
    signature: bytes
    key_id: str

    @property
    def signed(self) -> bytes:
        """The bytes the signature is over."""
        return pre_authentication_encoding(self.payload_type, self.payload)


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """PAE: ``DSSEv1 SP LEN(type) SP type SP LEN(payload) SP payload``, lengths in bytes."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
