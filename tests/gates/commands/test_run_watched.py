"""`maestro run` on a real pseudo-terminal: what it draws, and how it leaves it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.runner.governed_runs import Runs, manifest
from tests.support.tools import ROOT

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Watched:
    """A run on a terminal of ``columns``."""

    def __init__(self, runs: Runs, *arguments: str, columns: int = 100, **environ: str) -> None:
        self.main, other = pty.openpty()
        self.resize(columns)
        code = "import sys; from maestro.cli import main; sys.exit(main())"
        outside = {"TERM": "xterm", "PYTHONPATH": str(ROOT), **environ}
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", code, "run", *arguments],
            cwd=runs.repo.path,
            env={**runs.repo.environ, **runs.environ, **outside},
            stdin=other,
            stdout=other,
            stderr=other,
        )
        os.close(other)
        self.said = ""

    def resize(self, columns: int) -> None:
        fcntl.ioctl(self.main, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def until(self, what: Callable[[str], bool] | None = None) -> str:
        """Everything it has said, until that holds of it, or it has ended."""
        deadline = time.monotonic() + 40
        while what is None or not what(self.said):
            assert time.monotonic() < deadline, self.said
            if not select.select([self.main], [], [], 1.0)[0]:
                continue
            try:
                data = os.read(self.main, 1 << 16)
            except OSError:  # nobody has the other end any more
                break
            if not data:
                break
            self.said += data.decode()
        if what is None:
            self.process.wait()
            os.close(self.main)
        return self.said


def frames(said: str) -> list[str]:
    """The heads of the frames."""
    return re.findall(r"\d+ of 8 ended, 0:\d\d", said)


def after(said: str) -> str:
    """What stays below, as text."""
    return ESCAPE.sub("", said[said.rindex(SHOW) :])


def eight(tmp_path: Path, seconds: float = 0.8) -> Runs:
    script = f"echo x >> {tmp_path}/marks; exec sleep {seconds}"
    return Runs(tmp_path, files={"manifests/many.yaml": manifest("many", script, "  array: {size: 8}\n")})


def test_a_table_is_drawn_and_wiped_away(tmp_path: Path) -> None:
    run = Watched(eight(tmp_path), "many")
    run.until(lambda said: len(frames(said)) >= 2)
    run.resize(40)
    said = run.until()
    assert run.process.returncode == 0, said
    assert "manifest  tenant  waiting  starting  running  succeeded  failed  p95 start" in said
    assert re.search(r"many +acme +\d+ +\d+ +4 +", said), "running is seen while nothing has ended"
    assert re.search(r"many +\d+ +\d+ +\d+ +\d+\r?\n?", ESCAPE.sub("", said.split("p95 start")[-1])), "narrow by now"
    assert said.count(HIDE) == said.count(SHOW) == 1
    assert "8 succeeded; 8 receipts" in after(said)
    assert "p95 start" not in after(said)
    assert re.search(r"\x1b\[[0-9;]*m", said) is None, "no colours"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_a_terminal_as_it_was(tmp_path: Path, number: signal.Signals) -> None:
    run = Watched(eight(tmp_path, 3), "many")
    before = termios.tcgetattr(run.main)
    run.until(lambda said: "ended, 0:0" in said)
    run.process.send_signal(number)
    said = run.until(lambda said: "INCOMPLETE" in said)
    assert termios.tcgetattr(run.main) == before
    said = run.until()
    assert run.process.returncode == 130, said
    assert said.count(HIDE) == said.count(SHOW) == 1
    assert "completes it" in after(said)


def test_where_nobody_can_watch_there_are_only_lines(tmp_path: Path) -> None:
    run = Watched(eight(tmp_path), "many", TERM="dumb")
    said = run.until()
    assert run.process.returncode == 0, said
    assert "\x1b" not in said
    assert "8 succeeded" in said
