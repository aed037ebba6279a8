"""`maestro policy audit` of 10,000 recorded merges against the same of 1,000: the ratio says whether it grows in step.

Goal: at most 12, which is ten and some air.
"""

from __future__ import annotations

import datetime as dt
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks._corpus import ENVIRON, MAESTRO
from maestro.canonical_json import dumps
from maestro.evidence.ecdsa_signer import EcdsaSigner, from_pem
from maestro.repository import Repository
from policy.merge_record import GateOutcome, MergeRecord, sign
from policy.pack import load_packs
from policy.recorded_decision import RecordedDecision

FEW, MANY = 1_000, 10_000
RUNS = 3
GOAL = 12.0
NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)

REGO = """\
# METADATA
# custom: {mode: enforce, owner: "@acme/data", match: ["manifests/**"]}
package acme.names

deny_name contains "no name" if not input.metadata.name
"""


def settings_of(signer: EcdsaSigner) -> str:
    """maestro.yaml with the key."""
    rows = "".join(f"      {line}\n" for line in signer.public_key_pem.splitlines())
    return (
        'apiVersion: maestro-conductor/v1\nowners: ["@acme/data"]\nkeys:\n'
        f"  - id: bench\n    valid_from: 2020-01-01\n    public_key: |\n{rows}"
    )


def new_key() -> EcdsaSigner:
    """A key made for this run."""
    argv = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
    return from_pem(subprocess.run(argv, check=True, capture_output=True).stdout, where="bench")


def history(folder: Path, merges: int, signer: EcdsaSigner) -> None:
    """A repository with so many commits after the first."""
    subprocess.run(["git", "init", "-q", "-b", "main", str(folder)], check=True, env=ENVIRON)
    files = {"maestro.yaml": settings_of(signer), "policy/packs/names/names.rego": REGO}
    stream = [_commit(0, files)]
    stream += [_commit(number, {f"manifests/m{number % 50}.yaml": f"n: {number}\n"}) for number in range(1, merges + 1)]
    argv = ["git", "-C", str(folder), "fast-import", "--quiet"]
    subprocess.run(argv, input="".join(stream).encode(), check=True, env=ENVIRON)


def _commit(number: int, files: dict[str, str]) -> str:
    text = f"commit refs/heads/main\ncommitter a <a@acme.example> {1_767_225_600 + number} +0000\ndata 1\nm\n"
    return text + "".join(f"M 100644 inline {path}\ndata {len(data)}\n{data}\n" for path, data in files.items())


def records(folder: Path, signer: EcdsaSigner) -> None:
    """A record of each commit after the first, with two decisions, and their inputs."""
    from maestro.config import load_config

    store = folder / ".maestro/ledger"
    (store / "inputs").mkdir(parents=True)
    with Repository.open(folder, ENVIRON) as repository:
        line = repository.history(repository.resolve("main")).line
        tip = repository.snapshot("main")
        (pack,) = load_packs(tip, load_config("maestro.yaml", tip.read("maestro.yaml"))).packs
    for place in range(1, len(line)):
        before, after = line[place - 1], line[place]
        decisions = []
        for name in (f"manifests/m{place % 50}.yaml", "manifests/other.yaml"):
            data = dumps({"n": place, "path": name})
            digest = _keep(store, data)
            decisions.append(_decision(after.commit, before.commit, pack.digest, name, digest))
        gates = {"policy": GateOutcome("passed", 2, None)}
        made = MergeRecord(
            after.commit, after.tree, before.commit, NOW, "0.1.0", None, True, {}, gates, (), tuple(decisions)
        )
        for one in sign(made, signer):
            path = store / one.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(one.data)


def _keep(store: Path, data: bytes) -> str:
    from maestro.canonical_json import digest_of_bytes
    from policy.kept_inputs import name_of

    digest = digest_of_bytes(data)
    (store / name_of(digest)).write_bytes(data)
    return digest


def _decision(commit: str, revision: str, pack_digest: str, path: str, digest: str) -> RecordedDecision:
    return RecordedDecision(
        made_at=NOW,
        phase="merge",
        commit=commit,
        policy_revision=revision,
        pack="acme.names",
        pack_digest=pack_digest,
        mode="enforce",
        engine="conftest",
        subject=path,
        path=path,
        owner=None,
        input_digest=digest,
        allow=True,
        reasons=(),
        error=None,
    )


def audited(folder: Path) -> float:
    """Seconds of one audit, which must hold."""
    start = time.perf_counter()
    subprocess.run([MAESTRO, "policy", "audit", "--repo", str(folder)], check=True, env=ENVIRON, capture_output=True)
    return time.perf_counter() - start


def main() -> int:
    signer = new_key()
    with tempfile.TemporaryDirectory() as place:
        folders = [Path(place) / str(merges) for merges in (FEW, MANY)]
        for folder, merges in zip(folders, (FEW, MANY), strict=True):
            history(folder, merges, signer)
            records(folder, signer)
        pairs = [[audited(folder) for folder in folders] for _ in range(RUNS)]
    few, many = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = many / few
    print(f"audit of {MANY:,} merges {many:.2f} s, of {FEW:,} {few:.2f} s, ratio {ratio:.1f} (goal {GOAL:.0f})")
    return 0 if ratio <= GOAL else 1


if __name__ == "__main__":
    raise SystemExit(main())
