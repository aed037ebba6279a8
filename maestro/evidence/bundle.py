"""Sigstore bundle v0.3 around a DSSE envelope, for a plain public key (protobuf-specs, sigstore_bundle.proto).

``verificationMaterial.publicKey.hint`` names the key; whoever verifies already has it. There is no log entry.
"""

from __future__ import annotations

import base64
import binascii
from functools import lru_cache
from typing import Any

from maestro.canonical_json import dumps
from maestro.evidence.dsse import Envelope
from maestro.evidence.errors import BadEvidence
from maestro.evidence.strict_json import SIZE_LIMIT, loads
from maestro.evidence.types import BUNDLE, PAYLOAD

_TO_PAYLOAD = b'{"dsseEnvelope":{"payload":"'
_TO_SIGNATURE = b'","payloadType":"%b","signatures":[{"sig":"' % PAYLOAD.encode()
_TO_HINT = b'"}]},"mediaType":"%b","verificationMaterial":{"publicKey":{"hint":"' % BUNDLE.encode()
_END = b'"}}}\n'
"""What ``to_bytes`` writes around payload, signature and hint of a statement."""


@lru_cache(maxsize=16)
def _quoted(text: str) -> bytes:
    return dumps(text)


def to_bytes(envelope: Envelope) -> bytes:
    """The bundle as one line of JSON with a newline at its end."""
    # no keyid beside sig: cosign would compare it with its own name for the key and find no match
    return (
        b'{"dsseEnvelope":{"payload":"%b","payloadType":%b,"signatures":[{"sig":"%b"}]},'
        b'"mediaType":%b,"verificationMaterial":{"publicKey":{"hint":%b}}}\n'
    ) % (
        base64.b64encode(envelope.payload),
        _quoted(envelope.payload_type),
        base64.b64encode(envelope.signature),
        _quoted(BUNDLE),
        _quoted(envelope.key_id),
    )


def _member(value: object, *path: str) -> Any:  # noqa: ANN401 - JSON
    for key in path:
        if not isinstance(value, dict) or key not in value:
            raise BadEvidence(f"the bundle has no {'.'.join(path)}")
        value = value[key]
    return value


def _base64(text: object, what: str) -> bytes:
    if not isinstance(text, str | bytes):
        raise BadEvidence(f"the bundle's {what} is not text")
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError) as error:
        raise BadEvidence(f"the bundle's {what} is not base64: {error}") from error


def _ours(data: bytes) -> tuple[bytes, bytes, str] | None:
    """Payload, signature and hint, where all around them is what ``to_bytes`` writes around a statement; else None.

    With no quotation mark or escape in any of the three it can be read in one way only, and without a JSON parser in a
    tenth of the time.
    """
    if not data.startswith(_TO_PAYLOAD) or not data.endswith(_END) or b"\\" in data:
        return None
    payload, _, rest = data[len(_TO_PAYLOAD) : -len(_END)].partition(_TO_SIGNATURE)
    signature, _, hint = rest.partition(_TO_HINT)
    if not hint.isascii() or any(b'"' in one for one in (payload, signature, hint)):
        return None
    text = hint.decode("ascii")
    return (payload, signature, text) if text.isprintable() and text else None


def parse(data: bytes) -> Envelope:
    """The envelope in a bundle. Signatures are not checked here.

    Raises:
        BadEvidence: not a bundle v0.3 with a public key's hint and exactly one DSSE signature.
    """
    ours = _ours(data) if len(data) <= SIZE_LIMIT else None
    if ours is not None:
        payload, signature, hint = ours
        return Envelope(
            payload_type=PAYLOAD,
            payload=_base64(payload, "payload"),
            signature=_base64(signature, "signature"),
            key_id=hint,
        )
    value = loads(data, what="the bundle")
    if value.get("mediaType") != BUNDLE:
        raise BadEvidence(f"the bundle's media type is {value.get('mediaType')!r}, wanted {BUNDLE!r}")
    hint = _member(value, "verificationMaterial", "publicKey", "hint")
    signatures = _member(value, "dsseEnvelope", "signatures")
    payload_type = _member(value, "dsseEnvelope", "payloadType")
    if not isinstance(hint, str) or not hint:
        raise BadEvidence("the bundle's key hint is not text")
    if not isinstance(payload_type, str):
        raise BadEvidence("the bundle's payload type is not text")
    if not isinstance(signatures, list) or len(signatures) != 1:
        raise BadEvidence("the bundle's envelope has not exactly one signature")
    return Envelope(
        payload_type=payload_type,
        payload=_base64(_member(value, "dsseEnvelope", "payload"), "payload"),
        signature=_base64(_member(signatures[0], "sig"), "signature"),
        key_id=hint,
    )
