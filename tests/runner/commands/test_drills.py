"""The drills, small: what they print, and that they leave nothing behind."""

from __future__ import annotations

import io
import re
import tempfile
from pathlib import Path

import pytest

from maestro.cli import dispatch
from maestro.errors import UsageError
from maestro.world import World


def drill(path: Path, *words: str) -> tuple[int, str]:
    """Exit code and standard output."""
    world = World(environ={}, cwd=path, stdout=io.StringIO(), stderr=io.StringIO())
    code = dispatch(["drill", *words], world)
    assert isinstance(world.stdout, io.StringIO)
    return code, world.stdout.getvalue()


def test_kills_lose_nothing_and_run_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code, out = drill(tmp_path, "kill", "--kills", "3", "--executions", "30", "--slots", "4")
    assert code == 0
    assert re.search(r"^\d+ kills over \d+ runs of 30 executions: 0 lost, 0 twice; \d+ of unknown", out)
    assert not list(tmp_path.glob("maestro-drill-*"))


def test_a_burst_prints_its_clocks(tmp_path: Path) -> None:
    code, out = drill(tmp_path, "burst", "--executions", "50", "--seconds", "3")
    assert code == 0
    assert re.search(r"^50 executions, \d+ alive together, 50 receipts hold\n  publish → claim  p50 ", out)


@pytest.mark.parametrize("words", [("kill", "--kills", "0"), ("burst", "--executions", "-1")])
def test_nonsense_is_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="is a number from 1"):
        drill(tmp_path, *words)
