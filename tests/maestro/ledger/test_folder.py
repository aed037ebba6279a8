"""The folder as a store: the contract, and what only a folder can do wrong."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from maestro.errors import ToolFailure
from maestro.ledger.folder import FolderStore
from maestro.ledger.store import Store
from tests.maestro.ledger.contract import StoreContract


class TestFolderStore(StoreContract):
    @pytest.fixture
    def opened(self, tmp_path: Path) -> Callable[[], Store]:
        return lambda: FolderStore(tmp_path / "not" / "there" / "yet")


def test_garbage_and_what_a_killed_writer_left_is_passed_over(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.create("a/b", b"1")
    (tmp_path / "a" / ".b.12ab.tmp").write_bytes(b"half")
    (tmp_path / "with space").write_bytes(b"")
    assert list(store.names("")) == ["a/b"]


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.create("a", b"old")
    seen = store.read("a")
    assert seen is not None
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(ToolFailure, match="cannot be written: File too large"):
            store.replace("a", b"x" * 1000, seen.version)
        with pytest.raises(ToolFailure, match="cannot be written: File too large"):
            store.create("b", b"x" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert store.read("a") == seen
    assert list(store.names("")) == ["a"]


def test_a_link_in_the_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("elsewhere")
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "a").symlink_to(tmp_path / "secret")
    with pytest.raises(ToolFailure, match="cannot be read"):
        FolderStore(tmp_path / "store").read("a")


def test_a_file_where_a_folder_should_be_is_told(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.create("a", b"")
    with pytest.raises(ToolFailure, match="cannot be written"):
        store.create("a/b", b"")
    assert store.read("a/b") is None


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_read_only_folder_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ToolFailure, match="cannot be written: Permission denied"):
        FolderStore(tmp_path).create("a/b", b"")
