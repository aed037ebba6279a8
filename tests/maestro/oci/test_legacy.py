"""cosign's old attestations with a certificate and the log's promise in annotations, as a bundle."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro.errors import MaestroError
from maestro.evidence.trust import Trust
from maestro.oci.legacy import ENVELOPE, bundle_of
from maestro.oci.manifests import parse_manifest
from maestro.provenance.bundle import parse
from maestro.provenance.reasons import NotProven
from maestro.provenance.trust_policy import Loosen
from tests.maestro.oci.test_lying_registry import Case
from tests.maestro.provenance.refusals import RUN, SIGSTORE, entry
from tests.support.private_sigstore.instance import Signer
from tests.support.private_sigstore.workflow import statement
from tests.support.registries import CONFIG, MANIFEST, LyingRegistry, descriptor

PROMISE = Loosen(promise_without_proof=True)


def old_form(sha256: str) -> tuple[bytes, dict[str, str]]:
    """As `cosign attest` wrote it before bundles."""
    signer: Signer = SIGSTORE.signer(RUN)
    bundle = SIGSTORE.attest(statement(RUN.provenance_v1(), sha256), signer)
    [log] = bundle["verificationMaterial"]["tlogEntries"]
    payload = {
        "body": log["canonicalizedBody"],
        "integratedTime": int(log["integratedTime"]),
        "logIndex": int(log["logIndex"]),
        "logID": base64.b64decode(log["logId"]["keyId"]).hex(),
    }
    promise = {"SignedEntryTimestamp": log["inclusionPromise"]["signedEntryTimestamp"], "Payload": payload}
    annotations = {
        "dev.cosignproject.cosign/signature": "",
        "dev.sigstore.cosign/certificate": signer.pem.decode(),
        "dev.sigstore.cosign/chain": "whatever",
        "dev.sigstore.cosign/bundle": json.dumps(promise),
    }
    return json.dumps(bundle["dsseEnvelope"]).encode(), annotations


@pytest.fixture
def case() -> Iterator[Case]:
    server = LyingRegistry()
    case = Case(server)
    case.image = server.image("old", content=b"old")
    yield case
    server.stop()


def attach(case: Case, layer: bytes, annotations: dict[str, str], media_type: str = ENVELOPE) -> None:
    case.server.blobs[descriptor(layer, media_type)["digest"].removeprefix("sha256:")] = layer
    value: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(b"{}", CONFIG),
        "layers": [descriptor(layer, media_type, annotations=annotations)],
    }
    case.server.put(value, f"sha256-{case.image}.att")


def test_a_promise_alone_has_to_be_allowed(case: Case) -> None:
    attach(case, *old_form(case.image))
    assert case.codes(":old") == ["verify/log-inclusion"]
    case.entry = entry(match=case.entry.match, loosen=PROMISE)
    assert case.codes(":old") == [None]


def test_of_another_image(case: Case) -> None:
    case.entry = entry(match=case.entry.match, loosen=PROMISE)
    attach(case, *old_form("ab" * 32))
    assert case.codes(":old") == ["verify/subject-mismatch"]


def _changed(annotations: dict[str, str], key: str, change: dict[str, Any]) -> dict[str, str]:
    value = json.loads(annotations[key])
    value["Payload"] |= change
    return annotations | {key: json.dumps(value)}


LOG = "dev.sigstore.cosign/bundle"
CERTIFICATE = "dev.sigstore.cosign/certificate"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("no-log", "verify/log-missing"),
        ("log-no-json", "verify/image-attestation"),
        ("log-of-another-time", "verify/log-promise"),
        ("log-id-of-another", "verify/log-unknown"),
        ("no-certificate", "verify/key-unknown"),
        ("certificate-no-pem", "verify/image-attestation"),
        ("certificate-of-another", "verify/signature-invalid"),
        ("two-certificates", "verify/image-attestation"),
        ("timestamp-malformed", "verify/timestamp-malformed"),
        ("envelope-twice-signed", "verify/image-attestation"),
        ("another-media-type", "verify/image-attestation"),
    ],
)
def test_one_change(case: Case, name: str, code: str) -> None:
    case.entry = entry(match=case.entry.match, loosen=PROMISE)
    layer, annotations = old_form(case.image)
    pem = annotations[CERTIFICATE]
    value = json.loads(layer)
    value["signatures"] *= 2
    changes: dict[str, tuple[bytes, dict[str, str]]] = {
        "no-log": (layer, {key: one for key, one in annotations.items() if key != LOG}),
        "log-no-json": (layer, annotations | {LOG: "{"}),
        "log-of-another-time": (layer, _changed(annotations, LOG, {"integratedTime": 1_790_000_000})),
        "log-id-of-another": (layer, _changed(annotations, LOG, {"logID": "00" * 32})),
        "no-certificate": (layer, {key: one for key, one in annotations.items() if key != CERTIFICATE}),
        "certificate-no-pem": (layer, annotations | {CERTIFICATE: "x"}),
        "certificate-of-another": (layer, annotations | {CERTIFICATE: SIGSTORE.signer(RUN).pem.decode()}),
        "two-certificates": (layer, annotations | {CERTIFICATE: pem * 2}),
        "timestamp-malformed": (
            layer,
            annotations | {"dev.sigstore.cosign/rfc3161timestamp": '{"SignedRFC3161Timestamp": "eA=="}'},
        ),
        "envelope-twice-signed": (json.dumps(value).encode(), annotations),
        "another-media-type": (layer, annotations),
    }
    attach(case, *changes[name], media_type="text/plain" if name == "another-media-type" else ENVELOPE)
    assert case.codes(":old") == [code]


TEXT = st.text(max_size=60) | st.sampled_from(["{}", '{"Payload":{}}', "-----BEGIN CERTIFICATE-----"])


@given(
    st.binary(max_size=60) | TEXT.map(lambda one: one.encode()),
    st.dictionaries(st.sampled_from([LOG, CERTIFICATE]), TEXT),
)
def test_nothing_crashes(layer: bytes, annotations: dict[str, str]) -> None:
    with pytest.raises(NotProven):
        bundle_of(layer, annotations, Trust({}))


@given(st.dictionaries(st.sampled_from([LOG, "dev.sigstore.cosign/rfc3161timestamp", CERTIFICATE]), TEXT))
def test_whatever_stands_in_annotations_is_a_bundle_or_a_refusal(changes: dict[str, str]) -> None:
    layer, annotations = _OLD
    with contextlib.suppress(NotProven):
        parse(bundle_of(layer, annotations | changes, Trust({})))


_OLD = old_form("ab" * 32)

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["layers", "manifests", "subject", "mediaType", "digest", "size", "annotations", "platform"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(_JSON, st.sampled_from([MANIFEST, "application/vnd.oci.image.index.v1+json", "", "text/html"]))
def test_whatever_is_served_is_a_manifest_or_a_refusal(value: object, kind: str) -> None:
    data = json.dumps({"mediaType": kind, **value} if isinstance(value, dict) else value).encode()
    try:
        parse_manifest(data, kind, "")
    except MaestroError as error:
        assert isinstance(error, NotProven)
