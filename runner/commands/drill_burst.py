"""``maestro drill burst``: many processes alive together, and what the clocks of their receipts say.

Everything is in a scratch folder, with a key and a ledger of its own; nothing else is read or written.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from maestro.errors import ToolFailure, UsageError
from maestro.world import World
from runner.run_clocks import percentiles

MOST = 100_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--executions", type=int, metavar="N", default=1000, help="how many, all at once (default 1000)"
    )
    parser.add_argument("--seconds", type=int, metavar="N", default=5, help="how long each lives (default 5)")


def run(arguments: argparse.Namespace, world: World) -> int:
    """0: all have run and the ledger holds. 10: the ledger does not hold."""
    from runner.commands.drill_end import ending
    from runner.drivers.drill_process import DrillFolder, peak_memory, records, together

    for name in ("executions", "seconds"):
        if not 1 <= getattr(arguments, name) <= MOST:
            raise UsageError(f"--{name} is a number from 1 to {MOST:,}")
    count = arguments.executions
    with tempfile.TemporaryDirectory(prefix="maestro-drill-", ignore_cleanup_errors=True) as scratch:
        folder = DrillFolder(Path(scratch))
        process = folder.start(count, slots=count, command=("sleep", str(arguments.seconds)))
        memory = 0
        with ending(folder, process):
            while process.poll() is None:
                memory = max(memory, peak_memory(process.pid))
                time.sleep(0.05)
        if process.returncode:
            raise ToolFailure("the burst did not come to its end", remedy="what stood in the way is said above")
        found = list(records(folder.run))
        believed, objections = folder.objections()
    starts = [one for one in found if one["kind"] == "start"]
    ends = [one for one in found if one["kind"] == "end" and "ended" in one]
    world.stdout.write(f"{count} executions, {together(starts, ends)} alive together, {believed} receipts hold\n")
    for words, one, other in (("publish → claim", "published", "claimed"), ("publish → start", "published", "started")):
        said = percentiles([(start[other] - start[one]) / 1e9 for start in starts])
        if said is not None:
            world.stdout.write(f"  {words}  p50 {said.p50:.3f} s  p95 {said.p95:.3f} s  p99 {said.p99:.3f} s\n")
    cores, load = os.cpu_count() or 1, os.getloadavg()[0]
    world.stdout.write(f"  dispatcher's memory {memory} MB at most; {cores} cores, load {load:.1f}\n")
    for objection in objections:
        world.stderr.write(f"  {objection}\n")
    return 10 if objections or believed != count else 0
