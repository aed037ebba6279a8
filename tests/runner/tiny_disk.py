"""A run on a disk that is too small, resumed when it has grown: ``unshare -rm python -m tests.runner.tiny_disk DIR``.

A line for each size: its KiB, whether the run was told to be cut short, how often each command ran in the end.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from maestro.errors import ToolFailure
from runner.ledger_check import check_run
from tests.runner import plans

SIZES = (16, 56, 96, 136, 400)
COMMANDS = 4


def _mount(disk: Path, size: int, *more: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join([f"size={size}k", *more]), "tmpfs", str(disk)], check=True)


def _go(disk: Path, marks: Path) -> bool:
    """Whether it came to its end. Each command writes 9,000 bytes into its log, and fails where it cannot."""
    plan = plans.planned(f"echo x >> {marks}/$MAESTRO_ARRAY_INDEX; head -c 9000 /dev/zero | tr '\\0' a", size=COMMANDS)
    try:
        plans.dispatcher(disk).dispatch(plans.facts(), [plan], plans.local(disk))
    except ToolFailure as error:
        assert "No space left on device" in error.message, error.message
        return False
    return True


def main() -> None:
    """Try every size."""
    folder = Path(sys.argv[1])
    for size in SIZES:
        disk, marks = folder / f"{size}", folder / f"marks-{size}"
        disk.mkdir()
        marks.mkdir()
        _mount(disk, size)
        ended = _go(disk, marks)
        _mount(disk, 4000, "remount")
        assert _go(disk, marks)
        report = check_run(plans.folder(disk), plans.dispatcher(disk).trust, lambda _run: False)
        assert (report.objections, sum(report.outcomes.values())) == ([], COMMANDS), report.objections
        print(size, "ended" if ended else "cut short", sorted(mark.read_text().count("x") for mark in marks.iterdir()))


if __name__ == "__main__":
    main()
