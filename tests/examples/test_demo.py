"""The demo holds what it promises, on any day, with nothing but git and Python (and openssl, where it is)."""

from __future__ import annotations

import datetime as dt
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from examples import demo
from tests.gates.governed import check
from tests.support.git_repo import GitRepo
from tests.support.tools import ROOT, tool

VARIES = (
    (r"\b\d{8}-\d{6}-[0-9a-f]{8}\b", "RUN-ID"),
    (r"\b[0-9a-f]{32}\b", "EXECUTION-ID"),
    (r"\b[0-9a-f]{10}\b", "ID"),
    (r"\d+\.\d\d s\b", "0.00 s"),
    (r"maestro-ledger-[0-9a-f]{16}: size 1, root \S{44}", "LEDGER: size 1, root ROOT"),
    (r"regopy \d+\.\d+\.\d+", "regopy VERSION"),
    (r"(?<=kept in ).*", "FOLDER"),
)


def test_it_does_the_main_job_for_real(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    openssl = Path(tool("openssl")).parent
    done = subprocess.run(
        [sys.executable, "-m", "examples.demo"],
        cwd=ROOT,
        env={"PATH": f"{openssl}:/usr/bin:/bin", "TMPDIR": str(tmp_path), "HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    text = done.stdout
    for pattern, word in VARIES:
        text = re.sub(pattern, word, text)
    assert done.returncode == 0, text
    assert text == snapshot


@pytest.mark.parametrize("today", [dt.date(2026, 12, 1), dt.date(2030, 2, 28), dt.date(2099, 12, 31)])
def test_the_example_is_sound_on_any_day(tmp_path: Path, today: dt.date) -> None:
    played = demo.Demo(tmp_path)
    demo.prepare(played, today)
    repo = GitRepo(played.repository)
    repo.environ["PATH"] = f"{Path(tool('conftest')).parent}:{os.environ['PATH']}"
    now = dt.datetime.combine(today, dt.time(12), dt.UTC)
    answer = check(repo, "--all", "--engine", "conftest", now=now)
    assert answer.code == 0
    assert answer.rules() == ["main/warn"], "the conftest policy has something to say, on trial"
    assert set(answer.outcomes().values()) <= {"passed", "skipped"}
    assert {
        name for name in ("documents", "flags", "policy", "waivers") if answer.outcomes()[name] != "passed"
    } == set()


def test_only_dates_of_documents_move(tmp_path: Path) -> None:
    for name in ("flags/f.yaml", "waivers/w.yaml", "policy/p.yaml"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text("ttl: 2026-12-31 # 2026-1, 12026-12-31\n")
    demo.redate(tmp_path, dt.date(2027, 12, 1))
    assert (tmp_path / "flags/f.yaml").read_text() == "ttl: 2027-12-31 # 2026-1, 12026-12-31\n"
    assert (tmp_path / "waivers/w.yaml").read_text() == "ttl: 2027-12-31 # 2026-1, 12026-12-31\n"
    assert (tmp_path / "policy/p.yaml").read_text() == "ttl: 2026-12-31 # 2026-1, 12026-12-31\n"


def test_a_command_that_ends_otherwise_ends_the_demo(tmp_path: Path) -> None:
    played = demo.Demo(tmp_path)
    demo.prepare(played, dt.date(2026, 12, 1))
    with pytest.raises(SystemExit, match="ended with 2, not 0"):
        played.show("maestro check --target nowhere", expect=0)
