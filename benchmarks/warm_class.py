"""10,000 executions that do nothing, through the warm class, against schedulers of Python functions on 2 warm workers.

Interleaved in one run on one machine:

- *python*: a Python program that does nothing, kept ready and forked: a process, a log and a signed receipt for each.
- *command*: ``true``, of the same class, the same way.
- *anew*: the Python program of class ``batch``: what it would cost without this class. Reported, a tenth of the count.
- *dask*: ``distributed``, a function that does nothing, in two worker processes that are up and have worked before.
- *ray*: the same with Ray, where ``--ray PYTHON`` names an interpreter that has it (``pip install ray``; it is not
  among our dependencies).
- *floor*: two bare Python processes that fork a child, which ends at once, and wait for it: a process for each
  execution costs as much before it does anything. Reported.

Then the same executions one by one, 50 a second, which is what the class is for: from publish to start, with nothing in
the way. Reported for *python* and each peer, whose clock runs from the planned moment to the function's first line.

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
RATE, ARRIVING = 50, 250
"""Executions a second, and how many, of those that come one by one."""

_COMMON = """
import json, os, sys, time
count, rate, arriving = map(int, sys.argv[1:])
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
    print(json.dumps({"seconds": seconds, "cpu_seconds": after - before, "p50": at(50), "p95": at(95)}), flush=True)
def one_by_one(submit, result):
    begin, asked = time.time() + 0.2, []
    for number in range(arriving):
        planned = begin + number / rate
        time.sleep(max(0.0, planned - time.time()))
        asked.append((planned, submit(number)))
    waits = sorted((result(one) - planned) * 1000 for planned, one in asked)
    at = lambda share: waits[max(0, -(-share * arriving // 100) - 1)]
    print(json.dumps({"trickle_p50_ms": at(50), "trickle_p95_ms": at(95)}))
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
        one_by_one(lambda number: client.submit(noop, number, pure=False), lambda future: future.result())
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
one_by_one(task.remote, ray.get)
"""
)


FLOOR = """
import os, sys
for number in range(int(sys.argv[1])):
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
"""


def p(share: int, values: list[float]) -> float:
    return sorted(values)[max(0, -(-share * len(values) // 100) - 1)]


def peer(program: Path, python: str, count: int) -> dict[str, float]:
    """One round of a peer, in a process of its own."""
    argv = [python, str(program), str(count), str(RATE), str(ARRIVING)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if len(lines) < 2:
        raise SystemExit(f"{program.stem} failed: {done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(lines[-2]) | json.loads(lines[-1])
    return found


def floor(count: int) -> dict[str, float]:
    """As many bare forks."""
    before, begin = os.times(), time.time()
    argv = [sys.executable, "-I", "-S", "-c", FLOOR, str(count // WORKERS)]
    for process in [subprocess.Popen(argv) for _ in range(WORKERS)]:
        process.wait()
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {"seconds": time.time() - begin, "cpu_seconds": cpu}


def trickle(folder: DrillFolder, command: list[str]) -> dict[str, float]:
    """Executions that come one by one."""
    if folder.start(ARRIVING, slots=WORKERS, command=command, class_="warm", rate=RATE).wait():
        raise SystemExit("a dispatch failed")
    waits = [(one["started"] - one["published"]) / 1e6 for one in records(folder.run) if one["kind"] == "start"]
    return {"trickle_p50_ms": p(50, waits), "trickle_p95_ms": p(95, waits)}


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
            at_once = ours(DrillFolder(where / "python"), count, python, "warm")
            sides.setdefault("python", []).append(at_once | trickle(DrillFolder(where / "trickle"), python))
            sides.setdefault("command", []).append(ours(DrillFolder(where / "command"), count, ["true"], "warm"))
            sides.setdefault("anew", []).append(ours(DrillFolder(where / "anew"), count // 10, python, "batch"))
            sides.setdefault("dask", []).append(peer(base / "peer_dask.py", sys.executable, count))
            sides.setdefault("floor", []).append(floor(count))
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
