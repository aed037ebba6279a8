"""Struck at every write, a run is completed: nothing lost, nothing twice, and what is left holds.

``python -m tests.runner.every_write`` strikes every write in every way; here some of them, so that it takes seconds.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from maestro.evidence.errors import BadEvidence
from maestro.evidence.trust import trust_of
from runner.ledger_check import check_run
from tests.maestro.evidence import keys
from tests.runner import plans

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("who", "fault", "every"),
    [
        ("dispatcher", "die", 4),
        ("dispatcher", "die-halfway", 11),
        ("dispatcher", "full", 9),
        ("dispatcher", "read-only", 17),
        ("dispatcher", "broken", 13),
        ("dispatcher", "slow", 1),
        ("watcher", "die", 4),
        ("watcher", "full", 9),
        ("resumer", "die", 8),
        ("resumer", "full", 11),
    ],
)
def test_whatever_is_struck_is_completed(who: str, fault: str, every: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.runner.every_write", "--who", who, "--fault", fault, "--every", str(every)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"(\d+) writes struck, 0 wrong", done.stdout)
    assert found is not None
    assert int(found[1]) >= (1 if fault == "slow" else 2)


@pytest.mark.parametrize("kind", ["sessions", "segments"])
@pytest.mark.parametrize("left", [0, 1, 200])
def test_a_session_or_segment_half_written_is_said_and_starts_nothing(tmp_path: Path, kind: str, left: int) -> None:
    """They are linked whole, so no crash leaves one: a broken disk may, or somebody who edits."""
    plan = plans.planned(size=2)
    plans.dispatcher(tmp_path).dispatch(plans.facts(), [plan], plans.local(tmp_path))
    (file,) = (plans.folder(tmp_path).path / kind).glob("*.json")
    file.write_bytes(file.read_bytes()[:left])
    with pytest.raises(BadEvidence, match="the bundle cannot be read"):
        plans.dispatcher(tmp_path).dispatch(plans.facts(), [plan], plans.NoDriver())
    report = check_run(plans.folder(tmp_path), trust_of([keys.row()]), lambda _run: False)
    assert "not-believed" in {one.kind for one in report.objections}
    assert f"{kind}/1.sigstore.json" in {one.file.partition(f"{plans.RUN}/")[2] for one in report.objections}


def _may_mount() -> bool:
    try:
        return not subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode
    except OSError:
        return False


@pytest.mark.skipif(not _may_mount(), reason="this machine lets nobody mount a disk of their own")
def test_a_real_disk_that_is_too_small(tmp_path: Path) -> None:
    command = ["unshare", "-rm", sys.executable, "-m", "tests.runner.tiny_disk", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    *short, last = done.stdout.splitlines()
    assert last == "400 ended [1, 1, 1, 1]"
    assert [line.partition(" ")[2] for line in short] == ["cut short [1, 1, 1, 1]"] * 4
