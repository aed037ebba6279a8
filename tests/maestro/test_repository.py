from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from maestro.default_branch import default_branch_rev
from maestro.errors import ToolFailure, UsageError
from maestro.git_command import explain
from maestro.process import ProcessMissing
from maestro.repository import Entry, Repository
from tests.support.git_repo import GitRepo


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    return GitRepo.init(tmp_path / "repo")


def opened(repo: GitRepo, folder: str = ".") -> Repository:
    return Repository.open(repo.path / folder, repo.environ)


def ls_tree(repo: GitRepo, rev: str) -> dict[str, Entry]:
    rows = [row.split("\t", 1) for row in repo.git("ls-tree", "-r", "-z", rev).split("\0") if row]
    return {path: Entry(info.split()[0], info.split()[2]) for info, path in rows}


def test_a_revision_is_listed_and_read_without_a_checkout(repo: GitRepo) -> None:
    first = repo.commit({"maestro.yaml": "one\n", "flags/a.yaml": "a\n", "flags/deep/er/b.yaml": "b\n"})
    repo.commit({"maestro.yaml": "two\n", "flags/a.yaml": None})
    with opened(repo) as repository:
        snapshot = repository.snapshot(first)
        assert dict(snapshot.entries) == ls_tree(repo, first)
        assert list(snapshot.entries) == sorted(snapshot.entries)
        assert snapshot.read("maestro.yaml") == b"one\n"
        assert snapshot.read_many(["flags/a.yaml", "flags/deep/er/b.yaml"]) == {
            "flags/a.yaml": b"a\n",
            "flags/deep/er/b.yaml": b"b\n",
        }
        assert (snapshot.commit, snapshot.label) == (first, first)
        assert repository.snapshot("HEAD").read("maestro.yaml") == b"two\n"


def test_every_kind_of_entry_is_as_git_lists_it(repo: GitRepo) -> None:
    strange = "new\nline \"quoted\" \t 'x' ::error::.yaml"
    undecodable = b"caf\xe9.yaml".decode("utf-8", "surrogateescape")
    repo.commit_tree(
        {
            "run.sh": ("100755", "#!/bin/sh\n"),
            "link": ("120000", "flags/a.yaml"),
            "modules/other": ("160000", "1" * 40),
            "Flags/a.yaml": ("100644", "A"),
            "flags/a.yaml": ("100644", "a"),
            "caf\u00e9.yaml": ("100644", "composed"),
            "cafe\u0301.yaml": ("100644", "decomposed"),
            strange: ("100644", "strange"),
            undecodable: ("100644", "latin"),
            "empty": ("100644", ""),
        }
    )
    with opened(repo) as repository:
        snapshot = repository.snapshot("HEAD")
        assert dict(snapshot.entries) == ls_tree(repo, "HEAD")
        assert snapshot.entries["link"].mode == "120000"
        assert snapshot.read("link") == b"flags/a.yaml"
        assert snapshot.read(undecodable) == b"latin"
        assert snapshot.read(strange) == b"strange"
        assert snapshot.read("empty") == b""
        with pytest.raises(ToolFailure, match="submodule"):
            snapshot.read("modules/other")
        with pytest.raises(KeyError):
            snapshot.read("absent")


def test_many_small_files_come_in_one_batch(repo: GitRepo) -> None:
    files = {f"documents/{number % 7}/{number}.yaml": f"{number}\n" * (number % 50) for number in range(700)}
    repo.commit(dict(files))
    with opened(repo) as repository:
        snapshot = repository.snapshot("HEAD")
        assert snapshot.read_many(snapshot.entries) == {path: text.encode() for path, text in files.items()}


def test_a_large_file_is_read_whole(repo: GitRepo) -> None:
    data = bytes(range(256)) * (12 << 12)
    repo.commit({"large.bin": data, "small": "x"})
    with opened(repo) as repository:
        assert repository.snapshot("HEAD").read_many(["small", "large.bin"]) == {"small": b"x", "large.bin": data}


def test_a_file_larger_than_the_limit_is_refused_and_the_next_answer_is_still_right(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.commit({"large": "x" * 5000, "small": "x"})
    monkeypatch.setattr("maestro.git_objects.MAX_BLOB_BYTES", 4999)
    with opened(repo) as repository:
        snapshot = repository.snapshot("HEAD")
        with pytest.raises(ToolFailure, match="5,000 bytes"):
            snapshot.read_many(["large", "small"])
        assert snapshot.read("small") == b"x"


def test_sha256_repositories(tmp_path: Path) -> None:
    repo = GitRepo.init(tmp_path / "repo", object_format="sha256")
    repo.commit({"flags/a.yaml": "a\n", "b": "b"})
    with opened(repo) as repository:
        snapshot = repository.snapshot("HEAD")
        assert dict(snapshot.entries) == ls_tree(repo, "HEAD")
        assert snapshot.tree_id() == repo.git("rev-parse", "HEAD^{tree}")
        repo.write("flags/a.yaml", "changed\n")
        worktree = repository.worktree()
        assert worktree.entries["flags/a.yaml"].oid == repo.git("hash-object", "flags/a.yaml")
        assert worktree.entries["b"] == snapshot.entries["b"]


# Where a repository is, and where none is.


def test_not_a_repository(tmp_path: Path, repo: GitRepo) -> None:
    with pytest.raises(UsageError, match="not in a git repository") as caught:
        Repository.open(tmp_path, repo.environ | {"GIT_CEILING_DIRECTORIES": str(tmp_path.parent)})
    assert "git init" in str(caught.value.remedy)


def test_no_such_folder(tmp_path: Path, repo: GitRepo) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        Repository.open(tmp_path / "absent", repo.environ)


def test_git_missing(repo: GitRepo) -> None:
    with pytest.raises(ProcessMissing, match="git is not on PATH"):
        Repository.open(repo.path, {"PATH": "/nonexistent"})


def test_an_empty_repository_has_a_working_tree_only(repo: GitRepo) -> None:
    repo.write("maestro.yaml", "x")
    with opened(repo) as repository:
        assert repository.is_empty()
        assert list(repository.worktree().entries) == ["maestro.yaml"]
        with pytest.raises(UsageError, match="no commit yet"):
            repository.snapshot("HEAD")


def test_a_bare_repository_has_revisions_only(tmp_path: Path, repo: GitRepo) -> None:
    repo.commit({"a": "a"})
    bare = repo.clone(tmp_path / "bare.git", "--bare")
    with Repository.open(bare.path, repo.environ) as repository:
        assert repository.bare
        assert repository.snapshot("main").read("a") == b"a"
        with pytest.raises(UsageError, match="bare repository") as caught:
            repository.worktree()
    assert "--head" in str(caught.value.remedy)


def test_a_subfolder_opens_the_whole_repository(repo: GitRepo) -> None:
    repo.commit({"a": "a", "deep/er/b": "b"})
    repo.write("c", "untracked above")
    with opened(repo, "deep/er") as repository:
        assert repository.root == repo.path
        assert list(repository.worktree().entries) == ["a", "c", "deep/er/b"]


def test_a_linked_worktree_has_its_own_head_and_index(tmp_path: Path, repo: GitRepo) -> None:
    repo.commit({"a": "a"})
    repo.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"))
    linked = GitRepo(tmp_path / "linked")
    side = linked.commit({"b": "b"})
    linked.write("c", "c")
    with Repository.open(linked.path, repo.environ) as repository:
        assert (linked.path / ".git").is_file()
        assert repository.resolve("HEAD") == side
        assert list(repository.worktree().entries) == ["a", "b", "c"]
        assert repository.current_branch() == "side"


def test_inside_the_git_folder(repo: GitRepo) -> None:
    repo.commit({"a": "a"})
    with pytest.raises(UsageError, match=r"inside the \.git folder"):
        opened(repo, ".git")


def test_a_detached_head_has_no_branch(repo: GitRepo) -> None:
    first = repo.commit({"a": "a"})
    with opened(repo) as repository:
        assert repository.current_branch() == "main"
    repo.checkout(first)
    with opened(repo) as repository:
        assert repository.current_branch() is None
        assert repository.resolve("HEAD") == first


def test_a_checkout_owned_by_somebody_else_says_how_to_allow_it() -> None:
    said = b"""fatal: detected dubious ownership in repository at '/github/workspace'
To add an exception for this directory, call:

\tgit config --global --add safe.directory /github/workspace
"""
    error = explain(said, Path("/github/workspace"))
    assert isinstance(error, UsageError)
    assert error.remedy is not None
    assert "git config --global --add safe.directory '/github/workspace'" in error.remedy


def test_git_really_complains_so_about_a_foreign_owner(repo: GitRepo) -> None:
    repo.commit({"a": "a"})
    changed = subprocess.run(["chown", "-R", "12345:12345", str(repo.path)], capture_output=True, check=False)
    if changed.returncode != 0:
        pytest.skip("only root can give files away")
    with pytest.raises(UsageError, match="belongs to another user"):
        opened(repo)
    allowed = repo.path.parent / "allowed"
    repo.environ["GIT_CONFIG_GLOBAL"] = str(allowed)
    subprocess.run(["git", "config", "--file", str(allowed), "safe.directory", str(repo.path)], check=True)
    with opened(repo) as repository:
        assert repository.snapshot("HEAD").read("a") == b"a"


# Revisions that are not there.


def test_an_unknown_target_names_near_ones_and_how_to_fetch(tmp_path: Path, repo: GitRepo) -> None:
    repo.commit({"a": "a"})
    repo.branch("release-2")
    clone = repo.clone(tmp_path / "clone")
    with Repository.open(clone.path, clone.environ) as repository:
        with pytest.raises(UsageError, match="there is no revision 'main'") as caught:
            repository.resolve("main")
        assert str(caught.value.remedy).startswith("did you mean `origin/main`?")
        assert "git fetch origin main" in str(caught.value.remedy)
        with pytest.raises(UsageError) as caught:
            repository.resolve("relaese-2")
        assert "`release-2`" in str(caught.value.remedy)


@pytest.mark.parametrize(
    "rev", ["", "HEAD\nHEAD", "--all", "-", "HEAD^{tree}", "HEAD:a", "a..b", "\0", "main missing", "é"]
)
def test_what_is_no_commit_is_an_error_and_the_conversation_goes_on(repo: GitRepo, rev: str) -> None:
    first = repo.commit({"a": "a"})
    with opened(repo) as repository:
        with pytest.raises(UsageError):
            repository.resolve(rev)
        assert repository.resolve("main") == first


def test_annotated_tags_are_the_commit_they_point_to(repo: GitRepo) -> None:
    first = repo.commit({"a": "a"})
    repo.git("tag", "-a", "-m", "v1", "v1")
    with opened(repo) as repository:
        assert repository.resolve("v1") == first


# History.


def test_merge_base_parents_and_ancestors(repo: GitRepo) -> None:
    first = repo.commit({"a": "a"})
    repo.branch("side")
    side = repo.commit({"b": "b"})
    repo.checkout("main")
    second = repo.commit({"c": "c"})
    merged = repo.pull_request_merge("side")
    repo.git("checkout", "-q", "--orphan", "elsewhere")
    unrelated = repo.commit({"d": "d"})
    with opened(repo) as repository:
        assert repository.merge_bases(side, second) == (first,)
        assert repository.merge_bases(side, unrelated) == ()
        assert repository.parents(merged) == (second, side)
        assert repository.parents(first) == ()
        assert repository.is_ancestor(first, merged)
        assert not repository.is_ancestor(merged, first)
        with pytest.raises(ToolFailure):
            repository.merge_bases("0" * 40, first)


def test_the_default_branch_is_what_the_remote_says(tmp_path: Path, repo: GitRepo) -> None:
    repo.commit({"a": "a"})
    repo.branch("trunk")
    clone = repo.clone(tmp_path / "clone")
    clone.branch("main")
    with Repository.open(clone.path, clone.environ) as repository:
        assert repository.default_branch_rev("main") == "origin/trunk"
    clone.git("remote", "set-head", "origin", "--delete")
    with Repository.open(clone.path, clone.environ) as repository:
        assert repository.default_branch_rev("trunk") == "origin/trunk"
        assert repository.default_branch_rev("main") == "origin/main"
        assert repository.default_branch_rev("absent") is None


def test_a_branch_that_somebody_called_main_does_not_decide(tmp_path: Path, repo: GitRepo) -> None:
    repo.commit({"a": "a"})
    repo.git("branch", "-m", "master")
    repo.branch("main")
    clone = repo.clone(tmp_path / "clone")
    clone.git("remote", "set-head", "origin", "--delete")
    event = tmp_path / "event.json"
    event.write_text('{"repository": {"default_branch": "master"}}')
    told = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_PATH": str(event)}
    with Repository.open(clone.path, clone.environ) as repository:
        with pytest.raises(UsageError, match="more than one could"):
            default_branch_rev(repository, {})
        assert default_branch_rev(repository, told) == "origin/master"
        with pytest.raises(UsageError, match="names no readable event"):
            default_branch_rev(repository, {"GITHUB_ACTIONS": "true"})


def test_before_the_first_commit_no_branch_decides(repo: GitRepo) -> None:
    with opened(repo) as repository, pytest.raises(UsageError, match="no commit yet"):
        default_branch_rev(repository, {})


def test_a_checkout_of_a_fork_does_not_decide(repo: GitRepo) -> None:
    repo.commit({"a": "a"})
    repo.git("remote", "add", "origin", "https://github.com/mallory/api")
    event = repo.path / "event.json"
    event.write_text('{"repository": {"default_branch": "main"}}')
    told = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_PATH": str(event), "GITHUB_REPOSITORY": "acme/api"}
    with opened(repo) as repository:
        with pytest.raises(UsageError, match="origin/main, which decides, has not been fetched"):
            default_branch_rev(repository, {**told, "GITHUB_REPOSITORY": "Mallory/api"})
        with pytest.raises(UsageError, match="would be read from a fork"):
            default_branch_rev(repository, told)


def test_the_default_branch_without_a_remote(repo: GitRepo) -> None:
    repo.commit({"a": "a"})
    with opened(repo) as repository:
        assert repository.default_branch_rev(None) == "main"
    repo.git("branch", "-m", "development")
    with opened(repo) as repository:
        assert repository.default_branch_rev(None) == "development"
        assert repository.default_branch_rev("main") is None
        assert repository.default_branch_rev("development") == "development"
    repo.branch("another")
    with opened(repo) as repository:
        assert repository.default_branch_rev(None) is None


# One git for all.


def test_threads_take_turns(repo: GitRepo) -> None:
    from concurrent.futures import ThreadPoolExecutor

    files = {f"{number}": f"content {number}\n" * number for number in range(200)}
    repo.commit(dict(files))
    with opened(repo) as repository, ThreadPoolExecutor(8) as threads:
        snapshot = repository.snapshot("HEAD")
        assert list(threads.map(snapshot.read, files)) == [text.encode() for text in files.values()]


def test_reading_after_the_end_is_a_failure(repo: GitRepo) -> None:
    repo.commit({"a": "a"})
    with opened(repo) as repository:
        snapshot = repository.snapshot("HEAD")
    with pytest.raises(ToolFailure, match="closed"):
        snapshot.read("a")


def test_a_path_with_a_newline_is_refused(tmp_path: Path) -> None:
    repo = GitRepo.init(tmp_path / "new\nline")
    repo.commit({"a": "a"})
    with pytest.raises(UsageError, match="newline"):
        opened(repo)


def test_an_index_that_is_damaged_is_a_failure(repo: GitRepo) -> None:
    repo.commit({"a": "a"})
    (repo.path / ".git" / "index").write_bytes(b"garbage")
    with opened(repo) as repository, pytest.raises(ToolFailure):
        repository.worktree()
