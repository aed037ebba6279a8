from __future__ import annotations

import os
from pathlib import Path

import pytest

from maestro.errors import UsageError
from policy.folder import Folder, folder_around, governed_folder, read_regular


def test_files_are_listed_and_links_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.rego").write_text("package secret")
    root = tmp_path / "repository"
    (root / "policy" / "é").mkdir(parents=True)
    (root / ".git").mkdir()
    (root / ".git" / "config").write_text("x")
    (root / "policy" / "é" / "a.rego").write_text("package a")
    (root / "linked").symlink_to(outside)
    (root / "link.rego").symlink_to(outside / "secret.rego")
    os.mkfifo(root / "pipe.rego")
    folder = Folder(root)
    assert {path: entry.mode for path, entry in folder.entries.items()} == {
        "link.rego": "120000",
        "linked": "120000",
        "policy/é/a.rego": "100644",
    }
    assert folder.read_many(["policy/é/a.rego"]) == {"policy/é/a.rego": b"package a"}
    with pytest.raises(UsageError):
        folder.read("link.rego")


def test_a_pipe_or_a_folder_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "absent"):
        with pytest.raises(UsageError) as caught:
            read_regular(path)
        assert caught.value.where == str(path)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        _ = Folder(tmp_path / "absent").entries


def test_the_governed_folder_around_is_found_within_the_same_repository(tmp_path: Path) -> None:
    (tmp_path / "maestro.yaml").write_text("")
    inner = tmp_path / "inner" / "deep"
    inner.mkdir(parents=True)
    assert governed_folder(inner).root == tmp_path
    (tmp_path / "inner" / ".git").write_text("gitdir: elsewhere")  # of a linked worktree, or a submodule
    assert folder_around(inner).root == inner
    with pytest.raises(UsageError, match=r"there is no maestro\.yaml"):
        governed_folder(inner)
    (inner / "maestro.yaml").symlink_to("maestro.yaml")
    assert governed_folder(inner).root == inner  # a loop is said where it is read, not passed over
    with pytest.raises(UsageError, match="no such folder"):
        folder_around(tmp_path / "absent")
