"""10,000 executions that do nothing, through the warm class, against schedulers of Python functions on 2 warm workers.

Interleaved in one run on one machine:

- *python*: a Python program that does nothing, kept ready and forked: a process, a log and a signed receipt for each.
- *command*: ``true``, of the same class, the same way.
- *anew*: the Python program of class ``batch``: what it would cost without this class. Reported, a tenth of the count.
- *dask*: ``distributed``, a function that does nothing, in two worker processes that are up and have worked before.
- *ray*: the same with Ray, where ``--ray PYTHON`` names an interpreter that has it (``pip install ray``; it is not
  among our dependencies).

Ours are whole dispatches in a process of their own: Python's start, session, claims, 10,000 receipts, the closed
segment. The peers' clock runs from the first submission to the last result; their start is not counted, they keep no
log and no record, and what one function leaves in its process the next one finds. The goal is on the better peer.

    python -m benchmarks.warm_class [--count 10000] [--rounds 3] [--ray PYTHON]
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

from runner.drivers.drill_process import DrillFolder, records

GOAL = 1.0
WORKERS = 2

_COMMON = """
import json, os, sys, time
count = int(sys.argv[1])
def noop(number):
    return time.time()
def cpu():
    import psutil
    total = 0.0
    for one in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        try:
            found = one.cpu_times()
            total += found.user + found.system
        except psutil.Error:
            pass
    return total
def told(begin, before, started):
    seconds, after = time.time() - begin, cpu()
    waits = sorted(one - begin for one in started)
    at = lambda share: waits[max(0, -(-share * count // 100) - 1)]
    print(json.dumps({"seconds": seconds, "cpu_seconds": after - before, "p50": at(50), "p95": at(95)}))
"""
DASK = (
    _COMMON
    + """
if __name__ == "__main__":
    from distributed import Client, LocalCluster
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        client.gather(client.map(noop, range(200), pure=False))
        before, begin = cpu(), time.time()
        told(begin, before, client.gather(client.map(noop, range(count), pure=False)))
"""
)
RAY = (
    _COMMON
    + """
import ray
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
task = ray.remote(noop)
ray.get([task.remote(number) for number in range(200)])
before, begin = cpu(), time.time()
told(begin, before, ray.get([task.remote(number) for number in range(count)]))
"""
)


def p(share: int, values: list[float]) -> float:
    return sorted(values)[max(0, -(-share * len(values) // 100) - 1)]


def peer(program: Path, python: str, count: int) -> dict[str, float]:
    """One round of a peer, in a process of its own."""
    done = subprocess.run([python, str(program), str(count)], capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise SystemExit(f"{program.stem} failed: {done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(lines[-1])
    return found


def ours(folder: DrillFolder, count: int, command: list[str], class_: str) -> dict[str, float]:
    """One whole dispatch."""
    before, begin = os.times(), time.time()
    if folder.start(count, slots=WORKERS, command=command, class_=class_).wait():
        raise SystemExit("a dispatch failed")
    seconds, after = time.time() - begin, os.times()
    written = list(records(folder.run))
    starts = [one for one in written if one["kind"] == "start"]
    if len(starts) != count or any(one["outcome"] != "succeeded" for one in written if one["kind"] == "end"):
        raise SystemExit("not all of them succeeded")
    if class_ == "warm" and any(one["refused"] for one in written if one["kind"] == "warm"):
        raise SystemExit("it was not kept ready")
    waits = [(one["started"] - one["published"]) / 1e9 for one in starts]
    return {
        "seconds": seconds,
        "cpu_seconds": after.children_user + after.children_system - before.children_user - before.children_system,
        "p50": p(50, waits),
        "p95": p(95, waits),
        "claim_to_start_p95_ms": p(95, [(one["started"] - one["claimed"]) / 1e6 for one in starts]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ray", metavar="PYTHON", help="an interpreter that has Ray")
    arguments = parser.parse_args()
    count, load = arguments.count, round(os.getloadavg()[0], 1)
    sides: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory(prefix="maestro-warm-") as temporary:
        base = Path(temporary)
        (base / "nothing.py").write_text("import sys\n")
        (base / "peer_dask.py").write_text(DASK)
        (base / "peer_ray.py").write_text(RAY)
        python = [sys.executable, "-I", "-S", str(base / "nothing.py")]
        for round_ in range(arguments.rounds):
            where = base / str(round_)
            sides.setdefault("python", []).append(ours(DrillFolder(where / "python"), count, python, "warm"))
            sides.setdefault("command", []).append(ours(DrillFolder(where / "command"), count, ["true"], "warm"))
            sides.setdefault("anew", []).append(ours(DrillFolder(where / "anew"), count // 10, python, "batch"))
            sides.setdefault("dask", []).append(peer(base / "peer_dask.py", sys.executable, count))
            if arguments.ray:
                sides.setdefault("ray", []).append(peer(base / "peer_ray.py", arguments.ray, count))
    median = {
        side: {key: round(statistics.median(one[key] for one in rounds), 2) for key in rounds[0]}
        for side, rounds in sides.items()
    }
    better = min(("dask", "ray"), key=lambda side: median[side]["seconds"] if side in median else float("inf"))
    ratio = {side: round(median[side]["seconds"] / median[better]["seconds"], 2) for side in ("python", "command")}
    said = {
        "executions": count,
        "rounds": arguments.rounds,
        **median,
        "better_peer": better,
        "ratio": ratio,
        "goal": GOAL,
        "load_before": load,
        "load": round(os.getloadavg()[0], 1),
    }
    if not arguments.ray:
        said["ray"] = "not measured: give --ray PYTHON of a virtual environment with `pip install ray`"
    print(json.dumps(said))
    sys.exit(ratio["python"] > GOAL)


if __name__ == "__main__":
    main()
