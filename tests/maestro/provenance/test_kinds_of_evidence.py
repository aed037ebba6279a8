"""Evidence of every kind: timestamps alone, promises alone, keys that somebody keeps, and what cosign signs here."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from maestro.config import TrustedKey
from maestro.evidence.trust import trust_of
from maestro.provenance import trusted_root
from maestro.provenance.authenticate import Believed
from maestro.provenance.report import as_json, as_text
from maestro.provenance.trust_policy import Artifact, Builder, Loosen, Source, TrustPolicy
from maestro.provenance.verify import Evidence, Subject, Verification, verify
from tests.maestro.evidence import keys
from tests.maestro.provenance.refusals import DATA, NOW, RUN, SHA256, SIGSTORE, attested, entry, judge, promised
from tests.support.private_sigstore.authority import new_key
from tests.support.private_sigstore.instance import Signer
from tests.support.private_sigstore.workflow import statement
from tests.support.tools import tool

GOOGLE = "https://cloudbuild.googleapis.com/GoogleHostedWorker"
KEY = new_key()


def listed(pem: str, **more: Any) -> TrustedKey:
    values: dict[str, Any] = {"id": "kept", "public_key": pem, "valid_from": NOW - dt.timedelta(days=90), **more}
    return TrustedKey(**values)


def pem_of(signer: Signer) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return signer.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


KEPT = Signer(KEY, None)


def asked(
    bundle: dict[str, Any], asks: Artifact, *kept: TrustedKey, without: bool = False, logs: bool = True
) -> Verification:
    data = json.dumps(SIGSTORE.trusted_root(logs=logs)).encode()
    root = trusted_root.load(data, name="private", where="root.json", without_transparency=without)
    policy = TrustPolicy(apiVersion="maestro-conductor/v1", kind="TrustPolicy", artifacts=(asks,))
    believed = Believed([root], trust_of(kept))
    given = [Evidence("b.json", json.dumps(bundle).encode())]
    [found] = verify([Subject("api.tar.gz", SHA256)], given, policy, believed, NOW)
    return found


def code(found: Verification) -> str | None:
    return found.problem.code if found.problem is not None else None


def unlogged(**changes: Any) -> dict[str, Any]:
    value = statement(RUN.provenance_v1(), SHA256)
    return SIGSTORE.attest(value, SIGSTORE.signer(RUN, log="none"), log=None, **changes)


def test_a_timestamp_alone_counts_where_trust_yaml_says_that_there_is_no_log() -> None:
    found = asked(unlogged(stamp=True), entry(), without=True, logs=False)
    assert found.proven, found.problem
    assert "loosened by trust.yaml (api): roots.private: without_transparency" in as_text(
        [found], policy="trust.yaml", colour=False
    )
    [artifact] = json.loads(as_json([found], policy="trust.yaml"))["artifacts"]
    assert artifact["entries"][0]["loosened"] == ["roots.private: without_transparency"]


def test_what_is_logged_loosens_nothing_in_the_report() -> None:
    assert "loosened" not in as_text([judge(attested())], policy="trust.yaml", colour=False)


@pytest.mark.parametrize("logs", [True, False])
def test_a_timestamp_alone_proves_nothing_otherwise(logs: bool) -> None:
    assert code(asked(unlogged(stamp=True), entry(), logs=logs)) == "verify/log-missing"


def test_without_log_and_timestamp_nobody_says_when() -> None:
    assert code(asked(unlogged(), entry(), without=True, logs=False)) == "verify/timestamp-missing"


def test_a_promise_alone_has_to_be_allowed_by_name() -> None:
    assert code(asked(promised(attested().bundle), entry())) == "verify/log-inclusion"
    allowed = asked(promised(attested().bundle), entry(loosen=Loosen(promise_without_proof=True)))
    assert allowed.proven, allowed.problem
    assert "loosen.promise_without_proof" in as_text([allowed], policy="trust.yaml", colour=False)


def test_a_forged_promise_is_refused_even_then() -> None:
    bundle = promised(attested().bundle)
    bundle["verificationMaterial"]["tlogEntries"][0]["integratedTime"] = "1795176001"
    assert code(asked(bundle, entry(loosen=Loosen(promise_without_proof=True)))) == "verify/log-promise"


def google(**changes: Any) -> dict[str, Any]:
    predicate = RUN.provenance_v1()
    external = {"buildConfigSource": {"ref": RUN.ref, "repository": RUN.source, "path": "cloudbuild.yaml"}}
    predicate["buildDefinition"] = {**predicate["buildDefinition"], "externalParameters": external}
    predicate["buildDefinition"]["internalParameters"] = {}
    predicate["runDetails"] = {"builder": {"id": GOOGLE}}
    return SIGSTORE.attest(statement({**predicate, **changes}, SHA256), KEPT, log=None)


CLOUD_BUILD = entry(
    builders=(Builder(builder="google-cloud-build", key="kept"),),
    source=Source(repository="https://github.com/acme/api", tags=("v*",)),
    loosen=Loosen(any_age=True, repository_by_name=True),
)


def test_google_cloud_build_by_its_key() -> None:
    found = asked(google(), CLOUD_BUILD, listed(pem_of(KEPT)))
    assert found.proven, found.problem
    assert found.entries[0].met[0].built.level == 3


@pytest.mark.parametrize(
    ("bundle", "key", "reason"),
    [
        (google(runDetails={"builder": {"id": GOOGLE + "-evil"}}), {}, "verify/builder"),
        (google(), {"public_key": keys.signer("other").public_key_pem}, "verify/key-unknown"),
        (google(), {"revoked_at": NOW - dt.timedelta(days=1)}, "verify/key-not-valid"),
        (google(), {"valid_until": NOW - dt.timedelta(days=2)}, "verify/key-not-valid"),
        (google(), {"id": "another"}, "verify/builder"),
    ],
)
def test_another_key_or_builder_is_not_google_cloud_build(
    bundle: dict[str, Any], key: dict[str, Any], reason: str
) -> None:
    assert code(asked(bundle, CLOUD_BUILD, listed(pem_of(KEPT), **key))) == reason


def test_a_key_without_log_has_no_age() -> None:
    strict = CLOUD_BUILD.model_copy(update={"loosen": Loosen(repository_by_name=True)})
    assert code(asked(google(), strict, listed(pem_of(KEPT)))) == "verify/too-old"


@pytest.fixture
def cosign(tmp_path: Path) -> Path:
    """A folder with a key pair of cosign's, an artifact, and a configuration without any service."""
    config = {"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "api.tar.gz").write_bytes(DATA)
    (tmp_path / "s.json").write_text(json.dumps(statement(RUN.provenance_v1(), SHA256)))
    _cosign(tmp_path, "generate-key-pair", "--output-key-prefix", "k")
    return tmp_path


def _cosign(folder: Path, *arguments: str) -> None:
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "COSIGN_PASSWORD": ""}
    done = subprocess.run([tool("cosign"), *arguments], cwd=folder, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


OTHERS = entry(
    builders=(Builder(builder="other", key="kept"),),
    minimum_level=1,
    source=Source(repository="https://github.com/acme/api", repository_id=712345678, tags=("v*",)),
    loosen=Loosen(any_age=True),
)
HOW = ["--key", "k.key", "--signing-config", "config.json", "--bundle", "b.json", "-y"]


def test_what_cosign_attests_with_a_key_is_accepted(cosign: Path) -> None:
    _cosign(cosign, "attest-blob", *HOW, "--statement", "s.json")
    bundle = json.loads((cosign / "b.json").read_bytes())
    pem = (cosign / "k.pub").read_text()
    found = asked(bundle, OTHERS, listed(pem))
    assert found.proven, found.problem
    bundle["dsseEnvelope"]["payload"] = google()["dsseEnvelope"]["payload"]
    assert code(asked(bundle, OTHERS, listed(pem))) == "verify/signature-invalid"


def test_what_cosign_signs_with_a_key_is_accepted_where_plain_signatures_are(cosign: Path) -> None:
    _cosign(cosign, "sign-blob", *HOW, "api.tar.gz")
    bundle = json.loads((cosign / "b.json").read_bytes())
    kept = listed((cosign / "k.pub").read_text())
    loosen = Loosen(any_age=True, plain_signatures=True)
    plain = Artifact(name="api", match=("api.tar.gz",), builders=OTHERS.builders, minimum_level=0, loosen=loosen)
    assert asked(bundle, plain, kept).proven
    assert code(asked(bundle, OTHERS, kept)) == "verify/statement-missing"
