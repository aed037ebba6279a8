"""Writing evidence: all of a file or none of it, and a clear word when the disk will not."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from maestro.errors import ToolFailure
from maestro.ledger import durable


def test_only_one_of_several_writers_succeeds(tmp_path: Path) -> None:
    durable.write(tmp_path / "a", b"first")
    with pytest.raises(FileExistsError):
        durable.write(tmp_path / "a", b"second")
    assert (tmp_path / "a").read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_replacing_leaves_one_file(tmp_path: Path) -> None:
    durable.write(tmp_path / "a", b"first", durable=True)
    durable.write(tmp_path / "a", b"second", replace=True, durable=True)
    assert (tmp_path / "a").read_bytes() == b"second"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("replace", [True, False])
def test_a_full_disk_leaves_what_was_there_and_nothing_half_written(tmp_path: Path, replace: bool) -> None:
    (tmp_path / "old").write_bytes(b"old")
    name = "old" if replace else "new"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))  # python ignores SIGXFSZ: writing fails with EFBIG
    try:
        with pytest.raises(ToolFailure, match="ledger cannot be written: File too large") as caught:
            durable.write(tmp_path / name, b"x" * 1000, replace=replace)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.exit_code == 1
    assert "resume" in str(caught.value.remedy)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("old", b"old")]


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(ToolFailure, match="No such file"):
        durable.write(tmp_path / "gone" / "a", b"")


def test_a_lock_is_let_go_of_by_whoever_dies(tmp_path: Path) -> None:
    code = f"""
import fcntl, os, pathlib, sys, time
from maestro.ledger import durable
with durable.locked(pathlib.Path({str(tmp_path / "lock")!r}), lambda: None):
    print("held", flush=True)
    time.sleep(60)
"""
    root = Path(__file__).resolve().parents[3]
    waited: list[bool] = []
    with subprocess.Popen([sys.executable, "-c", code], cwd=root, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"

        def waiting() -> None:
            waited.append(True)
            holder.kill()

        with durable.locked(tmp_path / "lock", waiting):
            assert waited == [True]
