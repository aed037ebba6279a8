"""Whatever bytes come, the answer is a verdict with a reason, never a crash."""

from __future__ import annotations

import base64
import copy
import json
from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maestro.documents.problem import Problem
from maestro.errors import UsageError
from maestro.provenance import trusted_root
from maestro.provenance.reasons import REASONS
from maestro.provenance.trust_policy import TrustPolicy, read_trust_policy
from tests.maestro.provenance.refusals import SIGSTORE, attested, judge

_FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TRIED = {log: attested(log=log, stamp=True) for log in (1, 2)}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def _reason(raw: bytes) -> str | None:
    found = judge(replace(TRIED[1], raw=raw))
    assert found.problem is None or found.problem.code in REASONS
    return found.problem.code if found.problem is not None else None


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "verify/bundle-malformed"),
        (b"[]", "verify/bundle-malformed"),
        (b"\xff\xfe{}", "verify/bundle-malformed"),
        (b"[" * 200_000, "verify/bundle-malformed"),
        (b'{"a":' * 200_000, "verify/bundle-malformed"),
        (b'{"a": NaN}', "verify/bundle-malformed"),
        (b'{"a": "\\ud800"}', "verify/bundle-malformed"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "verify/bundle-malformed"),
        (b"{}", "verify/bundle-version"),
        (b" " * (100 << 20), "verify/bundle-too-large"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_bytes_that_are_no_bundle(raw: bytes, code: str) -> None:
    assert _reason(raw) == code


def test_every_beginning_of_a_bundle_is_refused() -> None:
    whole = TRIED[1].data
    for end in range(0, len(whole) - 1, 97):
        assert _reason(whole[:end]) == "verify/bundle-malformed"


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += _places(inner, (*path, key))
    return found


def _changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    value = copy.deepcopy(value)
    here = value
    for step in path[:-1]:
        here = here[step]
    here[path[-1]] = new
    return value


@_FEW
@given(st.data())
def test_any_field_replaced_by_anything(data: st.DataObject) -> None:
    bundle = TRIED[data.draw(st.sampled_from([1, 2]))].bundle
    path = data.draw(st.sampled_from(_places(bundle)))
    raw = json.dumps(_changed(bundle, path, data.draw(JSON))).encode()
    judge(replace(TRIED[1], raw=raw))


@_FEW
@given(st.data())
def test_any_byte_of_any_blob_flipped(data: st.DataObject) -> None:
    """Certificates, timestamps, entries, signatures: DER and JSON inside of base64."""
    bundle = TRIED[data.draw(st.sampled_from([1, 2]))].bundle
    texts = [path for path in _places(bundle) if path[-1] in _BLOBS]
    path = data.draw(st.sampled_from(texts))
    here: Any = bundle
    for step in path:
        here = here[step]
    raw = bytearray(base64.b64decode(here))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    changed = json.dumps(_changed(bundle, path, base64.b64encode(raw).decode())).encode()
    found = judge(replace(TRIED[1], raw=changed))
    # Nothing that is signed can be changed; of a timestamp's response a few bytes are signed by nobody.
    assert found.problem is not None or path[-1] == "signedTimestamp"


def test_a_certificate_whose_issuer_is_no_name() -> None:
    """cryptography parses names only when they are asked for."""
    place = ("verificationMaterial", "certificate", "rawBytes")
    der = base64.b64decode(TRIED[1].bundle["verificationMaterial"]["certificate"]["rawBytes"])
    issuer = x509.load_der_x509_certificate(der).issuer.public_bytes()
    broken = der.replace(issuer, issuer.replace(b"\x0c", b"\x0d"), 1)
    assert broken != der
    raw = json.dumps(_changed(TRIED[1].bundle, place, base64.b64encode(broken).decode())).encode()
    assert _reason(raw) == "verify/certificate-malformed"


_BLOBS = ("rawBytes", "signedTimestamp", "canonicalizedBody", "sig", "payload", "signedEntryTimestamp", "rootHash")


@_FEW
@given(st.data())
def test_any_field_of_a_root_replaced(data: st.DataObject) -> None:
    root = SIGSTORE.trusted_root()
    path = data.draw(st.sampled_from(_places(root)))
    try:
        trusted_root.load(json.dumps(_changed(root, path, data.draw(JSON))).encode(), name="r", where="root.json")
    except UsageError as error:
        assert error.where == "root.json"


def test_another_root_than_the_pinned_one() -> None:
    with pytest.raises(UsageError, match="not the trusted root"):
        trusted_root.load(json.dumps(SIGSTORE.trusted_root()).encode(), name="r", where="r.json", sha256="00" * 32)


@_FEW
@given(
    st.binary(max_size=300) | JSON.map(lambda value: json.dumps({"kind": "TrustPolicy", "artifacts": value}).encode())
)
def test_any_policy_is_judged(data: bytes) -> None:
    found = read_trust_policy("trust.yaml", data)
    assert isinstance(found, TrustPolicy) or (found and all(isinstance(one, Problem) for one in found))
