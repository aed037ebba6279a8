"""Finding one receipt among a million in the index, and filling the index against SQLite alone.

Rows are made up (50 tenants, 200 days, 40 workflows, runs of 1,000) and enter through the index's own ``put``. The
peer of the ingest is ``executemany`` of finished tuples into a table of the same columns with the same keys, in as many
transactions; rounds are interleaved. Warm: one connection, pages in memory. Cold: the file's pages dropped from the
system's memory (``posix_fadvise``), a new connection for every question; ``cpu_ms`` is the processor's time of the warm
ones. The plan asks 40 ms.

    python -m benchmarks.receipts_find [--count 1000000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
import os
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from runner.receipt_index import ReceiptIndex, with_index
from runner.receipt_row import Row, Wanted

WARM_MS, COLD_MS, PLAN_MS, INGEST = 1.0, 5.0, 40.0, 2.0
RUN = 1000
DECISIONS = [f"sha256:{hashlib.sha256(bytes([number])).hexdigest()}" for number in range(200)]


def runs(count: int) -> Iterator[tuple[str, list[Row]]]:
    """Runs of a thousand receipts, a few manifests of one tenant each, day after day."""
    chance = random.Random(1)
    total = max(1, count // RUN)
    for number in range(total):
        day = (dt.date(2026, 1, 1) + dt.timedelta(days=number * 200 // total)).isoformat()
        run, tenant = f"run-{number}", f"tenant-{number % 50:02}"
        commit = hashlib.sha256(day.encode()).hexdigest()[:40]
        rows = []
        for workflow in chance.sample(range(40), 4):
            cited = (DECISIONS[workflow * 5],)
            for _ in range(RUN // 4):
                outcome = "succeeded" if chance.random() < 0.99 else "failed"
                name = chance.randbytes(16).hex()
                rows.append(Row(tenant, day, f"workflow-{workflow:02}", name, run, commit, outcome, cited))
        yield run, rows


def ours(path: Path, made: list[tuple[str, list[Row]]]) -> float:
    """Seconds to fill the index."""

    def work(index: ReceiptIndex) -> float:
        start = time.perf_counter()
        for run, rows in made:
            index.put(run, "1", rows)
        return time.perf_counter() - start

    return with_index(path, "benchmark", work, lambda text: sys.exit(text))


def peer(path: Path, made: list[tuple[str, list[Row]]]) -> float:
    """Seconds for SQLite alone."""
    shelves: dict[tuple[str, str, str], int] = {}
    tuples = [
        [
            (shelves.setdefault((r.tenant, r.day, r.workflow), len(shelves)), bytes.fromhex(r.id), number, r.outcome)
            for r in rows
        ]
        for number, (_, rows) in enumerate(made)
    ]
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.executescript(
        "CREATE TABLE t (shelf INTEGER NOT NULL, id BLOB NOT NULL, origin INTEGER NOT NULL, outcome TEXT NOT NULL,"
        " PRIMARY KEY (shelf, id)) WITHOUT ROWID; CREATE UNIQUE INDEX a ON t (id); CREATE INDEX b ON t (origin);"
        "CREATE INDEX c ON t (outcome) WHERE outcome <> 'succeeded'"
    )
    start = time.perf_counter()
    for rows in tuples:
        db.execute("BEGIN")
        db.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", rows)
        db.execute("COMMIT")
    taken = time.perf_counter() - start
    db.close()
    return taken


def _p95(ask: Callable[[Wanted], object], questions: list[Wanted], clock: Callable[[], float]) -> float:
    taken = []
    for wanted in questions:
        start = clock()
        ask(wanted)
        taken.append((clock() - start) * 1000)
    return round(statistics.quantiles(taken, n=100)[94], 3)


def drop(path: Path) -> None:
    """Have none of the file in the system's memory."""
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


def cold(path: Path, wanted: Wanted) -> float:
    """Milliseconds for one question, opening included."""
    drop(path)
    start = time.perf_counter()
    found = with_index(path, "benchmark", lambda index: index.find(wanted, None, 51), lambda text: sys.exit(text))
    taken = (time.perf_counter() - start) * 1000
    assert found
    return taken


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    made = list(runs(arguments.count))
    chance = random.Random(2)
    picked = [chance.choice(chance.choice(made)[1]) for _ in range(1000)]
    questions = {
        "id": [Wanted(id=row.id) for row in picked],
        "tenant, day, workflow": [Wanted(tenant=row.tenant, day=row.day, workflow=row.workflow) for row in picked],
    }
    times: dict[str, list[float]] = {"ours": [], "peer": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(arguments.rounds):
            times["peer"].append(peer(folder / f"peer-{number}", made))
            times["ours"].append(ours(folder / str(number) / "index", made))
        path = folder / "0" / "index"
        figures = {}
        for kind, asked in questions.items():
            find = with_index(
                path,
                "benchmark",
                lambda index, asked=asked: (  # type: ignore[misc]
                    [index.find(wanted, None, 51) for wanted in asked],
                    _p95(lambda wanted: index.find(wanted, None, 51), asked, time.perf_counter),
                    _p95(lambda wanted: index.find(wanted, None, 51), asked, time.process_time),
                ),
                lambda text: sys.exit(text),
            )
            figures[kind] = {
                "warm_ms": find[1],
                "cpu_ms": find[2],
                "cold_ms": round(statistics.quantiles([cold(path, one) for one in asked[:200]], n=100)[94], 3),
            }
        size = path.stat().st_size
    ratio = statistics.median(times["ours"]) / statistics.median(times["peer"])
    shown = {
        "receipts": arguments.count,
        "p95": figures,
        "of_the_plan": {kind: round(one["warm_ms"] / PLAN_MS, 4) for kind, one in figures.items()},
        "megabytes": round(size / 1e6),
        "ingest_seconds": {who: round(statistics.median(taken), 2) for who, taken in times.items()},
        "ingest_ratio": round(ratio, 2),
        "goals": {"warm_ms": WARM_MS, "cold_ms": COLD_MS, "ingest_ratio": INGEST},
    }
    print(json.dumps(shown))
    fast = all(one["warm_ms"] < WARM_MS and one["cold_ms"] < COLD_MS for one in figures.values())
    return 0 if fast and ratio <= INGEST else 1


if __name__ == "__main__":
    sys.exit(main())
