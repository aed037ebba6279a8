"""cosign's old attestations (cosign: specs/SIGNATURE_SPEC.md): a DSSE envelope as a layer, the rest in annotations.

They become bundles v0.1, which verification knows. Such a bundle has the log's promise, never its proof.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from maestro.evidence.dsse import pre_authentication_encoding
from maestro.evidence.errors import BadEvidence
from maestro.evidence.strict_json import loads
from maestro.evidence.trust import Trust
from maestro.provenance.public_keys import UnsupportedKey, verifies
from maestro.provenance.reading import Fields
from maestro.provenance.reasons import NotProven

ENVELOPE: Final = "application/vnd.dsse.envelope.v1+json"
_V01: Final = "application/vnd.dev.sigstore.bundle+json;version=0.1"
_CERTIFICATE: Final = "dev.sigstore.cosign/certificate"
_LOG: Final = "dev.sigstore.cosign/bundle"
_TIMESTAMP: Final = "dev.sigstore.cosign/rfc3161timestamp"
_PEM = re.compile(r"\s*-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+?)\s+-----END CERTIFICATE-----\s*")
_HEX = re.compile(r"[0-9a-f]{64}")


def _form(words: str) -> NotProven:
    return NotProven("verify/image-attestation", f"cosign's attestation is malformed: {words}")


def bundle_of(layer: bytes, annotations: Mapping[str, str], keys: Trust) -> bytes:
    """A Sigstore bundle with what a layer and its annotations say.

    Args:
        layer: the envelope.
        annotations: the layer's. The chain in them is not looked at: a trusted root has its own.
        keys: where no certificate is named, the one of these that made the signature is.

    Raises:
        NotProven: something is missing or malformed, or none of ``keys`` signed.
    """
    envelope = _json(layer, "the envelope")
    content = Fields(envelope, "", _form)
    signatures = content.each("signatures")
    if len(signatures) != 1:
        raise _form(f"{len(signatures)} signatures, wanted one")
    signature = signatures[0].data("sig")
    material: dict[str, Any] = {}
    if annotations.get(_CERTIFICATE):
        # The chain stays behind: what issues certificates is for the trusted root to say.
        certificates = [{"rawBytes": _certificate(annotations[_CERTIFICATE])}]
        material["x509CertificateChain"] = {"certificates": certificates}
    else:
        signed = pre_authentication_encoding(content.text("payloadType"), content.data("payload"))
        material["publicKey"] = {"hint": _signer(signed, signature, keys)}
    if annotations.get(_LOG):
        material["tlogEntries"] = [_entry(_json(annotations[_LOG].encode(), _LOG))]
    if annotations.get(_TIMESTAMP):
        stamp = Fields(_json(annotations[_TIMESTAMP].encode(), _TIMESTAMP), _TIMESTAMP, _form)
        stamps = [{"signedTimestamp": stamp.text("SignedRFC3161Timestamp")}]
        material["timestampVerificationData"] = {"rfc3161Timestamps": stamps}
    # As the layer has it: an envelope that says something twice was refused above.
    return json.dumps({"mediaType": _V01, "verificationMaterial": material, "dsseEnvelope": envelope}).encode()


def _json(data: bytes, what: str) -> dict[str, Any]:
    try:
        return loads(data, what=what)
    except BadEvidence as error:
        raise _form(error.message) from error


def _certificate(pem: str) -> str:
    found = _PEM.fullmatch(pem) if len(pem) < 64 << 10 else None
    if found is None:
        raise _form(f"{_CERTIFICATE} is not one certificate in PEM")
    return "".join(found[1].split())


def _signer(signed: bytes, signature: bytes, keys: Trust) -> str:
    for fingerprint, key in keys.keys.items():
        try:
            if verifies(key.key, signature, signed):
                return fingerprint
        except UnsupportedKey:
            continue
    raise NotProven("verify/key-unknown", "signed by a key that trust.yaml does not list, or changed since")


def _entry(value: dict[str, Any]) -> dict[str, Any]:
    log = Fields(value, _LOG, _form)
    payload = log.fields("Payload")
    body = Fields(_json(payload.data("body"), "the log entry"), "body", _form)
    log_id = payload.text("logID")
    if not _HEX.fullmatch(log_id):
        raise _form("logID is not a SHA-256 digest")
    return {
        "logIndex": payload.number("logIndex") if "logIndex" in payload else 0,
        "logId": {"keyId": base64.b64encode(bytes.fromhex(log_id)).decode()},
        "kindVersion": {"kind": body.text("kind"), "version": body.text("apiVersion")},
        "integratedTime": payload.number("integratedTime"),
        "inclusionPromise": {"signedEntryTimestamp": log.text("SignedEntryTimestamp")},
        "canonicalizedBody": payload.text("body"),
    }
