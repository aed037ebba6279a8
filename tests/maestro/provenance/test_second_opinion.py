"""What sigstore-python reads of a root once is that root's: no other root's bundle is accepted with it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json

import pytest

from maestro.provenance import bundle as bundles
from maestro.provenance import certificate, second_opinion, trusted_root
from maestro.provenance.reasons import NotProven
from maestro.provenance.trusted_root import TrustedRoot
from tests.support.private_sigstore.instance import PrivateSigstore
from tests.support.private_sigstore.workflow import Run, statement

AT = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)


def signed_by(sigstore: PrivateSigstore) -> bytes:
    run = Run()
    said = statement(run.provenance_v1(), hashlib.sha256(b"artifact").hexdigest())
    return json.dumps(sigstore.attest(said, sigstore.signer(run, AT), at=AT)).encode()


def root_of(sigstore: PrivateSigstore) -> TrustedRoot:
    return trusted_root.load(json.dumps(sigstore.trusted_root()).encode(), name="private", where="root.json")


def judge(data: bytes, root: TrustedRoot) -> str | None:
    bundle = bundles.parse(data)
    identity = certificate.identity(certificate.load(bundle))
    try:
        second_opinion.require(data, bundle, root, identity, "")
    except NotProven as error:
        return error.code
    return None


def test_each_root_has_keys_of_its_own() -> None:
    one, other = (PrivateSigstore(AT - dt.timedelta(days=100)) for _ in range(2))
    bundle, root = signed_by(one), root_of(one)
    for _ in range(2):
        assert judge(bundle, root) is None
        assert judge(bundle, root_of(other)) == "verify/second-opinion"
        assert judge(signed_by(other), root) == "verify/second-opinion"


@pytest.mark.parametrize("logs", ["tlogs", "ctlogs"])
def test_a_root_that_no_longer_names_a_log_is_another_root(logs: str) -> None:
    one, other = (PrivateSigstore(AT - dt.timedelta(days=100)) for _ in range(2))
    bundle, root = signed_by(one), root_of(one)
    assert judge(bundle, root) is None
    without = json.loads(root.data) | {logs: json.loads(root_of(other).data)[logs]}
    assert judge(bundle, dataclasses.replace(root, data=json.dumps(without).encode())) == "verify/second-opinion"
