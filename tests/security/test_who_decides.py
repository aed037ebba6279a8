"""An author tries to choose what decides: by the names of refs, by history, by settings on the disk."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from maestro.errors import UsageError
from maestro.repository import Repository
from tests.gates.governed import FLAG, POOL, SETTINGS, Answer, check, governed
from tests.support.git_repo import GitRepo
from tests.support.github_event import environ as environ_of
from tests.support.github_event import event

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


def test_in_a_job_the_disk_is_not_asked_for_the_default_branch(tmp_path: Path) -> None:
    """Neither main nor master, and a remote that does not say: the author's own branch would decide about itself."""
    there = GitRepo.init(tmp_path / "there", branch="trunk")
    there.commit(TARGET, "Govern")
    there.branch("mine")
    there.commit({"maestro.yaml": LAX + "default_branch: mine\n"})
    repo = there.clone(tmp_path / "here")
    repo.git("remote", "set-head", "origin", "--delete")
    assert check(repo).report["policy_revision"] == there.head, "a person at a desk is believed"
    answer = check(repo, environ={"CI": "true"})
    assert (answer.code, answer.out) == (2, "")
    assert "--target BRANCH" in answer.err


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


def job(repo: GitRepo, folder: Path, kind: str, *arguments: str, **changes: object) -> Answer:
    """`maestro check` in a job of GitHub Actions, after this event; `schedule as NAME` is one of another name."""
    kind, _, name = kind.partition(" as ")
    path = folder / "event.json"
    path.write_text(json.dumps(event(kind, **changes)))
    said = environ_of(kind, GITHUB_REPOSITORY="acme/shop", GITHUB_EVENT_PATH=str(path))
    return check(repo, *arguments, environ=said | ({"GITHUB_EVENT_NAME": name} if name else {}))


def checked_out_by_name(there: GitRepo, folder: Path, branch: str, *, tags: bool = False) -> GitRepo:
    """As actions/checkout does it where it is given a branch: one commit, under that branch's name."""
    clone = GitRepo.init(folder)
    clone.git("remote", "add", "origin", f"file://{there.path}")
    refspec = [f"+refs/heads/{branch}:refs/remotes/origin/{branch}", *["+refs/tags/*:refs/tags/*"] * tags]
    clone.git("fetch", "-q", "--no-tags", "--depth=1", "origin", *refspec)
    clone.git("checkout", "-q", "-B", branch, f"refs/remotes/origin/{branch}")
    return clone


@pytest.mark.parametrize("kind", ["push_new_branch", "pull_request"])
def test_a_branch_named_like_the_remotes_does_not_decide_where_that_was_not_fetched(tmp_path: Path, kind: str) -> None:
    repo = governed(tmp_path / "r", TARGET)
    base = repo.head
    repo.branch("origin/main")
    repo.commit({"maestro.yaml": LAX})
    clone = checked_out_by_name(repo, tmp_path / "ci", "origin/main")
    changes: dict[str, object] = {"ref": "refs/heads/origin/main", "after": clone.head}
    if kind == "pull_request":
        changes = {"pull_request__head__sha": clone.head, "pull_request__base__sha": base}
    answer = job(clone, tmp_path, kind, **changes)
    assert (answer.code, answer.out) == (2, "")
    assert "has not been fetched" in answer.err


def test_a_tag_named_like_the_remotes_branch_does_not_decide_where_that_was_not_fetched(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r", TARGET)
    repo.commit({"maestro.yaml": LAX})
    repo.git("tag", "origin/main")
    clone = checked_out_by_name(repo, tmp_path / "ci", "change", tags=True)
    assert clone.git("rev-parse", "origin/main") == clone.head, "what git makes of it"
    answer = job(clone, tmp_path, "push_new_branch", ref="refs/heads/change", after=clone.head)
    assert (answer.code, answer.out) == (2, "")


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/mallory/shop",
        "https://token@GitHub.com/Mallory/shop.git",
        "git@github.com:mallory/shop.git",
        "ssh://git@github.com/mallory/shop/",
    ],
)
def test_the_branches_of_a_fork_do_not_decide(tmp_path: Path, url: str) -> None:
    """`repository: head.repo.full_name`: origin/main is then the fork's, where the base's own commit lies as well."""
    there = GitRepo.init(tmp_path / "there")
    base = there.commit(TARGET, "Govern")
    fork = there.clone(tmp_path / "fork")
    fork.commit({"maestro.yaml": LAX})
    fork.branch("change")
    fork.commit({"maestro.yaml": LAX + "existing: warn\n"})
    clone = fork.clone(tmp_path / "ci")
    changes: dict[str, object] = {"pull_request__head__sha": clone.head, "pull_request__base__sha": base}
    clone.git("config", "remote.origin.url", url)
    answer = job(clone, tmp_path, "pull_request_fork", **changes)
    assert (answer.code, answer.out) == (2, "")
    assert "origin is mallory/shop, and this is a job of acme/shop" in answer.err
    clone.git("config", "remote.origin.url", url.lower().replace("mallory", "acme"))
    assert job(clone, tmp_path, "pull_request_fork", **changes).code == 0, "so the address is what was refused"


@pytest.mark.parametrize("name", ["issue_comment", "workflow_run", "schedule"])
def test_a_change_that_a_job_of_the_default_branch_checks_out_does_not_decide_about_itself(
    tmp_path: Path, name: str
) -> None:
    repo = governed(tmp_path / "r", TARGET)
    repo.commit({"maestro.yaml": LAX})
    repo.pull_request_merge("change", number=42)
    shallow = repo.fetch_like_actions_checkout(tmp_path / "shallow", "refs/pull/42/merge", depth=2)
    whole = repo.clone(tmp_path / "whole")
    whole.git("fetch", "-q", "origin", "refs/pull/42/merge")
    whole.git("checkout", "-q", "--detach", "FETCH_HEAD")
    for clone, says in ((shallow, "has not been fetched"), (whole, "is not seen to be merged into origin/main")):
        answer = job(clone, tmp_path, f"schedule as {name}")
        assert (answer.code, answer.out) == (2, "")
        assert says in answer.err
    shallow.git("checkout", "-q", "-b", "main")
    answer = job(shallow, tmp_path, f"schedule as {name}")
    assert (answer.code, answer.out) == (2, ""), "a branch of one's own is not the remote's, whatever it is called"
    told = job(whole, tmp_path, f"schedule as {name}", "--target", "origin/main", "--head", "HEAD")
    assert told.rules() == ["mc.governance/milder_setting"]


def test_a_branch_without_settings_lets_nothing_pass_for_other_pull_requests(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r", TARGET)
    repo.git("checkout", "-q", "--orphan", "gh-pages")
    repo.git("rm", "-rfq", ".")
    pages = repo.commit({"index.html": "acme"})
    repo.checkout("change")
    head = repo.commit({"maestro.yaml": LAX})
    repo.git("checkout", "-q", "--detach", "gh-pages")
    repo.git("merge", "-q", "--no-ff", "--allow-unrelated-histories", "-m", "Merge", "change")
    repo.git("update-ref", "refs/pull/42/merge", "HEAD")
    clone = repo.fetch_like_actions_checkout(tmp_path / "ci", "refs/pull/42/merge", depth=2)
    changes = {"head__sha": head, "base__sha": pages, "base__ref": "gh-pages"}
    answer = job(clone, tmp_path, "pull_request", **{f"pull_request__{key}": one for key, one in changes.items()})
    assert (answer.code, answer.out) == (2, "")
    assert "would count for the same commit in every other pull request" in answer.err


def test_a_repository_among_the_files_of_a_change_is_not_the_one_that_is_judged(tmp_path: Path) -> None:
    """Git takes a folder with HEAD, refs and objects for a bare repository, before it looks further up."""
    evil = GitRepo.init(tmp_path / "evil")
    evil.commit({"maestro.yaml": LAX, "flags/fine.yaml": FLAG})
    evil.git("config", "core.bare", "true")
    repo = governed(tmp_path / "r", TARGET)
    shutil.copytree(evil.path / ".git", repo.path / "services" / "api")
    repo.commit({"maestro.yaml": LAX})
    answer = check(repo, "--repo", "services/api", "--target", "main", "--head", "main")
    assert (answer.code, answer.out) == (2, "")
    assert "bare repository among the files of another" in answer.err
    beside = GitRepo.init(tmp_path / "beside")
    beside.git("clone", "-q", "--bare", str(evil.path), "api.git")
    (tmp_path / "tidy").mkdir()
    shutil.copytree(beside.path / "api.git", tmp_path / "tidy" / ".bare")
    (tmp_path / "tidy" / ".git").write_text("gitdir: ./.bare\n")
    with Repository.open(tmp_path / "tidy", repo.environ) as opened:
        assert opened.bare
