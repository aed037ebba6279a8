from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from maestro.errors import ToolFailure
from maestro.output_file import write


@contextmanager
def little_room(size: int) -> Iterator[None]:
    """No file grows beyond this: what a full disk does, without one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_where_there_is_no_room_the_old_file_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "manifest.yaml"
    path.write_text("old\n")
    with little_room(8), pytest.raises(ToolFailure, match="the document could not be written: File too large"):
        write(path, "new\n" * 1000, "the document")
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("manifest.yaml", "old\n")]


def test_what_is_written_keeps_the_mode_of_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "script.yaml"
    path.write_text("old\n")
    path.chmod(0o750)
    write(path, "new\n", "the document")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new\n", 0o750)
