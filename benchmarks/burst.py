"""10,000 processes alive together, each with a log of its own: p95 from the parent's start to the child's first write.

Interleaved in one run on one machine: ``xargs -P`` starting as many, each with its own log (the peer); our spawner
alone (``runner.drivers.local_slots``, claims and journals durable); the whole of a dispatch (session signed, receipts
signed, segment closed). All sides run the same shell, which writes a line and becomes ``sleep``. One clock for all: it
begins right before the parent (xargs, or the Python that dispatches) is started, and ends when the child has written
its line, by the time of its log. Beside it, ours alone: publish → start and publish → claim as receipts have them; and
the floor: what two bare loops of posix_spawn(3) need for the same, a session for each, which claim, watch and record
nothing. What is below it is noise; and where they start fewer a second than arrive, every queue grows.

    python -m benchmarks.burst [--count 10000] [--rounds 3] [--rate 1000]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from runner.drivers.drill_process import DrillFolder, peak_memory, records, together

BARE = """
import os, sys
count, first, step, logs, seconds = *map(int, sys.argv[1:4]), *sys.argv[4:]
how = os.O_WRONLY | os.O_CREAT | os.O_EXCL
pids = []
for number in range(first, count, step):
    actions = [(os.POSIX_SPAWN_OPEN, 1, f"{logs}/{number}", how, 0o600), (os.POSIX_SPAWN_DUP2, 1, 2)]
    command = ["sh", "-c", f"echo up; exec sleep {seconds}"]
    pids.append(os.posix_spawn("/bin/sh", command, {}, file_actions=actions, setsid=True))
for pid in pids:
    os.waitpid(pid, 0)
"""
SPAWNER_GOAL, RUN_GOAL, SECONDS_GOAL, QUEUE_GOAL, MEMORY_GOAL = 0.6, 1.0, 3.8, 0.9, 200


def p95(values: list[float]) -> float:
    return sorted(values)[max(0, -(-95 * len(values) // 100) - 1)]


def xargs(folder: Path, count: int, seconds: int) -> dict[str, float]:
    """The peer."""
    logs = folder / "logs"
    logs.mkdir(parents=True)
    numbers = "".join(f"{number}\n" for number in range(count)).encode()
    command = ["xargs", f"-P{count}", "-n1", "sh", "-c", f"{{ echo up; exec sleep {seconds}; }} >{logs}/$0 2>&1"]
    before, start = os.times(), time.time()
    subprocess.run(command, input=numbers, check=True)
    return {**_first_writes(logs, start, count), "cpu_seconds": _cpu_since(before)}


def floor(folder: Path, count: int, seconds: int) -> dict[str, float]:
    """A bare loop for each core."""
    logs = folder / "logs"
    logs.mkdir(parents=True)
    cores = os.cpu_count() or 1
    before, start = os.times(), time.time()
    loop = [sys.executable, "-I", "-S", "-c", BARE, str(count)]
    loops = [subprocess.Popen([*loop, str(first), str(cores), str(logs), str(seconds)]) for first in range(cores)]
    codes = [one.wait() for one in loops]
    if any(codes):
        raise SystemExit("a bare loop failed")
    return {**_first_writes(logs, start, count), "cpu_seconds": _cpu_since(before)}


def _first_writes(logs: Path, start: float, count: int) -> dict[str, float]:
    times = [entry.stat().st_mtime - start for entry in os.scandir(logs)]
    if len(times) != count:
        raise SystemExit(f"{len(times)} logs of {count}")
    return {"p95": p95(times), "last": max(times)}


def _cpu_since(before: os.times_result) -> float:
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def ours(folder: DrillFolder, count: int, seconds: int, *, alone: bool, rate: int = 0) -> dict[str, float]:
    """Through the spawner alone, or the whole dispatch."""
    command = ("sh", "-c", f"echo up; exec sleep {seconds}")
    before, start = os.times(), time.time()
    process = folder.start(count, slots=count, command=command, spawner_only=alone, rate=rate)
    memory = 0
    while process.poll() is None:
        memory = max(memory, peak_memory(process.pid))
        time.sleep(0.5)
    if process.returncode:
        raise SystemExit(f"it failed: {process.returncode}")
    found = {**_first_writes(folder.run.path / "logs", start, count), "cpu_seconds": _cpu_since(before)}
    written = list(records(folder.run))
    starts = [one for one in written if one["kind"] == "start"]
    ends = [one for one in written if one["kind"] == "end"]
    if any(one["outcome"] != "succeeded" for one in ends):
        raise SystemExit("not all of them succeeded: something ended commands or watchers")
    return {
        **found,
        "publish_to_start_p95": p95([(one["started"] - one["published"]) / 1e9 for one in starts]),
        "queue_p95": p95([(one["claimed"] - one["published"]) / 1e9 for one in starts]),
        "alive": together(starts, ends),
        "dispatcher_mb": memory,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=20, help="how long each process lives")
    arguments = parser.parse_args()
    count = arguments.count
    load = [round(one, 1) for one in os.getloadavg()]
    sides: dict[str, list[dict[str, float]]] = {"xargs": [], "floor": [], "spawner": [], "run": []}
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="maestro-burst-") as temporary:
        for round_ in range(arguments.rounds):
            where = Path(temporary) / str(round_)
            sides["xargs"].append(xargs(where / "xargs", count, arguments.seconds))
            sides["floor"].append(floor(where / "floor", count, arguments.seconds))
            sides["spawner"].append(ours(DrillFolder(where / "spawner"), count, arguments.seconds, alone=True))
            sides["run"].append(ours(DrillFolder(where / "run"), count, arguments.seconds, alone=False))
        steady = ours(DrillFolder(Path(temporary) / "steady"), count, 1, alone=True, rate=arguments.rate)
        short = floor(Path(temporary) / "short", count, 1)
    median = {
        side: {key: round(statistics.median(one[key] for one in rounds), 2) for key in rounds[0]}
        for side, rounds in sides.items()
    }
    ratios = {side: round(median[side]["p95"] / median["xargs"]["p95"], 2) for side in ("floor", "spawner", "run")}
    held = (
        ratios["spawner"] <= SPAWNER_GOAL
        and ratios["run"] <= RUN_GOAL
        and median["run"]["publish_to_start_p95"] < SECONDS_GOAL
        and steady["queue_p95"] < QUEUE_GOAL
        and median["run"]["dispatcher_mb"] <= MEMORY_GOAL
    )
    print(
        json.dumps(
            {
                "processes": count,
                **median,
                "ratio": ratios,
                f"queue_p95_at_{arguments.rate}_a_second": round(steady["queue_p95"], 3),
                "floor_starts_a_second": round(count / short["last"]),
                "rounds": {side: [round(one["p95"], 2) for one in rounds] for side, rounds in sides.items()},
                "load_before": load,
                "held": held,
            }
        )
    )
    sys.exit(not held)


if __name__ == "__main__":
    main()
