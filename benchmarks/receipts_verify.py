"""``maestro receipts verify`` of 10,000 receipts against a loop that does nothing but verify as many P-256 signatures.

Our side is the whole command on a ledger in a folder: start of Python, git, every receipt read and parsed strictly, its
signature, its decision, its log hashed, the segment, the log of segments and a checkpoint from elsewhere. The peer has
keys, signatures and signed bytes in memory already and calls ``verify`` of the same library (cryptography, OpenSSL).
The command shares the receipts among the cores it may use, the peer is a loop on one: besides the ratio that the goal
is about (wall clock, all cores) stand the one with the command held to a single core, and the one of processor time, of
all cores together. Rounds are interleaved; seconds are [median, least, most].

    python -m benchmarks.receipts_verify [--count 10000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256

from maestro.evidence import bundle, ecdsa_signer, public_key
from maestro.evidence.trust import TrustedKey, trust_of
from maestro.ledger.folder import FolderStore
from policy.placement import Placement
from runner.dispatch import Dispatcher
from runner.drivers.driver import NOTHING_LOST, Claim
from runner.execution import Attempt, Claimed, Ending, Execution, Log, Task
from runner.logged import append_segments
from runner.run_folder import RunFolder, run_folder
from runner.session import Facts, Planned

GOAL = 3.0
MAESTRO = [sys.executable, "-P", "-c", "import sys; from maestro.cli import main; sys.exit(main())"]
NOW = dt.datetime.now(dt.UTC)
DIGEST = "sha256:" + "1" * 64
DECISION = {
    "pack": "mc.placement",
    "mode": "enforce",
    "engine": "conftest",
    "allow": True,
    "value": {"allow": True},
    "reasons": [],
    "pack_digest": DIGEST,
    "input_digest": DIGEST,
    "error": None,
}


class Written:
    """A driver that writes a log for each and starts nothing."""

    name = "local"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def provision(self, placement: Placement | None, executions: Sequence[Execution]) -> None:
        pass

    def execute(
        self,
        executions: Sequence[Execution],
        *,
        session: int,
        start_nothing_of: Set[str] = frozenset(),  # noqa: ARG002 - the protocol's
        claim: Claim | None = None,  # noqa: ARG002
        lost: Mapping[str, Sequence[Claimed]] = NOTHING_LOST,  # noqa: ARG002
    ) -> Iterator[Ending]:
        at = NOW.isoformat(timespec="microseconds")
        for one in executions:
            data = b"done %d\n" % (one.index or 0)
            log = Log(f"logs/{one.id}.1.log", hashlib.sha256(data).hexdigest(), len(data))
            (self._folder / log.name).write_bytes(data)
            yield Ending(one.id, (Attempt(1, session, "succeeded", at, at, at, at, 0.01, 0, log=log),))

    def cancel(self) -> None:
        pass

    def drain(self) -> None:
        pass

    def collect_logs(self, execution_id: str) -> tuple[Log, ...]:  # noqa: ARG002
        return ()


def prepare(folder: Path, count: int) -> TrustedKey:
    """A repository with a ledger of one run of ``count`` receipts, and a checkpoint beside it."""
    subprocess.run(["git", "init", "--quiet", "-b", "main", folder / "repo"], check=True)
    pem = subprocess.run(
        ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        check=True,
        capture_output=True,
    ).stdout
    signer = ecdsa_signer.from_pem(pem, where="benchmark")
    lines = "".join(f"      {line}\n" for line in signer.public_key_pem.splitlines())
    config = (
        "apiVersion: maestro-conductor/v1\nkeys:\n  - id: benchmark\n    valid_from: 2020-01-01\n    public_key: |\n"
    )
    (folder / "repo" / "maestro.yaml").write_text(config + lines)
    git = ["git", "-C", str(folder / "repo"), "-c", "user.name=b", "-c", "user.email=b@example.com"]
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "--quiet", "-m", "Govern"], check=True)
    trust = trust_of([Row(signer.public_key_pem)])
    run = run_folder(folder / "repo" / ".maestro" / "ledger", "benchmark")
    _dispatch(run, signer, count)
    head = append_segments(
        run,
        FolderStore(run.path.parent.parent),
        elsewhere=False,
        signer=signer,
        trust=trust,
        now=lambda: NOW,
        origin="example.com/benchmark",
    )
    assert head is not None
    (folder / "kept").write_bytes(head.checkpoint.to_bytes())
    return trust.keys[signer.key_id]


class Row:
    """A row of ``keys``."""

    id = "benchmark"
    valid_from = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    valid_until = None
    revoked_at = None

    def __init__(self, pem: str) -> None:
        self.public_key = pem


def _dispatch(run: RunFolder, signer: ecdsa_signer.EcdsaSigner, count: int) -> None:
    planned = Planned(
        task=Task("Manifest/many", ("/bin/echo", "done")),
        path="manifests/many.yaml",
        digest=DIGEST,
        size=count,
        placement=Placement("local", "here", "batch"),
        denied=None,
        decisions=(DECISION,),
    )
    facts = Facts(
        commit="c" * 40,
        tree="d" * 40,
        policy_revision="c" * 40,
        verdict_digest=DIGEST,
        verdict_allowed=True,
        engine="conftest 0.71.1",
        driver="local",
        rehearsal=False,
        approvals=[],
        break_glass=None,
    )
    trust = trust_of([Row(signer.public_key_pem)])
    Dispatcher(run, signer, trust, lambda: NOW).dispatch(facts, [planned], Written(run.path))


Seconds = tuple[float, float]
"""By the clock on the wall, and of processor time."""


def bare(key: TrustedKey, signed: list[tuple[bytes, bytes]]) -> Seconds:
    """What nothing but the signatures takes."""
    algorithm = ECDSA(SHA256())
    start, cpu = time.perf_counter(), time.process_time()
    for signature, data in signed:
        key.key.verify(signature, data, algorithm)
    return time.perf_counter() - start, time.process_time() - cpu


def _processor_time() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def ours(folder: Path, cores: Set[int]) -> Seconds:
    """What the whole command takes on those cores."""
    command = [*MAESTRO, "receipts", "verify", "--checkpoint", str(folder / "kept")]
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    start, cpu = time.perf_counter(), _processor_time()
    done = subprocess.run(
        command,
        cwd=folder / "repo",
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    seconds = time.perf_counter() - start, _processor_time() - cpu
    if done.returncode != 0:
        sys.exit(done.stdout[-2000:] + done.stderr)
    return seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        key = prepare(folder, arguments.count)
        receipts = sorted((folder / "repo" / ".maestro" / "ledger" / "runs" / "benchmark" / "receipts").iterdir())
        envelopes = [bundle.parse(path.read_bytes()) for path in receipts]
        signed = [(one.signature, one.signed) for one in envelopes]
        assert len(signed) == arguments.count
        assert public_key.verifies(key.key, *signed[0])
        times: dict[str, list[Seconds]] = {"ours": [], "on one core": [], "peer": []}
        cores = os.sched_getaffinity(0)
        for _ in range(arguments.rounds):
            times["peer"].append(bare(key, signed))
            times["ours"].append(ours(folder, cores))
            times["on one core"].append(ours(folder, {min(cores)}))
    wall, cpu = ({who: [one[which] for one in taken] for who, taken in times.items()} for which in (0, 1))

    def ratio(seconds: dict[str, list[float]], who: str) -> float:
        return round(statistics.median(seconds[who]) / statistics.median(seconds["peer"]), 2)

    answer = {
        "receipts": arguments.count,
        "cores": len(cores),
        "seconds": {who: [round(f(taken), 2) for f in (statistics.median, min, max)] for who, taken in wall.items()},
        "ratio": ratio(wall, "ours"),
        "ratio_on_one_core": ratio(wall, "on one core"),
        "ratio_of_processor_time": ratio(cpu, "ours"),
        "goal": GOAL,
    }
    print(json.dumps(answer))
    return 0 if answer["ratio"] <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
