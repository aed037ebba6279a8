"""`maestro check --record`: who may, who may not, and what is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from maestro.canonical_json import digest_of_bytes
from maestro.evidence.trust import trust_of
from maestro.evidence.types import CHECKED_MERGE, UNCHECKED_MERGE
from maestro.repository import Repository
from policy.merge_record import MergeRecord, read
from tests.gates.governed import maestro
from tests.maestro.evidence import keys
from tests.runner.governed_ledger import Ledger
from tests.runner.governed_runs import manifest
from tests.support.github_api import HEAD, GitHub, review
from tests.support.github_event import environ, event

NOBODY = manifest("d", "true").replace("@acme/data", "@acme/nobody")


def records(ledger: Ledger) -> list[MergeRecord]:
    """All that are believed, by name."""
    trust = trust_of([keys.row()])
    store = ledger.ledger
    paths = sorted((store / "records").rglob("*.json"))
    return [read(path.read_bytes(), trust, name=path.relative_to(store).as_posix()) for path in paths]


def test_a_checked_merge_is_recorded_with_its_decisions(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    before = ledger.repo.head
    commit = ledger.merge({"manifests/c.yaml": manifest("c", "true", "  secrets: {DB: {from: env:DB_URL}}\n")})
    (record,) = records(ledger)
    assert (record.commit, record.policy_revision, record.allowed) == (commit, before, True)
    assert record.tree == ledger.repo.git("rev-parse", "HEAD^{tree}")
    assert record.statement().predicate_type == CHECKED_MERGE
    assert {"documents", "policy", "governance"} <= set(record.gates)
    (decision,) = record.decisions
    assert (decision.pack, decision.subject, decision.path) == ("mc.placement", "Manifest/c", "manifests/c.yaml")
    assert (decision.phase, decision.owner, decision.allow) == ("merge", "@acme/data", True)
    (kept,) = (ledger.ledger / "inputs").iterdir()
    assert decision.input_digest == digest_of_bytes(kept.read_bytes()) == "sha256:" + kept.stem
    assert json.loads(kept.read_bytes())["manifest"]["spec"]["secrets"] == {"DB": {"from": "env:DB_URL"}}
    assert (ledger.ledger / ".gitignore").read_text() == "*\n"


def test_secrets_are_nowhere_in_what_is_recorded(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.repo.commit({"manifests/c.yaml": manifest("c", "true", "  secrets: {DB: {from: env:DB_URL}}\n")})
    assert ledger.record("HEAD~1", "HEAD", DB_URL="hunter2-hunter2").code == 0
    assert ledger.run("c", DB_URL="hunter2-hunter2").code == 0
    files = [path for path in ledger.ledger.rglob("*") if path.is_file()]
    assert [path for path in files if b"hunter2" in path.read_bytes()] == []


def test_what_is_merged_and_not_allowed_is_an_unchecked_merge_and_the_job_fails_as_before(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.repo.commit({"manifests/d.yaml": NOBODY})
    answer = ledger.record("HEAD~1", "HEAD")
    assert answer.code == 10
    assert "UNCHECKED MERGE" in answer.err
    (record,) = records(ledger)
    assert record.statement().predicate_type == UNCHECKED_MERGE
    assert [tuple(one) for one in record.blocking] == [("mc.documents/owner_unresolved", "Manifest/d")]
    assert not record.undecided


def push(ledger: Ledger, folder: Path, before: str, after: str, *arguments: str) -> tuple[int, str]:
    """The job on push."""
    file = folder / "push.json"
    file.write_text(json.dumps(event("push_after_squash_merge", before=before, after=after)))
    job = {**ledger.environ, **environ("push_after_squash_merge", GITHUB_EVENT_PATH=str(file))}
    answer = maestro(ledger.repo, "check", "--quiet", *arguments, environ=job)
    return answer.code, answer.err


def test_the_job_on_push_needs_to_name_nothing(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    before = ledger.repo.head
    ledger.repo.commit({"manifests/c.yaml": manifest("c", "true")})
    after = ledger.repo.commit({"manifests/e.yaml": manifest("e", "true")})
    code, err = push(ledger, tmp_path, before, after, "--record")
    assert code == 0, err
    (record,) = records(ledger)
    assert (record.policy_revision, record.commit) == (before, after)
    assert {one.subject for one in record.decisions} == {"Manifest/c", "Manifest/e"}
    assert ledger.found()["merges"] == {
        "all": 2,
        "with_a_verdict": 1,
        "along_in_one_push": 1,
        "answered_for": [],
    }


@pytest.mark.parametrize(
    ("more", "code"), [({}, 0), ({"policy/packs/placement/more.rego": "package mc.placement\n"}, 10)]
)
def test_a_merge_that_a_review_on_github_approved_is_checked_if_it_brought_nothing_else(
    tmp_path: Path, more: dict[str, str], code: int
) -> None:
    ledger = Ledger(tmp_path)
    rules = "policy/packs/placement/placement.rego"
    before = ledger.repo.commit({".github/CODEOWNERS": "* @acme/data\n/policy/ @alex\n"})
    milder = (ledger.repo.path / rules).read_text().replace("mode: enforce", "mode: warn")
    reviewed = ledger.repo.commit({rules: milder})
    after = ledger.repo.commit(more) if more else reviewed
    github = GitHub()
    try:
        github.pull(review("alex"))
        github.merged(before=before, after=after, base=before)
        with Repository.open(ledger.repo.path, ledger.environ) as repository:
            github.tree(before, repository.snapshot(before).entries)
            github.tree(HEAD, repository.snapshot(reviewed).entries)
        ledger.environ |= {"GITHUB_API_URL": github.url, "GITHUB_TOKEN": "x", "GITHUB_REPOSITORY": "acme/governed"}
        answer, err = push(ledger, tmp_path, before, after, "--record")
    finally:
        github.close()
    assert answer == code, err
    assert [record.allowed for record in records(ledger)] == [code == 0]
    assert f"/repos/acme/governed/git/trees/{HEAD}" in github.asked


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("pull_request", "above all one from a fork, must not reach the signing key"),
        ("pull_request_fork", "above all one from a fork, must not reach the signing key"),
        ("merge_group_second_of_two", "nothing is merged yet"),
    ],
)
@pytest.mark.parametrize("named", [(), ("--target", "HEAD~1", "--head", "HEAD")], ids=["by-event", "by-name"])
def test_a_job_before_the_merge_records_nothing(tmp_path: Path, kind: str, says: str, named: tuple[str, ...]) -> None:
    ledger = Ledger(tmp_path)
    ledger.repo.commit({"manifests/c.yaml": manifest("c", "true")})
    file = tmp_path / "event.json"
    file.write_text(json.dumps(event(kind)))
    for key in (str(ledger.key), ""):  # with the key, and without, as a fork's job is
        job = {**ledger.environ, **environ(kind, GITHUB_EVENT_PATH=str(file)), "MAESTRO_SIGNING_KEY_FILE": key}
        answer = maestro(ledger.repo, "check", "--record", *named, environ=job)
        assert answer.code == 2
        assert says in answer.err
        assert "leave --record out" in answer.err
    assert not ledger.ledger.exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "--record of a working tree"),
        (("--target", "HEAD~1"), "--record of a working tree"),
        (("--head", "HEAD"), "would be judged by the policy it brought"),
        (("--head", "HEAD~1"), "would be judged by the policy it brought"),
        (("--target", "HEAD~1", "--head", "topic"), "is not merged"),
        (("--target", "HEAD~1", "--head", "HEAD", "--gate", "flags"), "--record with --gate"),
        (("--target", "HEAD~1", "--head", "HEAD", "--input", "x.json=mc.placement"), "--record with --input"),
        (("--target", "HEAD~1", "--head", "HEAD", "--key", "missing.pem"), "signing key cannot be read"),
        (("--target", "HEAD~1", "--head", "HEAD", "--key", "../stranger.pem"), "not one that maestro.yaml lists"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_is_no_merge_is_not_recorded(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    ledger = Ledger(tmp_path)
    (tmp_path / "stranger.pem").write_bytes(keys.pem("stranger"))
    ledger.repo.commit({"manifests/c.yaml": manifest("c", "true")})
    ledger.repo.branch("topic")
    ledger.repo.commit({"manifests/e.yaml": manifest("e", "true")})
    ledger.repo.checkout("main")
    answer = maestro(ledger.repo, "check", "--record", *arguments, environ=ledger.environ)
    assert answer.code == 2
    assert says in answer.err
    assert not ledger.ledger.exists()


def test_the_commit_that_brings_maestro_yaml_has_nothing_to_record(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    config = (ledger.repo.path / "maestro.yaml").read_text()
    ledger.repo.commit({"maestro.yaml": None})
    ledger.repo.commit({"maestro.yaml": config})
    answer = ledger.record("HEAD~1", "HEAD")
    assert (answer.code, "nothing recorded" in answer.err) == (0, True), answer.err
    assert not ledger.ledger.exists()


def test_without_record_nothing_is_kept(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    before = ledger.repo.head
    after = ledger.repo.commit({"manifests/c.yaml": manifest("c", "true")})
    assert push(ledger, tmp_path, before, after)[0] == 0
    assert not ledger.ledger.exists()
