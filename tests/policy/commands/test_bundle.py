"""`maestro policy bundle …`, as its users call it."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.gates.governed import SETTINGS, Answer, maestro
from tests.maestro.evidence import keys
from tests.policy.bundle.bundles import NOW
from tests.support.git_repo import GitRepo

PACK = """\
# METADATA
# custom: {mode: enforce, owner: "@acme/platform", match: ["k8s/**"]}
package acme.vendor

deny_name contains "no name" if not input.name
"""
DAY = dt.timedelta(days=1)


def rows(minimum: int = 42) -> str:
    pem = "".join(f"          {line}\n" for line in keys.signer().public_key_pem.splitlines())
    return (
        f"bundles:\n  - path: policy/vendor/policy.tar.gz\n    minimum_revision: {minimum}\n"
        f"    keys:\n      - id: release\n        valid_from: 2026-01-01\n        public_key: |\n{pem}"
    )


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    found = GitRepo.init(tmp_path / "repo")
    found.commit({"maestro.yaml": SETTINGS, "policy/packs/v/v.rego": PACK}, "Packs")
    (tmp_path / "key.pem").write_bytes(keys.pem())
    return found


def bundle(repo: GitRepo, *arguments: str, now: dt.datetime = NOW) -> Answer:
    environ = {"MAESTRO_SIGNING_KEY_FILE": str(repo.path.parent / "key.pem")}
    return maestro(repo, "policy", "bundle", *arguments, environ=environ, now=now)


def scrubbed(answer: Answer) -> str:
    text = f"{answer.out}--\n{answer.err}(exit {answer.code})\n"
    return re.sub(r"[A-Za-z0-9+/]{43}=", "KEY", re.sub(r"\b[0-9a-f]{12,64}\b", "HEX", text))


def test_what_a_person_sees(repo: GitRepo, snapshot: SnapshotAssertion) -> None:
    said = [
        bundle(repo, "build", "--revision", "42"),
        bundle(repo, "show", "policy-42.unsigned.tar.gz"),
        bundle(repo, "sign", "policy-42.unsigned.tar.gz"),
        bundle(repo, "verify", "policy-42.tar.gz"),
    ]
    repo.commit({"maestro.yaml": SETTINGS + rows()}, "Trust")
    said += [
        bundle(repo, "verify", "policy-42.tar.gz"),
        bundle(repo, "verify", "policy-42.tar.gz", now=NOW + 160 * DAY),
        bundle(repo, "verify", "policy-42.tar.gz", now=NOW + 181 * DAY),
        bundle(repo, "verify", "policy-42.unsigned.tar.gz"),
    ]
    assert "\n".join(scrubbed(one) for one in said) == snapshot


def test_json(repo: GitRepo) -> None:
    bundle(repo, "build", "--revision", "41")
    bundle(repo, "sign", "policy-41.unsigned.tar.gz")
    repo.commit({"maestro.yaml": SETTINGS + rows(1)}, "Trust")
    found = json.loads(bundle(repo, "verify", "policy-41.tar.gz", "--format", "json").out)
    assert (found["allowed"], found["revision"], found["key"], found["attested"]) == (True, 41, "release", True)
    shown = json.loads(bundle(repo, "show", "policy-41.tar.gz", "--format", "json").out)
    assert (shown["signed"], shown["revision"]) == (True, 41)
    repo.commit({"maestro.yaml": SETTINGS + rows(42)}, "A higher floor")
    answer = bundle(repo, "verify", "policy-41.tar.gz", "--format", "json")
    assert (answer.code, json.loads(answer.out)["code"]) == (10, "revision-too-low")


def test_revisions_are_counted_by_tags(repo: GitRepo) -> None:
    assert "give the number" in bundle(repo, "build").err
    repo.git("tag", "policy-bundle/7")
    repo.commit({"policy/packs/v/v.rego": PACK + "\ndeny_more contains 1\n"}, "More")
    repo.git("tag", "other-bundle/99")
    repo.git("tag", "policy-bundle/v8")
    assert bundle(repo, "build").out == "policy-8.unsigned.tar.gz\n"
    answer = bundle(repo, "build", "--revision", "7")
    assert (answer.code, "one number stands for one content" in answer.err) == (2, True)
    back = bundle(repo, "build", "--from-revision", "7", "--revision", "9")
    assert back.out == "policy-9.unsigned.tar.gz\n"
    packs = [
        json.loads(bundle(repo, "show", f"policy-{number}.unsigned.tar.gz", "--format", "json").out)["packs"]
        for number in (8, 9)
    ]
    assert packs[0] != packs[1]
    answer = bundle(repo, "build", "--from-revision", "6", "--revision", "9")
    assert (answer.code, "there is no tag policy-bundle/6" in answer.err) == (2, True)


def test_what_is_not_committed_is_not_built(repo: GitRepo) -> None:
    bundle(repo, "build", "--revision", "1", "-o", "before")
    repo.write("policy/packs/v/v.rego", PACK.replace("no name", "changed"))
    bundle(repo, "build", "--revision", "1", "-o", "after")
    assert (repo.path / "before").read_bytes() == (repo.path / "after").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["build", "--revision", "0"], "not a whole number from 1"),
        (["build", "--revision", "1", "--expires", "soon"], "wants a date"),
        (["build", "--revision", "1", "--expires", "2020-01-01"], "lies in the past"),
        (["build", "--revision", "1", "--name", "../x"], "lower-case letters"),
        (["build", "--revision", "1", "--head", "nowhere"], "no revision 'nowhere'"),
        (["build", "--revision", "1", "-o", "maestro.yaml/x"], "cannot write"),
        (["sign", "maestro.yaml"], "where shall the signed bundle go"),
        (["sign", "nothing.unsigned.tar.gz"], "cannot read"),
        (["sign", "maestro.yaml", "-o", "x"], "[archive-gzip]"),
        (["show", "maestro.yaml"], "[archive-gzip]"),
        (["show", "."], "not a file"),
        (["verify", "nothing"], "cannot read"),
        (["verify", "maestro.yaml"], "[archive-gzip]"),
        ([], "needs one of: build, sign, verify, show"),
    ],
)
def test_what_is_wrong_is_said(repo: GitRepo, arguments: list[str], words: str) -> None:
    answer = bundle(repo, *arguments)
    assert words in answer.err
    assert answer.code in (1, 2, 10)
    assert "→" in answer.err or answer.code in (1, 2)
