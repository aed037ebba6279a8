"""An author tries to choose what decides: by the names of refs, by history, by settings on the disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from maestro.errors import UsageError
from maestro.repository import Repository
from tests.gates.governed import FLAG, POOL, SETTINGS, check, governed
from tests.support.git_repo import GitRepo

STRICT = SETTINGS + "approvals: 3\n"
LAX = SETTINGS + "approvals: 1\n"
OWNERS = "* @acme/platform\n"
TARGET = {"maestro.yaml": STRICT, "pools/here.yaml": POOL, "CODEOWNERS": OWNERS, "README.md": "acme\n"}


def clone_with_a_milder_branch(folder: Path) -> GitRepo:
    """A clone of a governed repository whose branch `change` weakens the settings."""
    there = GitRepo.init(folder / "there")
    there.commit(TARGET, "Govern")
    repo = there.clone(folder / "here")
    repo.branch("change")
    repo.commit({"maestro.yaml": LAX})
    return repo


@pytest.mark.parametrize("kind", ["tags", "heads"])
def test_a_tag_or_branch_named_like_the_remote_branch_is_not_the_target(tmp_path: Path, kind: str) -> None:
    repo = clone_with_a_milder_branch(tmp_path)
    repo.git("update-ref", f"refs/{kind}/origin/main", "HEAD")
    for target in ((), ("--target", "origin/main")):
        answer = check(repo, "--head", "HEAD", *target)
        assert (answer.code, answer.rules()) == (10, ["mc.governance/milder_setting"])


def test_a_tag_named_like_the_branch_is_not_the_target(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r", TARGET)
    repo.commit({"maestro.yaml": LAX})
    repo.git("tag", "main")
    for target in ((), ("--target", "main")):
        assert check(repo, "--head", "HEAD", *target).rules() == ["mc.governance/milder_setting"]


@pytest.mark.parametrize("rev", ["main~1", "main^", "main^{tree}", "main@{0}"])
def test_what_follows_a_name_does_not_bring_the_tag_back(tmp_path: Path, rev: str) -> None:
    repo = governed(tmp_path / "r", TARGET)
    repo.checkout("main")
    first = repo.head
    repo.commit({"README.md": "two\n"})
    second = repo.head
    repo.commit({"README.md": "three\n"})
    repo.git("tag", "three")
    repo.git("reset", "-q", "--hard", second)
    repo.git("tag", "main", "three")
    with Repository.open(repo.path, repo.environ) as opened:
        expected = {"main~1": first, "main^": first, "main^{tree}": None, "main@{0}": second}[rev]
        assert opened.find(rev) == expected
        assert opened.find("refs/tags/main") == repo.git("rev-parse", "refs/tags/three")


def test_a_tag_whose_name_is_a_commit_id_is_not_that_commit(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r", TARGET)
    target = repo.head
    repo.commit({"maestro.yaml": LAX})
    repo.git("update-ref", f"refs/heads/{target}", "HEAD")
    with Repository.open(repo.path, repo.environ) as opened:
        assert opened.find(target) == target


def test_the_change_does_not_name_its_own_branch_as_the_default(tmp_path: Path) -> None:
    repo = clone_with_a_milder_branch(tmp_path)
    repo.git("remote", "set-head", "origin", "--delete")
    repo.commit({"maestro.yaml": LAX + "default_branch: change\n"})
    for head in ((), ("--head", "HEAD")):
        answer = check(repo, *head)
        assert answer.code == 10
        assert "mc.governance/milder_setting" in answer.rules()


def test_what_main_calls_the_default_branch_is_believed(tmp_path: Path) -> None:
    there = GitRepo.init(tmp_path / "there")
    there.commit({**TARGET, "maestro.yaml": STRICT + "default_branch: develop\n"}, "Govern")
    there.branch("develop")
    there.commit({"flags/on-develop.yaml": FLAG})
    repo = there.clone(tmp_path / "here")
    repo.git("remote", "set-head", "origin", "--delete")
    assert check(repo).report["policy_revision"] == there.head


@pytest.mark.parametrize("newer", ["side", "main"])
def test_history_crossed_over_hides_no_change(tmp_path: Path, newer: str) -> None:
    """Two merge bases: by one of them the old settings are no change, and yet a merge brings them back."""
    repo = GitRepo.init(tmp_path / "r")
    repo.commit({**TARGET, "maestro.yaml": LAX}, "Govern")
    repo.branch("side")
    if newer == "main":
        repo.commit({"README.md": "side\n"})
    repo.checkout("main")
    repo.commit({"maestro.yaml": STRICT})
    if newer == "side":
        repo.checkout("side")
        repo.commit({"README.md": "side\n"})
    repo.branch("change", "side")
    repo.git("merge", "-q", "-s", "ours", "-m", "Cross", "main")
    repo.checkout("main")
    repo.merge("side")
    assert len(repo.git("merge-base", "--all", "main", "change").split()) == 2
    answer = check(repo, "--target", "main", "--head", "change")
    assert (answer.code, answer.rules()) == (10, ["mc.governance/milder_setting"])
    repo.merge("change")
    assert repo.git("show", "HEAD:maestro.yaml") == LAX.rstrip(), "git itself brings them back"


def pull_request(folder: Path, number: int, head: str, base: str) -> dict[str, str]:
    event = {
        "pull_request": {"number": number, "head": {"sha": head, "repo": None}, "base": {"sha": base, "ref": "main"}}
    }
    path = folder / "event.json"
    path.write_text(json.dumps(event))
    return {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": str(path)}


def test_a_merge_commit_of_the_authors_own_is_not_githubs(tmp_path: Path) -> None:
    """The job checks the branch out by name, and the author has pushed on: first parent theirs, second the head."""
    repo = governed(tmp_path / "r", TARGET)
    target = repo.head
    repo.commit({"flags/bad.yaml": FLAG.replace("@acme/checkout", "@nobody/here")})
    head = repo.head
    repo.git("update-ref", "refs/remotes/origin/main", target)
    merge = repo.pull_request_merge("change")
    environ = pull_request(tmp_path, 1, head, target)
    repo.checkout(merge)
    assert check(repo, environ={**environ, "GITHUB_SHA": merge}).code == 10
    repo.git("checkout", "-q", "--detach", target)
    repo.commit({"maestro.yaml": None, "flags/bad.yaml": FLAG.replace("@acme/checkout", "@nobody/here")})
    repo.git("merge", "-q", "--no-ff", "-s", "ours", "-m", "Mine", head)
    answer = check(repo, environ={**environ, "GITHUB_SHA": merge})
    assert answer.code == 2
    assert "neither the merge commit of pull request #1 nor its head" in answer.err


def test_the_merge_commits_first_parent_decides_where_github_does_not_say(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r", TARGET)
    target = repo.head
    repo.commit({"maestro.yaml": LAX})
    environ = pull_request(tmp_path, 1, repo.head, target)
    repo.checkout(repo.pull_request_merge("change"))
    assert check(repo, environ=environ).rules() == ["mc.governance/milder_setting"]


def test_an_unrelated_commit_is_refused(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r", TARGET)
    environ = pull_request(tmp_path, 1, "1" * 40, repo.head)
    with Repository.open(repo.path, repo.environ) as opened, pytest.raises(UsageError):
        opened.resolve("1" * 40)
    assert check(repo, environ=environ).code == 2
