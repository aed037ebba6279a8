"""Nothing that a repository or the environment configures changes what is read, runs, or fetches."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from maestro.change import open_change
from maestro.errors import MaestroError, ToolFailure
from maestro.repository import Repository
from maestro.selection import SelectionOptions, select
from tests.support.git_repo import GitRepo


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    return GitRepo.init(tmp_path / "repo")


def use_everything(repo: GitRepo, environ: dict[str, str] | None = None) -> None:
    with Repository.open(repo.path, environ or repo.environ) as repository:
        change = open_change(repository, select(SelectionOptions(), {}, None))
        change.head.read_many(path for path, entry in change.head.entries.items() if entry.mode != "160000")
        change.head.tree_id()
        repository.merge_bases("HEAD", "HEAD")
        repository.is_ancestor("HEAD", "HEAD")


def planted(folder: Path) -> tuple[Path, Path]:
    """A program that leaves a trace when it runs, and the trace."""
    trace = folder / "trace"
    program = folder / "planted"
    program.write_text(f'#!/bin/sh\necho "$0 $*" >> "{trace}"\ncat\n')
    program.chmod(0o755)
    return program, trace


def test_no_program_that_the_configuration_names_is_run(tmp_path: Path, repo: GitRepo) -> None:
    program, trace = planted(tmp_path)
    repo.commit(
        {"a.yaml": "a\n", "b.yaml": "b\n", ".gitattributes": "*.yaml filter=planted diff=planted merge=planted\n"}
    )
    for key in (
        "core.fsmonitor",
        "core.sshCommand",
        "core.editor",
        "core.pager",
        "core.askPass",
        "core.alternateRefsCommand",
        "credential.helper",
        "diff.external",
        "diff.planted.textconv",
        "diff.planted.command",
        "filter.planted.clean",
        "filter.planted.smudge",
        "filter.planted.process",
        "merge.planted.driver",
        "gpg.program",
        "sequence.editor",
    ):
        repo.git("config", key, str(program))
    repo.git("config", "filter.planted.required", "true")
    hooks = repo.path / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for hook in ("post-checkout", "post-index-change", "fsmonitor-watchman", "reference-transaction", "pre-auto-gc"):
        (hooks / hook).write_text(program.read_text())
        (hooks / hook).chmod(0o755)
    repo.write("a.yaml", "changed\n")
    (repo.path / "b.yaml").touch()
    repo.write("c.yaml", "untracked\n")

    use_everything(repo)
    assert not trace.exists()

    repo.git("status", "--porcelain", check=False)
    assert trace.exists(), "the trap is set: git itself would have run it"


def test_a_replaced_object_is_read_as_it_was(repo: GitRepo) -> None:
    repo.commit({"policy.rego": "deny\n"})
    true_blob = repo.git("rev-parse", "HEAD:policy.rego")
    true_commit = repo.head
    repo.commit({"policy.rego": "allow\n"})
    repo.git("replace", true_blob, repo.git("rev-parse", "HEAD:policy.rego"))
    repo.git("replace", true_commit, repo.head)
    assert repo.git("show", f"{true_commit}:policy.rego") == "allow", "the trap is set"
    with Repository.open(repo.path, repo.environ) as repository:
        assert repository.snapshot(true_commit).read("policy.rego") == b"deny\n"


def test_grafts_do_not_rewrite_history(repo: GitRepo) -> None:
    first = repo.commit({"a": "1"})
    second = repo.commit({"a": "2"})
    third = repo.commit({"a": "3"})
    info = repo.path / ".git" / "info"
    info.mkdir(exist_ok=True)
    (info / "grafts").write_text(f"{third} {first}\n")
    assert repo.git("rev-list", third).split() == [third, first], "the trap is set"
    with Repository.open(repo.path, repo.environ) as repository:
        assert repository.parents(third) == (second,)
        assert repository.is_ancestor(second, third)


def test_git_variables_of_the_environment_are_not_inherited(tmp_path: Path, repo: GitRepo) -> None:
    repo.commit({"a": "right"})
    repo.write("b", "untracked")
    other = GitRepo.init(tmp_path / "other")
    other.commit({"a": "wrong", "x": "x"})
    environ = repo.environ | {
        "GIT_DIR": str(other.path / ".git"),
        "GIT_WORK_TREE": str(other.path),
        "GIT_INDEX_FILE": str(other.path / ".git" / "index"),
        "GIT_OBJECT_DIRECTORY": str(other.path / ".git" / "objects"),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(other.path / ".git" / "objects"),
        "GIT_COMMON_DIR": str(other.path / ".git"),
        "GIT_NAMESPACE": "elsewhere",
        "GIT_PREFIX": "elsewhere",
        "GIT_CONFIG": "/nonexistent",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.bare",
        "GIT_CONFIG_VALUE_0": "true",
        "GIT_TRACE": str(tmp_path / "trace"),
        "GIT_EXEC_PATH": "/nonexistent",
        "LC_ALL": "de_DE.UTF-8",
    }
    with Repository.open(repo.path, environ) as repository:
        assert repository.root == repo.path
        assert repository.snapshot("HEAD").read("a") == b"right"
        assert list(repository.worktree().entries) == ["a", "b"]
    assert not (tmp_path / "trace").exists()


def test_the_index_is_never_written(repo: GitRepo) -> None:
    repo.commit({"a": "a"})
    (repo.path / "a").touch()
    index = repo.path / ".git" / "index"
    before = (index.read_bytes(), index.stat().st_mtime_ns)
    use_everything(repo)
    assert (index.read_bytes(), index.stat().st_mtime_ns) == before


# Partial clones.


def test_a_blobless_clone_says_what_to_fetch_and_fetches_nothing(tmp_path: Path, repo: GitRepo) -> None:
    repo.commit({"a": "old a\n", "b": "old b\n"})
    repo.commit({"a": "new a\n", "b": "new b\n"})
    clone = repo.clone(tmp_path / "clone", "--filter=blob:none")
    objects = "cat-file", "--batch-all-objects", "--batch-check"
    here = clone.git(*objects)
    for protocol in ("protocol.allow", "protocol.file.allow"):
        clone.git("config", protocol, "always")
    wanted = sorted(repo.git("rev-parse", f"HEAD^:{name}") for name in "ab")
    with Repository.open(clone.path, clone.environ) as repository:
        snapshot = repository.snapshot("HEAD^")
        assert list(snapshot.entries) == ["a", "b"]
        with pytest.raises(ToolFailure, match=r"2 objects .* not in this partial clone") as caught:
            snapshot.read_many(["a", "b"])
        assert repository.snapshot("HEAD").read("a") == b"new a\n", "what is here is still read"
    assert clone.git(*objects) == here
    remedy = str(caught.value.remedy)
    command = remedy[remedy.index("git fetch") :].split()
    assert sorted(command[-2:]) == wanted
    clone.git(*command[1:])
    with Repository.open(clone.path, clone.environ) as repository:
        assert repository.snapshot("HEAD^").read_many(["a", "b"]) == {"a": b"old a\n", "b": b"old b\n"}


def test_many_missing_blobs_have_a_remedy_that_fits_a_command_line(tmp_path: Path, repo: GitRepo) -> None:
    repo.commit({f"{number}": f"old {number}\n" for number in range(300)})
    repo.commit({f"{number}": f"new {number}\n" for number in range(300)})
    clone = repo.clone(tmp_path / "clone", "--filter=blob:none")
    with Repository.open(clone.path, clone.environ) as repository:
        snapshot = repository.snapshot("HEAD^")
        with pytest.raises(ToolFailure, match="300 objects") as caught:
            snapshot.read_many(snapshot.entries)
        remedy = str(caught.value.remedy)
        clone.git(*remedy[remedy.index("git fetch") :].split()[1:])
        assert len(repository.snapshot("HEAD^").read_many(snapshot.entries)) == 300


def test_a_treeless_clone_says_so_too(tmp_path: Path, repo: GitRepo) -> None:
    repo.commit({"a/b": "old\n"})
    repo.commit({"a/b": "new\n"})
    clone = repo.clone(tmp_path / "clone", "--filter=tree:0")
    with Repository.open(clone.path, clone.environ) as repository:
        assert repository.snapshot("HEAD").read("a/b") == b"new\n"
        with pytest.raises(ToolFailure, match="partial clone"):
            _ = repository.snapshot("HEAD^").entries


# Damage.


def test_a_missing_object_in_a_full_clone_is_called_damage(repo: GitRepo) -> None:
    repo.commit({"a": "a\n", "b": "b\n"})
    oid = repo.git("rev-parse", "HEAD:a")
    (repo.path / ".git" / "objects" / oid[:2] / oid[2:]).unlink()
    with Repository.open(repo.path, repo.environ) as repository:
        snapshot = repository.snapshot("HEAD")
        with pytest.raises(ToolFailure, match=r"1 object .* damaged"):
            snapshot.read("a")
        assert snapshot.read("b") == b"b\n"


def test_a_corrupt_object_is_an_error_not_a_content(repo: GitRepo) -> None:
    repo.commit({"a": "a\n", "b": "b\n"})
    oid = repo.git("rev-parse", "HEAD:a")
    file = repo.path / ".git" / "objects" / oid[:2] / oid[2:]
    file.chmod(0o644)
    file.write_bytes(b"garbage")
    with Repository.open(repo.path, repo.environ) as repository:
        snapshot = repository.snapshot("HEAD")
        with pytest.raises(ToolFailure):
            snapshot.read("a")
        assert snapshot.read("b") == b"b\n"


def raw_tree(repo: GitRepo, rows: list[tuple[str, bytes, str]]) -> str:
    data = b"".join(f"{mode} ".encode() + name + b"\0" + bytes.fromhex(oid) for mode, name, oid in rows)
    return repo.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=data)


def commit_of_tree(repo: GitRepo, tree: str) -> str:
    return repo.git("commit-tree", "-m", "made by hand", tree)


@pytest.mark.parametrize("names", [[b".."], [b"."], [b"a/b"], [b""], [b"a", b"a"]])
def test_trees_that_git_would_never_make_are_refused(repo: GitRepo, names: list[bytes]) -> None:
    blob = repo.git("hash-object", "-w", "--stdin", stdin=b"x")
    commit = commit_of_tree(repo, raw_tree(repo, [("100644", name, blob) for name in names]))
    with Repository.open(repo.path, repo.environ) as repository, pytest.raises(ToolFailure, match="tree object"):
        _ = repository.snapshot(commit).entries


def test_modes_of_old_trees_are_read_as_git_reads_them(repo: GitRepo) -> None:
    blob = repo.git("hash-object", "-w", "--stdin", stdin=b"x")
    commit = commit_of_tree(repo, raw_tree(repo, [("100664", b"a", blob), ("100775", b"b", blob)]))
    with Repository.open(repo.path, repo.environ) as repository:
        snapshot = repository.snapshot(commit)
        assert [entry.mode for entry in snapshot.entries.values()] == ["100644", "100755"]
        assert snapshot.tree_id() == repo.git("rev-parse", f"{commit}^{{tree}}")


def test_a_git_bomb_is_refused_in_bounded_time(repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten folders of ten folders of … of one file, ten deep: ten billion paths in eleven objects."""
    monkeypatch.setattr("maestro.repository.MAX_ENTRIES", 20_000)
    oid, mode = repo.git("hash-object", "-w", "--stdin", stdin=b"x"), "100644"
    for _ in range(10):
        oid, mode = raw_tree(repo, [(mode, b"%d" % number, oid) for number in range(10)]), "40000"
    commit = commit_of_tree(repo, oid)
    with Repository.open(repo.path, repo.environ) as repository, pytest.raises(ToolFailure, match="more than 20,000"):
        _ = repository.snapshot(commit).entries


def test_endless_folders_are_refused(repo: GitRepo) -> None:
    oid, mode = repo.git("hash-object", "-w", "--stdin", stdin=b"x"), "100644"
    rows = []
    for _ in range(501):
        rows.append(oid)
        data = f"{mode} a\0".encode() + bytes.fromhex(oid)
        oid, mode = hash_tree(repo, data), "40000"
    commit = commit_of_tree(repo, oid)
    with Repository.open(repo.path, repo.environ) as repository, pytest.raises(ToolFailure, match="500 deep"):
        _ = repository.snapshot(commit).entries


def hash_tree(repo: GitRepo, data: bytes) -> str:
    """Write a tree object without starting git five hundred times."""
    import hashlib
    import zlib

    whole = b"tree %d\0" % len(data) + data
    oid = hashlib.sha1(whole, usedforsecurity=False).hexdigest()
    file = repo.path / ".git" / "objects" / oid[:2] / oid[2:]
    file.parent.mkdir(exist_ok=True)
    if not file.exists():
        file.write_bytes(zlib.compress(whole))
    return oid


def test_a_git_that_is_killed_is_a_failure_not_a_traceback(repo: GitRepo) -> None:
    repo.commit({"a": "a\n"})
    with Repository.open(repo.path, repo.environ) as repository:
        snapshot = repository.snapshot("HEAD")
        _ = snapshot.entries
        dialogue = repository.objects._dialogue
        assert dialogue is not None
        dialogue._process.kill()
        dialogue._process.wait()
        with pytest.raises(MaestroError):
            snapshot.read("a")
        assert snapshot.read("a") == b"a\n", "the next question starts another git"


def test_git_is_ended_with_the_repository(repo: GitRepo) -> None:
    repo.commit({"a": "a\n"})
    with Repository.open(repo.path, repo.environ) as repository:
        repository.snapshot("HEAD").read("a")
        dialogue = repository.objects._dialogue
        assert dialogue is not None
    assert isinstance(dialogue._process, subprocess.Popen)
    assert dialogue._process.returncode is not None
