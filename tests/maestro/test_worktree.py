from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maestro.errors import ToolFailure
from maestro.repository import Entry, Repository, Snapshot, compare
from maestro.worktree import _Indexed, _unchanged
from tests.support.git_repo import GitRepo


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    return GitRepo.init(tmp_path / "repo")


def worktree(repo: GitRepo) -> Snapshot:
    """The working tree's snapshot, to look at its entries."""
    with Repository.open(repo.path, repo.environ) as repository:
        return repository.worktree()


def read(repo: GitRepo, *paths: str) -> list[bytes]:
    """What the working tree's snapshot holds at these paths."""
    with Repository.open(repo.path, repo.environ) as repository:
        contents = repository.worktree().read_many(paths)
    return [contents[path] for path in paths]


def changes(repo: GitRepo) -> dict[str, str]:
    with Repository.open(repo.path, repo.environ) as repository:
        found = compare(repository.snapshot("HEAD"), repository.worktree())
    return {
        change.path: "added" if change.before is None else "removed" if change.after is None else "changed"
        for change in found
    }


def as_git_would_commit(repo: GitRepo) -> tuple[str, dict[str, Entry]]:
    """Git's own answer: add everything to a throw-away index and write its tree."""
    index = repo.path / ".git" / "index"
    kept = index.read_bytes() if index.exists() else None
    repo.git("add", "--all")
    tree = repo.git("write-tree")
    rows = [row.split("\t", 1) for row in repo.git("ls-files", "-s", "-z").split("\0") if row]
    if kept is not None:
        index.write_bytes(kept)
    return tree, {path: Entry(info.split()[0], info.split()[1]) for info, path in rows}


def settle(repo: GitRepo) -> None:
    """Let the recorded times lie so far back that they are believed."""
    old = time.time_ns() - 10**12
    for path in repo.path.rglob("*"):
        if ".git" not in path.parts and path.is_file() and not path.is_symlink():
            os.utime(path, ns=(old, old))
    repo.git("update-index", "-q", "--refresh")
    assert (repo.path / ".git" / "index").stat().st_mtime_ns > old + 10**9


def test_a_clean_checkout_is_its_commit(repo: GitRepo) -> None:
    repo.commit({"a": "a", "b/c": "c", "b/empty": ""}, links={"link": "a"}, submodules={"module": "2" * 40})
    assert changes(repo) == {}
    settle(repo)
    assert changes(repo) == {}
    assert worktree(repo).tree_id() == repo.git("rev-parse", "HEAD^{tree}")


@pytest.mark.parametrize("settled", [False, True])
def test_every_kind_of_uncommitted_work(repo: GitRepo, settled: bool) -> None:
    repo.write("tracked.log", "tracked although ignored")
    repo.git("add", "tracked.log")
    repo.commit(
        {
            ".gitignore": "*.log\nbuild/\n",
            "same": "same",
            "edited": "before",
            "staged": "before",
            "staged-then-edited": "before",
            "deleted": "x",
            "deleted-in-index": "x",
            "renamed": "name\n" * 9,
            "mode": "x",
        }
    )
    if settled:
        settle(repo)
    repo.write("edited", "afters")
    repo.write("staged", "aftera")
    repo.write("staged-then-edited", "middle")
    repo.git("add", "staged", "staged-then-edited")
    repo.write("staged-then-edited", "afterb")
    (repo.path / "deleted").unlink()
    repo.git("rm", "-q", "deleted-in-index")
    repo.git("mv", "renamed", "moved")
    (repo.path / "mode").chmod(0o755)
    repo.write("untracked/new", "new")
    repo.write("noise.log", "ignored")
    repo.write("build/out", "ignored")
    repo.write("tracked.log", "Tracked although ignored")
    assert changes(repo) == {
        "edited": "changed",
        "staged": "changed",
        "staged-then-edited": "changed",
        "deleted": "removed",
        "deleted-in-index": "removed",
        "renamed": "removed",
        "moved": "added",
        "mode": "changed",
        "untracked/new": "added",
        "tracked.log": "changed",
    }
    snapshot = worktree(repo)
    contents = read(repo, "edited", "staged", "staged-then-edited", "untracked/new", "same")
    assert contents == [b"afters", b"aftera", b"afterb", b"new", b"same"]
    assert snapshot.entries["mode"].mode == "100755"
    assert (snapshot.commit, snapshot.label) == (None, "worktree")


def test_an_edit_that_keeps_size_and_modification_time_is_seen(repo: GitRepo) -> None:
    repo.commit({"a": "before"})
    path = repo.path / "a"
    settle(repo)
    times = path.stat()
    path.write_text("after!")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert changes(repo) == {"a": "changed"}


def test_an_edit_in_the_moment_of_the_commit_is_seen(repo: GitRepo) -> None:
    for number in range(20):
        repo.commit({"a": f"before {number:2}"})
        repo.write("a", f"after  {number:2}")
        assert changes(repo) == {"a": "changed"}


def test_a_file_only_marked_to_be_added(repo: GitRepo) -> None:
    repo.commit({"a": "a"})
    repo.write("new", "")
    repo.git("add", "--intent-to-add", "new")
    assert changes(repo) == {"new": "added"}


def test_an_unfinished_merge_is_read_as_it_lies_there(repo: GitRepo) -> None:
    repo.commit({"a": "base\n"})
    repo.branch("side")
    repo.commit({"a": "side\n"})
    repo.checkout("main")
    repo.commit({"a": "main\n"})
    repo.git("merge", "side", check=False)
    assert b"<<<<<<<" in read(repo, "a")[0]


def test_a_sparse_checkout_has_not_deleted_anything(repo: GitRepo) -> None:
    repo.commit({"in/a": "a", "out/b": "b", "c": "c"})
    repo.git("sparse-checkout", "set", "in")
    assert not (repo.path / "out").exists()
    assert changes(repo) == {}
    with Repository.open(repo.path, repo.environ) as repository:
        assert repository.worktree().read("out/b") == b"b"
    repo.git("sparse-checkout", "set", "--cone", "--sparse-index", "in")
    assert changes(repo) == {}


def test_files_assumed_unchanged_are_looked_at_all_the_same(repo: GitRepo) -> None:
    repo.commit({"a": "before"})
    repo.git("update-index", "--assume-unchanged", "a")
    repo.write("a", "after")
    assert changes(repo) == {"a": "changed"}


def test_a_split_index_and_index_version_four(repo: GitRepo) -> None:
    repo.commit({f"folder/{number}": str(number) for number in range(30)})
    repo.git("update-index", "--split-index")
    repo.write("folder/3", "x")
    repo.git("add", "folder/3")
    repo.write("folder/4", "y")
    assert changes(repo) == {"folder/3": "changed", "folder/4": "changed"}
    repo.git("update-index", "--no-split-index", "--index-version", "4")
    assert changes(repo) == {"folder/3": "changed", "folder/4": "changed"}


# Links, folders, and other things that are no files.


def test_a_link_is_its_text_and_is_not_followed(tmp_path: Path, repo: GitRepo) -> None:
    (tmp_path / "secret").write_text("secret")
    repo.commit({"a": "a"}, links={"was-link": "a"})
    (repo.path / "a").unlink()
    (repo.path / "a").symlink_to(tmp_path / "secret")
    (repo.path / "dangling").symlink_to("nowhere")
    (repo.path / "was-link").unlink()
    repo.write("was-link", "a")
    snapshot = worktree(repo)
    assert {path: entry.mode for path, entry in snapshot.entries.items()} == {
        "a": "120000",
        "dangling": "120000",
        "was-link": "100644",
    }
    assert read(repo, "a", "dangling") == [os.fsencode(tmp_path / "secret"), b"nowhere"]


def test_a_folder_replaced_by_a_link_to_outside_is_not_entered(tmp_path: Path, repo: GitRepo) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    repo.commit({"flags/deep/a": "inside", "b": "b"})
    settle(repo)
    (outside / "deep").mkdir()
    (outside / "deep" / "a").write_text("outside")
    (repo.path / "flags").rename(tmp_path / "moved-away")
    (repo.path / "flags").symlink_to(outside)
    assert changes(repo) == {"flags/deep/a": "removed", "flags": "added"}
    assert worktree(repo).entries["flags"].mode == "120000"


def test_a_folder_replaced_by_a_link_to_its_own_former_content(tmp_path: Path, repo: GitRepo) -> None:
    """Even then: the stat data of the very same file hold, but it is no longer in the repository."""
    repo.commit({"flags/a": "inside"})
    settle(repo)
    (repo.path / "flags").rename(tmp_path / "moved-away")
    (repo.path / "flags").symlink_to(tmp_path / "moved-away")
    assert changes(repo) == {"flags/a": "removed", "flags": "added"}


def test_a_file_replaced_by_a_folder_and_the_other_way_round(repo: GitRepo) -> None:
    repo.commit({"file": "x", "folder/a": "a"})
    (repo.path / "file").unlink()
    repo.write("file/now/a", "a")
    (repo.path / "folder" / "a").unlink()
    (repo.path / "folder").rmdir()
    repo.write("folder", "now a file")
    assert changes(repo) == {"file": "removed", "file/now/a": "added", "folder": "added", "folder/a": "removed"}


def test_a_pipe_in_place_of_a_file_does_not_hang(repo: GitRepo) -> None:
    repo.commit({"a": "a", "b": "b"})
    (repo.path / "a").unlink()
    os.mkfifo(repo.path / "a")
    os.mkfifo(repo.path / "new")
    assert changes(repo) == {"a": "removed"}


def test_a_nested_repository_is_a_submodule_and_is_not_entered(repo: GitRepo) -> None:
    repo.commit({"a": "a"})
    nested = GitRepo.init(repo.path / "nested")
    nested.commit({"x": "x"})
    assert worktree(repo).entries["nested"] == Entry("160000", None)
    assert "nested/x" not in worktree(repo).entries


def test_paths_that_are_not_utf8_or_hold_anything(repo: GitRepo) -> None:
    undecodable = b"caf\xe9".decode("utf-8", "surrogateescape")
    names = [undecodable, 'line\nbreak "quoted"', "tab\there", "-dash", "::error::", "é", " space "]
    repo.commit(dict.fromkeys(names, "tracked"))
    for name in names:
        repo.write(name, "changed")
        repo.write(f"new/{name}", "new")
    assert changes(repo) == dict.fromkeys(names, "changed") | {f"new/{name}": "added" for name in names}
    assert read(repo, undecodable) == [b"changed"]


def test_an_unreadable_file_is_an_error_that_names_it(repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.commit({"a": "a"})
    repo.write("a", "changed")
    real_open = os.open

    def refuse(path: bytes, flags: int) -> int:
        if path.endswith(b"/a"):
            raise PermissionError(13, "Permission denied")
        return real_open(path, flags)

    monkeypatch.setattr("maestro.worktree.os.open", refuse)
    with pytest.raises(ToolFailure, match="Permission denied") as caught:
        worktree(repo)
    assert caught.value.where == "a"


def test_a_large_file_is_read_again_and_a_change_meanwhile_is_noticed(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maestro.worktree.KEPT_BYTES", 10)
    repo.commit({"a": "a"})
    repo.write("a", "b" * 100)
    snapshot = worktree(repo)
    assert snapshot.entries["a"].oid == repo.git("hash-object", "a")
    assert snapshot.read("a") == b"b" * 100
    repo.write("a", "c" * 100)
    with pytest.raises(ToolFailure, match="changed while it was being judged"):
        snapshot.read("a")


# What git would commit: line endings, LFS.


def test_line_endings_that_the_attributes_ask_for_are_no_change(repo: GitRepo) -> None:
    repo.commit({".gitattributes": "*.yaml text\n*.bin -text\n*.auto text=auto\n", "a.yaml": "x\ny\n", "b": "x\n"})
    repo.write("a.yaml", "x\r\ny\r\n")
    repo.write("b", "x\r\n")
    repo.write("new.yaml", "n\r\n")
    repo.write("new.bin", "n\r\n")
    repo.write("new.auto", "n\r\n")
    repo.write("nul.auto", "n\0\r\n")
    assert changes(repo) == {
        "b": "changed",
        "new.yaml": "added",
        "new.bin": "added",
        "new.auto": "added",
        "nul.auto": "added",
    }
    tree, entries = as_git_would_commit(repo)
    assert dict(worktree(repo).entries) == entries
    assert worktree(repo).tree_id() == tree
    assert read(repo, "new.yaml") == [b"n\n"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    contents=st.lists(
        st.tuples(
            st.binary(max_size=200) | st.text("ab\r\n\0\x01\x1a", max_size=300).map(str.encode),
            st.binary(max_size=40) | st.text("ab\r\n", max_size=40).map(str.encode) | st.none(),
        ),
        min_size=1,
        max_size=8,
    ),
    attributes=st.sampled_from(["", "* text=auto\n", "* text\n", "* -text\n", "* eol=lf\n", "* text=auto eol=crlf\n"]),
    automatic=st.sampled_from(["false", "input", "true"]),
)
def test_contents_count_as_git_would_commit_them(
    tmp_path_factory: pytest.TempPathFactory,
    contents: list[tuple[bytes, bytes | None]],
    attributes: str,
    automatic: str,
) -> None:
    repo = GitRepo.init(tmp_path_factory.mktemp("eol") / "repo")
    repo.commit({f"{at}": before for at, (_, before) in enumerate(contents) if before is not None})
    repo.git("config", "core.autocrlf", automatic)
    repo.write(".gitattributes", attributes)
    for at, (data, _) in enumerate(contents):
        repo.write(f"{at}", data)
    ours = worktree(repo)
    tree, entries = as_git_would_commit(repo)
    assert dict(ours.entries) == entries
    assert ours.tree_id() == tree


LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n"


def test_a_file_under_lfs_counts_as_its_pointer(repo: GitRepo) -> None:
    pointer = LFS.format(hashlib.sha256(b"content").hexdigest(), 7)
    repo.commit({".gitattributes": "*.bin filter=lfs -text\n", "a.bin": pointer, "b.bin": pointer, "left.bin": pointer})
    repo.write("a.bin", "content")
    repo.write("b.bin", "another content")
    assert changes(repo) == {"b.bin": "changed"}
    expected = LFS.format(hashlib.sha256(b"another content").hexdigest(), 15)
    assert read(repo, "b.bin") == [expected.encode()]


def test_the_executable_bit_where_the_disk_has_none(repo: GitRepo) -> None:
    repo.commit({"a": "a"})
    repo.git("update-index", "--chmod=+x", "a")
    repo.git("commit", "-q", "-m", "executable")
    repo.git("config", "core.fileMode", "false")
    repo.write("b", "b").chmod(0o755)
    assert {path: entry.mode for path, entry in worktree(repo).entries.items()} == {"a": "100755", "b": "100644"}


def test_what_is_too_much_to_keep_is_read_again(repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maestro.worktree.KEPT_BYTES_OF_ALL", 12)
    repo.commit({"a": "a", ".gitattributes": "* text\n"})
    for name in "abcd":
        repo.write(name, f"{name}\r\n" * 2)
    tree, entries = as_git_would_commit(repo)
    assert dict(worktree(repo).entries) == entries
    assert worktree(repo).tree_id() == tree


def test_recorded_times_are_believed_only_when_they_lie_well_before_the_index(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("a")
    status = path.stat()
    here = (status.st_ctime_ns, status.st_mtime_ns, status.st_ino & 0xFFFFFFFF, status.st_size)
    row = _Indexed("100644", "a" * 40, here, False)
    assert _unchanged(row, status, status.st_mtime_ns + 10**9)
    assert not _unchanged(row, status, status.st_mtime_ns + 10**6)
    assert not _unchanged(row, status, status.st_mtime_ns)
    assert not _unchanged(row, status, 0), "no index file, or one from before the file"
    for at in range(4):
        other = tuple(value + (place == at) for place, value in enumerate(here))
        assert not _unchanged(row._replace(stat=other), status, status.st_mtime_ns + 10**9)  # type: ignore[arg-type]
    assert not _unchanged(row._replace(mode="120000"), status, status.st_mtime_ns + 10**9)
    assert not _unchanged(row._replace(stat=None), status, status.st_mtime_ns + 10**9)
