"""Sigstore's own conformance suite, through the whole of `verify` and a trust policy: 70 bundles, 70 right answers."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path

import pytest
import sigstore

from maestro.config import TrustedKey
from maestro.errors import UsageError
from maestro.evidence.trust import Trust, trust_of
from maestro.provenance import trusted_root
from maestro.provenance.authenticate import Believed
from maestro.provenance.trust_policy import Artifact, Builder, Loosen, TrustPolicy
from maestro.provenance.verify import Evidence, Subject, verify
from tests.support.tools import ROOT

SUITE = ROOT.parent / "shared/data/sigstore-conformance"
_BEACON = (
    "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon"
    "/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main"
)
_GITHUB = "https://token.actions.githubusercontent.com"
_LOOSE = Loosen(any_age=True, plain_signatures=True, any_external_parameters=True)
NOW = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)

if SUITE.is_dir():
    CASES = sorted(path.name for path in SUITE.iterdir() if path.is_dir())
else:
    CASES = []


def _text(folder: Path, name: str, default: str) -> str:
    file = folder / name
    return file.read_text("utf-8").strip() if file.is_file() else default


def _answer(folder: Path) -> str | None:
    """The reason code, ``configuration`` where root or key are refused already, None where it is proven."""
    production = next(Path(sigstore.__file__).parent.glob("_store/*tuf-repo-cdn.sigstore.dev/trusted_root.json"))
    root_file = folder / "trusted_root.json"
    artifact = folder / "artifact"
    data = (artifact if artifact.is_file() else SUITE / "a.txt").read_bytes()
    keys = Trust({})
    builder = Builder(
        builder="other", issuer=_text(folder, "issuer", _GITHUB), identity=_text(folder, "identity", _BEACON)
    )
    try:
        if (folder / "key.pub").is_file():
            pem = (folder / "key.pub").read_text("utf-8")
            listed = TrustedKey(id="key", public_key=pem, valid_from=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
            keys = trust_of([listed])
            builder = Builder(builder="other", key="key")
        root = trusted_root.load(
            (root_file if root_file.is_file() else production).read_bytes(), name="root", where="trusted_root.json"
        )
    except UsageError:
        return "configuration"
    entry = Artifact(name="all", match=("a",), builders=(builder,), minimum_level=0, loosen=_LOOSE)
    policy = TrustPolicy(apiVersion="maestro-conductor/v1", kind="TrustPolicy", artifacts=(entry,))
    evidence = Evidence("bundle", (folder / "bundle.sigstore.json").read_bytes())
    subject = Subject("a", hashlib.sha256(data).hexdigest())
    [found] = verify([subject], [evidence], policy, Believed([root], keys), NOW)
    return found.problem.code if found.problem is not None else None


@pytest.mark.skipif(not CASES, reason="the conformance suite is not beside the project: ../shared/data")
def test_the_suite_is_whole() -> None:
    assert (len(CASES), sum(name.endswith("_fail") for name in CASES)) == (70, 49)


@pytest.mark.parametrize("name", CASES)
def test_the_expected_answer(name: str) -> None:
    found = _answer(SUITE / name)
    assert (found is not None) == name.endswith("_fail"), found


EXPECTED_CODES = {
    "bundle-malformed-json_fail": "verify/bundle-malformed",
    "bundle-with-root-cert_fail": "verify/bundle-root-certificate",
    "bundle-from-wrong-instance_fail": "verify/certificate-untrusted",
    "checkpoint-wrong-roothash_fail": "verify/log-checkpoint",
    "dsse-invalid-sig_fail": "verify/signature-invalid",
    "dsse-mismatch-sig_fail": "verify/log-other-entry",
    "inclusion-proof-corrupted-hash_fail": "verify/log-inclusion",
    "intoto-expired-certificate_fail": "verify/certificate-expired",
    "invalid-ct-key_fail": "verify/certificate-not-logged",
    "managed-key-no-key_fail": "verify/key-unknown",
    "rekor2-no-timestamp_fail": "verify/timestamp-missing",
    "rekor2-timestamp-payload-mismatch_fail": "verify/timestamp-untrusted",
    "set-invalid-signature_fail": "verify/log-promise",
    "wrong-material_fail": "verify/subject-mismatch",
}


@pytest.mark.skipif(not CASES, reason="the conformance suite is not beside the project: ../shared/data")
@pytest.mark.parametrize(("name", "code"), EXPECTED_CODES.items())
def test_it_is_refused_for_the_right_reason(name: str, code: str) -> None:
    assert _answer(SUITE / name) == code
