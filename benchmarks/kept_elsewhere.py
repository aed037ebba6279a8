"""What it costs that another machine could go on with a run: claims and receipts so far, kept in a store elsewhere.

Interleaved in one run on one machine, the same whole dispatch (session, claims, commands, receipts, segment) three
ways: in the ledger's own folder (the peer), with its steps in another folder, with its steps in a bare git repository.
Two shapes: a burst, all alive together (one claim), and a queue of short commands through few slots (a claim a second
and less). Wall clock of the dispatching process.

    python -m benchmarks.kept_elsewhere [--count 2000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from maestro.ledger.address import parse
from maestro.ledger.opening import open_store
from runner.drivers.drill_process import DrillFolder

GOAL = 1.1
WAYS = ("in place", "folder", "git")


def dispatched(where: Path, way: str, count: int, slots: int, command: tuple[str, ...]) -> tuple[float, int]:
    """Seconds, and how many steps were written."""
    where.mkdir(parents=True)
    store = {"in place": None, "folder": str(where / "store"), "git": f"git+file://{where}/store.git"}[way]
    if way == "git":
        subprocess.run(["git", "init", "--quiet", "--bare", where / "store.git"], check=True)
    folder = DrillFolder(where / "run")
    start = time.monotonic()
    process = folder.start(count, slots=slots, command=command, store=store)
    if process.wait():
        raise SystemExit(f"it failed: {process.returncode}")
    seconds = time.monotonic() - start
    steps = 0 if store is None else len(list(open_store(parse(store), where, os.environ).names("runs/")))
    return seconds, steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    count, load = arguments.count, [round(one, 1) for one in os.getloadavg()]
    shapes = {"burst": (count, ("sleep", "10")), "queue": (8, ("sleep", "0.01"))}
    said: dict[str, object] = {"executions": count, "load_before": load}
    held = True
    with tempfile.TemporaryDirectory(prefix="maestro-elsewhere-") as temporary:
        for shape, (slots, command) in shapes.items():
            found: dict[str, list[tuple[float, int]]] = {way: [] for way in WAYS}
            for turn in range(arguments.rounds):
                for way in WAYS:
                    where = Path(temporary) / f"{shape}-{turn}-{way.replace(' ', '-')}"
                    found[way].append(dispatched(where, way, count, slots, command))
            medians = {way: statistics.median(seconds for seconds, _ in those) for way, those in found.items()}
            ratios = {way: round(medians[way] / medians["in place"], 3) for way in WAYS[1:]}
            held = held and max(ratios.values()) <= GOAL
            said[shape] = {
                "seconds": {way: round(seconds, 2) for way, seconds in medians.items()},
                "steps": {way: [steps for _, steps in those] for way, those in found.items() if way != "in place"},
                "ratio": ratios,
            }
    print(json.dumps({**said, "held": held}))
    sys.exit(not held)


if __name__ == "__main__":
    main()
