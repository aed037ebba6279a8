"""Reading a whole ledger out of a git reference against `git clone` of it and reading the files.

The ledger has 1,000 segments, each entered into the log beside the archive of its run (3 KB): what `maestro receipts`
copies before it looks. It lies in a bare repository on this disk, so the figures are of our work and git's, not of a
network's. Both sides end with every file's bytes in memory; what the clone left behind is removed at the end. Rounds
are interleaved; seconds are [median, least, most].

    python -m benchmarks.git_ledger [--count 1000] [--rounds 5]
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from maestro.evidence import ecdsa_signer
from maestro.evidence.trust import trust_of
from maestro.ledger.entry import Entry
from maestro.ledger.git_reference import REFERENCE, GitStore
from maestro.ledger.log import Log
from tests.support.memory_store import MemoryStore

GOAL = 1.0
NOW = dt.datetime.now(dt.UTC)


class Row:
    """A row of ``keys``."""

    id = "benchmark"
    valid_from = None
    valid_until = None
    revoked_at = None

    def __init__(self, pem: str) -> None:
        self.public_key = pem


def ledger(count: int) -> dict[str, bytes]:
    """Files by name: a log of ``count`` segments, and the archive of each one's run."""
    pem = subprocess.run(
        ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        check=True,
        capture_output=True,
    ).stdout
    signer = ecdsa_signer.from_pem(pem, where="benchmark")
    store = MemoryStore()
    entries = []
    for number in range(count):
        name = f"runs/run-{number:05}/segments/1.sigstore.json"
        entries.append(Entry("segment", name, hashlib.sha256(name.encode()).hexdigest(), NOW.isoformat()))
        store.create(f"runs/run-{number:05}/archives/1.tar.gz", os.urandom(3000))
    Log(store).append(entries, signer, trust_of([Row(signer.public_key_pem)]), since=NOW)
    return store.files


def prepare(folder: Path, files: dict[str, bytes]) -> str:
    """The address of a bare repository that holds them at the ledger's reference, a commit for each file.

    The peer's ``git clone`` takes branches only, so a branch stands at the same commit.
    """
    bare = folder / "ledger.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "-b", "main", bare], check=True)
    stream = b"".join(
        b"commit %b\ncommitter b <b@example.com> %d +0000\ndata 1\n.\nM 100644 inline %b\ndata %d\n%b\n"
        % (REFERENCE.encode(), NOW.timestamp(), name.encode(), len(data), data)
        for name, data in files.items()
    )
    subprocess.run(["git", "-C", bare, "fast-import", "--quiet"], input=stream, check=True)
    subprocess.run(["git", "-C", bare, "update-ref", "refs/heads/main", REFERENCE], check=True)
    return f"file://{bare}"


def ours(url: str) -> dict[str, bytes]:
    """The ledger, read."""
    there = GitStore(url, "file", {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}).now()
    found = {name: there.read(name) for name in there.names("")}
    return {name: one.data for name, one in found.items() if one is not None}


def peer(url: str, folder: Path) -> dict[str, bytes]:
    """The same by a clone into a folder that is not there yet."""
    subprocess.run(["git", "clone", "--quiet", "--depth=1", url, folder], check=True)
    files = {}
    for parent, folders, names in os.walk(folder):
        if ".git" in folders:
            folders.remove(".git")
        files.update({os.path.relpath(f"{parent}/{name}", folder): Path(parent, name).read_bytes() for name in names})
    return files


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    times: dict[str, list[float]] = {"ours": [], "peer": []}
    with tempfile.TemporaryDirectory() as name:
        files = ledger(arguments.count)
        url = prepare(Path(name), files)
        for number in range(arguments.rounds):
            clone = Path(name, f"clone-{number}")
            for who, work in (("peer", partial(peer, folder=clone)), ("ours", ours)):
                start = time.perf_counter()
                found = work(url)
                times[who].append(time.perf_counter() - start)
                assert found == files, who
    ratio = statistics.median(times["ours"]) / statistics.median(times["peer"])
    shown = {who: [round(f(taken), 3) for f in (statistics.median, min, max)] for who, taken in times.items()}
    print(json.dumps({"files": len(files), "seconds": shown, "ratio": round(ratio, 2), "goal": GOAL}))
    return 0 if ratio <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
