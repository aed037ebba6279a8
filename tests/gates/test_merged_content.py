from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gates.merged_content import beyond
from maestro.snapshot import Entry, Snapshot

Contents = dict[str, bytes]

FILES = st.dictionaries(st.sampled_from("abc"), st.sampled_from("123")).map(
    # No content at two paths: git would follow it as a rename.
    lambda files: {path: f"{path}{number}\n".encode() for path, number in files.items()}
)


def entries(files: Contents) -> dict[str, Entry]:
    return dict(Snapshot.of_files(files).entries)


@pytest.fixture(scope="module")
def git_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("merges")
    git(folder, "init", "-q")
    return folder


def git(folder: Path, *arguments: str, stdin: bytes = b"", codes: tuple[int, ...] = (0,)) -> tuple[int, bytes]:
    environ = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    person = {f"GIT_{who}_{what}": "a@acme.example" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["git", "-C", folder, *arguments], input=stdin, capture_output=True, env=environ | person, check=False
    )
    assert done.returncode in codes, done.stderr
    return done.returncode, done.stdout


def commit(folder: Path, files: Contents, *parents: str) -> str:
    lines = []
    for path, data in sorted(files.items()):
        oid = git(folder, "hash-object", "-w", "--stdin", stdin=data)[1].decode().strip()
        lines.append(f"100644 blob {oid}\t{path}\n")
    tree = git(folder, "mktree", stdin="".join(lines).encode())[1].decode().strip()
    named = [word for parent in parents for word in ("-p", parent)]
    return git(folder, "commit-tree", tree, "-m", "x", *named)[1].decode().strip()


def merged_by_git(folder: Path, base: Contents, ours: Contents, theirs: Contents) -> dict[str, Entry] | None:
    root = commit(folder, base)
    sides = [commit(folder, side, root) for side in (ours, theirs)]
    code, out = git(folder, "merge-tree", "--write-tree", *sides, codes=(0, 1))
    if code:
        return None
    listing = git(folder, "ls-tree", "-r", "-z", out.decode().split()[0])[1].decode()
    rows = [row.partition("\t") for row in listing.split("\0") if row]
    return {path: Entry(meta.split()[0], meta.split()[2]) for meta, _, path in rows}


@settings(max_examples=60)
@given(base=FILES, ours=FILES, theirs=FILES, other=FILES)
def test_what_git_merges_is_explained_and_nothing_else_is(
    git_folder: Path, base: Contents, ours: Contents, theirs: Contents, other: Contents
) -> None:
    by_git = merged_by_git(git_folder, base, ours, theirs)
    sides = entries(base), entries(ours), entries(theirs)
    if by_git is None:
        assert beyond(*sides, entries(other)) is not None, "a conflict that somebody resolved in a way of their own"
    else:
        assert beyond(*sides, by_git) is None
        if entries(other) != by_git:
            assert beyond(*sides, entries(other)) is not None


def test_a_mode_counts_as_content() -> None:
    plain, executable = entries({"a": b"1"}), {"a": Entry("100755", entries({"a": b"1"})["a"].oid)}
    assert beyond(plain, plain, plain, executable) == "a"
    assert beyond(plain, plain, executable, executable) is None
