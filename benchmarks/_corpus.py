"""The repository that the benchmarks of `check` judge: 10,000 manifests of about 400 bytes and ten rules."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MAESTRO = str(Path(sys.executable).with_name("maestro"))
CONFTEST = ROOT / ".tools/bin/conftest"
ENVIRON = {
    "PATH": f"{CONFTEST.parent}:/usr/local/bin:/usr/bin:/bin",
    "HOME": tempfile.gettempdir(),
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@acme.example",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@acme.example",
}

SETTINGS = """\
apiVersion: maestro-conductor/v1
documents: ["manifests/**", "pools/**"]
packs:
  - {path: policy/conftest, namespace: main, mode: enforce, match: ["manifests/**"]}
owners: ["@acme/data"]
"""

MANIFEST = """\
apiVersion: maestro-conductor/v1
kind: Manifest
metadata:
  name: report-{number}
  tenant: tenant-{tenant}
  owner: "@acme/data"
  labels: {{tier: gold, stage: production}}
spec:
  image: ghcr.io/acme/report@sha256:{digest}
  command: [report, --day, yesterday, --number, "{number}"]
  env: {{REGION: europe, LEVEL: info}}
  cpu: 1
  memory: 512Mi
  timeout: 10m
  class: batch
"""


def rules(count: int) -> str:
    """So many plain conftest rules that look into a manifest and deny nothing here."""
    bodies = [
        'deny contains msg if {{\n\tinput.spec.env.LEVEL == "debug-{n}"\n\tmsg := "level {n}"\n}}',
        'deny contains msg if {{\n\tinput.spec.memory == "{n}Ti"\n\tmsg := sprintf("%v: {n}", [input.spec])\n}}',
        'deny contains msg if {{\n\tcontains(input.spec.image, ":latest-{n}")\n\tmsg := "latest {n}"\n}}',
        'warn contains msg if {{\n\tsome arg in input.spec.command\n\targ == "--force-{n}"\n\tmsg := "forced {n}"\n}}',
        'deny contains msg if {{\n\tinput.spec.cpu > 64 + {n}\n\tmsg := "too many"\n}}',
    ]
    text = "package main\n\nimport rego.v1\n\n"
    return text + "\n\n".join(bodies[n % len(bodies)].format(n=n) for n in range(count)) + "\n"


def git(folder: Path, *arguments: str) -> None:
    """One git command."""
    subprocess.run(["git", *arguments], cwd=folder, env=ENVIRON, check=True, capture_output=True)


def repository(documents: int, changed: int, rule_count: int = 10) -> Path:
    """A repository with so many documents on main, and a branch that changes some of them, checked out."""
    folder = Path(tempfile.mkdtemp(prefix="maestro-benchmark-"))
    for number in range(documents):
        path = folder / f"manifests/{number // 100:03}/report-{number}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(MANIFEST.format(number=number, tenant=number % 7, digest=f"{number:064x}"))
    (folder / "maestro.yaml").write_text(SETTINGS)
    (folder / "policy/conftest").mkdir(parents=True)
    (folder / "policy/conftest/rules.rego").write_text(rules(rule_count))
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "corpus")
    git(folder, "switch", "-q", "-c", "change")
    for number in range(0, documents, max(1, documents // changed))[:changed]:
        path = folder / f"manifests/{number // 100:03}/report-{number}.yaml"
        path.write_text(path.read_text().replace("10m", "20m"))
    git(folder, "commit", "-q", "-a", "-m", "change")
    return folder


def seconds(folder: Path, argv: Sequence[str]) -> float:
    """The wall time of one whole process that must succeed."""
    start = time.perf_counter()
    done = subprocess.run(argv, cwd=folder, env=ENVIRON, capture_output=True, check=False)
    took = time.perf_counter() - start
    if done.returncode != 0:
        raise SystemExit(f"{argv[:3]} ended with {done.returncode}: {done.stderr.decode()[-2000:]}")
    return took


def compare(name: str, ours: Callable[[], float], peer: Callable[[], float], *, goal: float, rounds: int = 5) -> int:
    """Interleaved rounds after one warm-up; prints the ratio of the medians. The exit code says whether it holds."""
    pairs = [(ours(), peer()) for _ in range(rounds + 1)][1:]
    mine, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratios = sorted(one / other for one, other in pairs)
    print(
        f"{name}: {mine:.2f} s, peer {theirs:.2f} s, ratio {mine / theirs:.2f} "
        f"({ratios[0]:.2f} to {ratios[-1]:.2f}; goal {goal})",
        flush=True,
    )
    return 0 if mine / theirs <= goal else 1
