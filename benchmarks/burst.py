"""10,000 processes alive together, each with a log of its own: p95 from publish to start, and what the queue costs.

Interleaved in one run on one machine: ``xargs -P`` starting as many, each with its own log (the peer); our spawner
alone (``runner.drivers.local_slots``, claims and journals durable); the whole of a dispatch (session signed, receipts
signed, segment closed). A process is ``sleep``, started by its own path; for xargs the start is when its log appears
(``sh -c 'exec sleep N >LOG'``), for us when posix_spawn has returned.

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
from collections.abc import Iterator
from pathlib import Path

from runner.drivers.drill_process import DrillFolder, records

SPAWNER_GOAL, RUN_GOAL, SECONDS_GOAL, QUEUE_GOAL, MEMORY_GOAL = 0.6, 1.0, 3.8, 0.9, 200


def p95(values: list[float]) -> float:
    return sorted(values)[max(0, -(-95 * len(values) // 100) - 1)]


def xargs(folder: Path, count: int, seconds: int) -> dict[str, float]:
    """Start times by the birth of each log."""
    logs = folder / "logs"
    logs.mkdir(parents=True)
    numbers = "".join(f"{number}\n" for number in range(count)).encode()
    start = time.time()
    command = ["xargs", f"-P{count}", "-n1", "sh", "-c", f"exec sleep {seconds} >{logs}/$0 2>&1"]
    before = os.times()
    subprocess.run(command, input=numbers, check=True)
    after = os.times()
    times = [entry.stat().st_mtime - start for entry in os.scandir(logs)]
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {"p95": p95(times), "last": max(times), "cpu_seconds": cpu}


def ours(folder: DrillFolder, count: int, seconds: int, *, alone: bool, rate: int = 0) -> dict[str, float]:
    """Through the spawner alone, or the whole dispatch."""
    before = os.times()
    process = folder.start(count, slots=count, command=("sleep", str(seconds)), spawner_only=alone, rate=rate)
    alive, memory = 0, 0
    while process.poll() is None:
        memory = max(memory, _resident(process.pid))
        alive = max(alive, sum(1 for _ in _sleeping()))
        time.sleep(0.5)
    after = os.times()
    if process.returncode:
        raise SystemExit(f"it failed: {process.returncode}")
    starts = [one for one in records(folder.run) if one["kind"] == "start"]
    begun = [(one["started"] - one["published"]) / 1e9 for one in starts]
    waited = [(one["claimed"] - one["published"]) / 1e9 for one in starts]
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    found = {"p95": p95(begun), "last": max(begun), "queue_p95": p95(waited), "alive": alive, "cpu_seconds": cpu}
    return {**found, "dispatcher_mb": memory}


def _resident(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) // 1024
    except OSError:
        pass
    return 0


def _sleeping() -> Iterator[int]:
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit():
            try:
                with open(f"/proc/{name}/comm") as file:  # noqa: PTH123
                    if file.read() == "sleep\n":
                        yield int(name)
            except OSError:
                continue


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=20, help="how long each process lives")
    arguments = parser.parse_args()
    count = arguments.count
    sides: dict[str, list[dict[str, float]]] = {"xargs": [], "spawner": [], "run": []}
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="maestro-burst-") as temporary:
        for round_ in range(arguments.rounds):
            where = Path(temporary) / str(round_)
            sides["xargs"].append(xargs(where / "xargs", count, arguments.seconds))
            sides["spawner"].append(ours(DrillFolder(where / "spawner"), count, arguments.seconds, alone=True))
            sides["run"].append(ours(DrillFolder(where / "run"), count, arguments.seconds, alone=False))
        steady = ours(DrillFolder(Path(temporary) / "steady"), count, 1, alone=True, rate=arguments.rate)
    median = {
        side: {key: round(statistics.median(one[key] for one in rounds), 2) for key in rounds[0]}
        for side, rounds in sides.items()
    }
    ratios = {side: round(median[side]["p95"] / median["xargs"]["p95"], 2) for side in ("spawner", "run")}
    held = (
        ratios["spawner"] <= SPAWNER_GOAL
        and ratios["run"] <= RUN_GOAL
        and median["run"]["p95"] < SECONDS_GOAL
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
                "load": round(os.getloadavg()[0], 1),
                "held": held,
            }
        )
    )
    sys.exit(not held)


if __name__ == "__main__":
    main()
