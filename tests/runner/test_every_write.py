"""Struck at every write, a run is completed: nothing lost, nothing twice, and what is left holds.

``python -m tests.runner.every_write`` strikes every write in every way; here some of them, so that it takes seconds.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

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
