"""`maestro --help` against `python -c pass`: median of interleaved runs, printed as a ratio. Goal: at most 4."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

RUNS = 30
GOAL = 4.0


def seconds(argv: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> int:
    maestro = [str(Path(sys.executable).with_name("maestro")), "--help"]
    nothing = [sys.executable, "-c", "pass"]
    pairs = [(seconds(maestro), seconds(nothing)) for _ in range(RUNS + 2)][2:]
    ours, peer = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(
        f"maestro --help {ours * 1000:.0f} ms, python -c pass {peer * 1000:.0f} ms, "
        f"ratio {ours / peer:.2f} (goal {GOAL})"
    )
    return 0 if ours / peer <= GOAL else 1


if __name__ == "__main__":
    raise SystemExit(main())
