"""A summary stands in for verifying only where it says so in every respect, to whom trust.yaml says."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro.cli import main
from maestro.errors import UsageError
from maestro.evidence.signer import sign_statement
from maestro.evidence.statement import Statement, Subject
from maestro.evidence.summary import DECIDED_BY, DecidedBy, summary
from maestro.evidence.trust import trust_of
from maestro.provenance import bundle, certificate, trusted_root
from maestro.provenance.authenticate import Believed
from maestro.provenance.reasons import NotProven
from maestro.provenance.summaries import Summarised, judge_summary
from maestro.provenance.trust_policy import TrustPolicy, load_trust_policy
from maestro.world import World
from tests.maestro.evidence import keys
from tests.maestro.provenance.refusals import DATA, NOW, RUN, SHA256, SIGSTORE, promised
from tests.support.git_repo import GitRepo
from tests.support.registries import LyingRegistry, Reply

RESOURCE = "pkg:generic/api@1"
ENTRY: dict[str, Any] = {"name": "gate", "key": "release", "resources": ["pkg:generic/api@*"]}


KEYS = ("release", "builder")
UNLOGGED = "keys.release: signed in no transparency log"
ROOTS = [{"id": "private", "path": "root.json", "sha256": "0" * 64}]


def document(roots: bool = True, **fields: Any) -> str:
    rows = [{"id": name, "valid_from": "2026-01-01", "public_key": keys.signer(name).public_key_pem} for name in KEYS]
    entry = {name: value for name, value in {**ENTRY, **fields}.items() if value is not None}
    head = {"apiVersion": "maestro-conductor/v1", "kind": "TrustPolicy"}
    return json.dumps({**head, "keys": rows, "summaries": [entry], "roots": ROOTS if roots else []})


def policy(**fields: Any) -> TrustPolicy:
    return load_trust_policy("trust.yaml", document(**fields).encode())


HERE = DecidedBy({"trust.yaml": "b" * 64, "maestro.yaml": "a" * 64}, "c" * 40)


def made(level: int | None = 3, now: dt.datetime = NOW, decided_by: DecidedBy = HERE) -> Statement:
    return summary(
        [Subject("api.tar", {"sha256": SHA256})],
        resource=RESOURCE,
        decided_by=decided_by,
        inputs={},
        level=level,
        signers=["somebody"],
        loosened=["api: loosen.any_age"],
        now=now,
    )


def said(**fields: object) -> Statement:
    return replace(made(), predicate={**made().predicate, **fields})


def read(
    statement: Statement,
    by: TrustPolicy | None = None,
    *,
    sha256: str = SHA256,
    signer: str = "release",
    resource: str = RESOURCE,
    data: bytes | None = None,
) -> Summarised:
    by = by or policy()
    root = trusted_root.load(json.dumps(SIGSTORE.trusted_root()).encode(), name="private", where="root.json")
    return judge_summary(
        data or sign_statement(statement, keys.signer(signer)),
        by,
        Believed([root], trust_of(by.keys)),
        decides=HERE,
        sha256=sha256,
        resource=resource,
        now=NOW,
    )


def test_a_pass_is_one() -> None:
    found = read(made())
    assert (found.entry.name, found.level, found.when, found.given_up) == ("gate", 3, NOW, ("api: loosen.any_age",))
    assert found.loosened().fields == (UNLOGGED,)
    assert found.decided_by == ("maestro.yaml", "trust.yaml")


def decided(**digests: str) -> Statement:
    """Decided by documents (``trust``: trust.yaml)."""
    return made(decided_by=DecidedBy({f"{name}.yaml": digest for name, digest in digests.items()}))


def test_the_digest_is_that_of_what_sha256sum_prints(tmp_path: Path) -> None:
    for name in ("maestro.yaml", "trust.yaml"):
        (tmp_path / name).write_text(name)
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in tmp_path.iterdir()}
    command = "sha256sum maestro.yaml trust.yaml | sha256sum | cut -c1-64"
    said = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    assert DecidedBy(digests).sha256 == said.stdout.strip()


def test_files_are_decided_by_trust_yaml_alone() -> None:
    assert read(decided(trust="b" * 64)).decided_by == ("trust.yaml",)


def test_what_an_older_version_wrote_is_refused_and_it_is_said_why() -> None:
    older = said(policy={"uri": "trust.yaml", "digest": {"sha256": "b" * 64}})
    del older.predicate[DECIDED_BY]  # type: ignore[attr-defined]
    with pytest.raises(
        NotProven, match=r"does not say which documents decided, trust\.yaml among them: an older version's did not"
    ) as caught:
        read(older)
    assert caught.value.code == "verify/summary-policy"
    assert "have its verifier do so again" in str(caught.value.remedy)
    assert read(older, policy(policies=["b" * 64])).decided_by == ()


DAY = dt.timedelta(days=1)
CASES: dict[str, tuple[Callable[[], object], str]] = {
    "failed": (lambda: read(made(None)), "verify/summary-failed"),
    "level too low": (lambda: read(made(2)), "verify/summary-level"),
    "another file": (lambda: read(made(), sha256="c" * 64), "verify/subject-mismatch"),
    "a key that nobody lists": (lambda: read(made(), signer="somebody"), "verify/key-unknown"),
    "a key for other things": (lambda: read(made(), signer="builder"), "verify/summary-signer"),
    "another resource": (lambda: read(made(), resource="pkg:generic/api@2"), "verify/summary-resource"),
    "not its resource": (
        lambda: read(made(), policy(resources=["pkg:generic/web@*"])),
        "verify/summary-resource",
    ),
    "the beginning of its resource": (
        lambda: read(made(), policy(resources=["pkg:generic/api"])),
        "verify/summary-resource",
    ),
    "passed in small letters": (lambda: read(said(verificationResult="passed")), "verify/summary-failed"),
    "no result": (lambda: read(said(verificationResult=None)), "verify/summary-failed"),
    "no level": (lambda: read(said(verifiedLevels=[])), "verify/summary-level"),
    "two levels": (
        lambda: read(said(verifiedLevels=["SLSA_BUILD_LEVEL_3", "SLSA_BUILD_LEVEL_1"])),
        "verify/summary-level",
    ),
    "a level that is none": (lambda: read(said(verifiedLevels=["SLSA_BUILD_LEVEL_9"])), "verify/summary-level"),
    "another verifier": (lambda: read(said(verifier={"id": "urn:else"})), "verify/summary-verifier"),
    "another policy": (lambda: read(made(), policy(policies=["c" * 64])), "verify/summary-policy"),
    "no policy": (lambda: read(said(policy={})), "verify/summary-policy"),
    "another trust.yaml": (lambda: read(decided(trust="c" * 64, maestro="a" * 64)), "verify/summary-policy"),
    "another maestro.yaml": (lambda: read(decided(trust="b" * 64, maestro="c" * 64)), "verify/summary-policy"),
    "maestro.yaml alone": (lambda: read(decided(maestro="a" * 64)), "verify/summary-policy"),
    "a document that is not here": (lambda: read(decided(trust="b" * 64, more="b" * 64)), "verify/summary-policy"),
    "a digest of other documents": (
        lambda: read(said(**{DECIDED_BY: decided(trust="b" * 64).predicate[DECIDED_BY]})),
        "verify/summary-policy",
    ),
    "documents without digests": (
        lambda: read(said(**{DECIDED_BY: {"documents": [{"uri": "trust.yaml"}]}})),
        "verify/predicate-malformed",
    ),
    "no time": (lambda: read(said(timeVerified="yesterday")), "verify/predicate-malformed"),
    "31 days ago": (lambda: read(made(now=NOW - 31 * DAY)), "verify/summary-too-old"),
    "older than the entry allows": (
        lambda: read(made(now=NOW - 8 * DAY), policy(max_age_days=7)),
        "verify/summary-too-old",
    ),
    "from the future": (lambda: read(made(now=NOW + dt.timedelta(minutes=11))), "verify/summary-future"),
    "from year 9999": (lambda: read(said(timeVerified="9999-12-31T23:59:59-23:59")), "verify/predicate-malformed"),
    "another statement": (
        lambda: read(replace(made(), predicate_type="https://slsa.dev/provenance/v1")),
        "verify/predicate-type",
    ),
    "no bundle": (lambda: read(made(), data=b"{}"), "verify/bundle-version"),
}


@pytest.mark.parametrize("case", CASES)
def test_everything_else_is_not(case: str) -> None:
    refused, code = CASES[case]
    with pytest.raises(NotProven) as caught:
        refused()
    assert caught.value.code == code, caught.value.message


@pytest.mark.parametrize(
    ("fields", "statement", "shown"),
    [
        ({"loosen": {"any_policy": True}}, said(policy={"digest": {"sha256": "d" * 64}}), ("loosen.any_policy",)),
        ({"max_age_days": 90}, made(now=NOW - 60 * DAY), ("max_age_days: 90",)),
        ({"minimum_level": 1}, made(1), ("minimum_level: 1",)),
        ({"policies": ["c" * 64, HERE.sha256]}, made(), ()),
        ({"verifier": "https://verify.example/v1"}, said(verifier={"id": "https://verify.example/v1"}), ()),
    ],
)
def test_what_is_loosened_is_accepted_and_shown(
    fields: dict[str, object], statement: Statement, shown: tuple[str, ...]
) -> None:
    assert read(statement, policy(**fields)).loosened().fields == (*shown, UNLOGGED)


def test_a_certificate_may_sign_it() -> None:
    statement = json.loads(made().to_bytes())
    data = json.dumps(SIGSTORE.attest(statement, SIGSTORE.signer(RUN))).encode()
    who = certificate.identity(certificate.load(bundle.parse(data)))
    by = policy(key=None, issuer=who.issuer, identity=who.subject)
    found = read(made(), by, data=data)
    assert (found.level, found.loosened().fields) == (3, ())
    with pytest.raises(NotProven) as caught:
        read(made(), by, data=json.dumps(promised(json.loads(data))).encode())
    assert caught.value.code == "verify/log-inclusion"
    with pytest.raises(NotProven) as caught:
        read(made(), policy(key=None, issuer=who.issuer, identity=who.subject + "x"), data=data)
    assert caught.value.code == "verify/summary-signer"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"key": None}, "either a key, or issuer and identity"),
        ({"key": "nobody"}, "names no entry of keys"),
        ({"issuer": "https://a.example"}, "either a key, or issuer and identity"),
        ({"resources": ["*"]}, "must be a URI"),
        ({"resources": ["pkg:*"]}, "must be a URI"),
        ({"policies": ["b" * 64], "loosen": {"any_policy": True}}, "contradicts"),
    ],
)
def test_entries_that_mean_everybody_or_nobody(fields: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        policy(**fields)


@given(st.sampled_from(sorted(made().predicate)), st.none() | st.booleans() | st.text() | st.lists(st.integers()))
def test_no_odd_member_is_a_crash(member: str, value: object) -> None:
    try:
        read(said(**{member: value}))
    except NotProven:
        return
    needed = ("verificationResult", "verifiedLevels", "resourceUri", "verifier", "timeVerified", "policy", DECIDED_BY)
    assert member not in needed


def test_the_command_of_an_image(tmp_path: Path) -> None:
    registry = LyingRegistry()
    try:
        git = GitRepo.init(tmp_path / "repo")
        git.commit({"trust.yaml": document(roots=False, loosen={"any_policy": True})})
        image = registry.image("v1")
        name = f"{registry.address}/acme/api"

        def run(what: str, *argv: str) -> tuple[int, str, str]:
            out, err = io.StringIO(), io.StringIO()
            world = World(environ={"CI": "true"}, cwd=git.path, stdout=out, stderr=err, now=lambda: NOW)
            return (
                main(["verify", "summary", what, "--resource", RESOURCE, *argv], world),
                out.getvalue(),
                err.getvalue(),
            )

        def attach(statement: Statement, signer: str = "release") -> None:
            about = replace(statement, subjects=(Subject("image", {"sha256": image}),))
            registry.attach(sign_statement(about, keys.signer(signer)), image)

        assert run(f"{name}:none")[0] == 3
        assert run("api.tar")[0] == 2
        assert "of a file, name its summary: --summary FILE" in run("api.tar")[2]
        attach(replace(made(), predicate_type="https://slsa.dev/provenance/v1"))
        attach(made(2))
        attach(made(), signer="builder")
        code, out, _ = run(f"{name}@sha256:{image}", "--format", "json")
        assert (code, json.loads(out)["reason"]) == (10, "verify/summary-level")
        registry.lie = lambda asked: Reply(429, {"Retry-After": "3600"}) if "/blobs/" in asked.path else None
        code, out, _ = run(f"{name}@sha256:{image}", "--format", "json")
        assert (code, json.loads(out)["reason"]) == (1, "verify/image-unanswered")
        registry.lie = lambda asked: Reply(200, {"Content-Type": "a"}, b"{") if "manifests/v1" in asked.path else None
        assert run(f"{name}:v1")[0] == 10
        registry.lie = lambda asked: None
        attach(made())
        code, out, err = run(f"{name}:v1", "--format", "json")
        assert (code, json.loads(out)["sha256"], err) == (0, image, f"{name}:v1 is {name}@sha256:{image}\n")
    finally:
        registry.stop()


def test_the_command(tmp_path: Path) -> None:
    git = GitRepo.init(tmp_path / "repo")
    git.commit({"trust.yaml": document(roots=False, loosen={"any_policy": True})})
    (git.path / "api.tar").write_bytes(DATA)

    def run(statement: Statement, *argv: str) -> tuple[int, str, str]:
        (git.path / "vsa").write_bytes(sign_statement(statement, keys.signer("release")))
        out, err = io.StringIO(), io.StringIO()
        world = World(environ={"CI": "true"}, cwd=git.path, stdout=out, stderr=err, now=lambda: NOW)
        call = ["verify", "summary", "api.tar", "--summary", "vsa", "--resource", RESOURCE, *argv]
        return main(call, world), out.getvalue(), err.getvalue()

    good = said(policy={"digest": {"sha256": "b" * 64}}, **{"urn:maestro-conductor:loosened": ["api: loosen.anyone"]})
    code, out, err = run(good)
    assert (code, out) == (0, "")
    assert err.splitlines()[:4] == [
        "✔ api.tar was verified at 2026-11-25T00:00:00Z by maestro.yaml and trust.yaml, level 3, says gate",
        f"    loosened by trust.yaml (gate): loosen.any_policy, {UNLOGGED}",
        "    ANYBODY MAY SIGN: this proves that nothing was changed since, not where it comes from",
        "    loosened by trust.yaml (where it was verified): api: loosen.anyone",
    ]
    code, out, err = run(made(now=NOW - 31 * DAY))
    assert code == 10
    assert "not proven by it: verified 31 days ago, at most 30 are allowed\n    verify/summary-too-old" in err
    code, out, _ = run(good, "--format", "json")
    found = json.loads(out)
    assert (code, found["proven"], found["loosened"]) == (0, True, ["loosen.any_policy", UNLOGGED])
    assert found["loosened_where_verified"] == ["api: loosen.anyone"]
    code, out, _ = run(made(None), "--format", "json")
    assert (code, json.loads(out)["reason"]) == (10, "verify/summary-failed")
    assert "**ANYBODY MAY SIGN" in run(good, "--format", "markdown")[1]
