"""``maestro run`` of 1,000 short executions, receipts included, against ``xargs -P``, in one run on one machine.

The command is ``sh -c "echo done"`` in both; xargs gets as many slots as the local driver takes. The whole of `maestro run` is
timed: start of Python, git, the placement decision, the signed session, 1,000 processes with a log each, 1,000 signed
receipts, the closed segment on the disk. The verdict on the tree is handed in, signed, as a workflow would; with
``--judge`` it is made on the spot.

    python benchmarks/run_1000.py [--count 1000] [--rounds 3] [--judge]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GOAL = 2.0
MAESTRO = [sys.executable, "-P", "-c", "import sys; from maestro.cli import main; sys.exit(main())"]

MANIFEST = """\
apiVersion: maestro-conductor/v1
kind: Manifest
metadata: {{name: short, tenant: acme, owner: "@acme/platform"}}
spec:
  command: [sh, -c, "echo done"]
  array: {{size: {count}}}
"""
POOL = """\
apiVersion: maestro-conductor/v1
kind: Pool
metadata: {name: here, owner: "@acme/platform"}
spec: {cloud: local, region: local, classes: [batch], size: 2}
"""
CONFIG = """\
apiVersion: maestro-conductor/v1
documents: ["manifests/**", "pools/**"]
packs: [policy/packs/placement]
owners: ["@acme/platform"]
keys:
  - id: benchmark
    valid_from: 2020-01-01
    public_key: |
"""


def prepare(folder: Path, count: int) -> dict[str, str]:
    """A governed repository with one array manifest, and the environment to run it in."""
    environ = {
        "PATH": f"{ROOT / '.tools' / 'bin'}:{os.environ.get('PATH', os.defpath)}",
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "MAESTRO_SIGNING_KEY_FILE": str(folder / "key.pem"),
    }

    def tool(*argv: str) -> str:
        done = subprocess.run(argv, cwd=folder / "repo", env=environ, check=True, capture_output=True, text=True)
        return done.stdout

    repo = folder / "repo"
    for name in ("manifests", "pools", "policy/packs"):
        (repo / name).mkdir(parents=True)
    shutil.copytree(ROOT / "policy" / "packs" / "placement", repo / "policy" / "packs" / "placement")
    tool(
        "openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(folder / "key.pem")
    )
    public = tool("openssl", "pkey", "-in", str(folder / "key.pem"), "-pubout")
    (repo / "maestro.yaml").write_text(CONFIG + "".join(f"      {line}\n" for line in public.splitlines()))
    (repo / "manifests" / "short.yaml").write_text(MANIFEST.format(count=count))
    (repo / "pools" / "here.yaml").write_text(POOL)
    (repo / ".gitignore").write_text(".maestro/\n")
    tool("git", "init", "-q", "-b", "main", ".")
    tool("git", "add", "-A")
    tool("git", "-c", "user.name=A Developer", "-c", "user.email=dev@acme.example", "commit", "-qm", "All")
    verdict = ["check", "--target", "HEAD", "--head", "HEAD", "--all", "--attest", str(folder / "verdict.json")]
    tool(*MAESTRO, *verdict)
    return environ


def timed(argv: list[str], cwd: Path, environ: dict[str, str], stdin: bytes = b"") -> float:
    """Wall seconds of a command that must succeed."""
    start = time.perf_counter()
    done = subprocess.run(argv, cwd=cwd, env=environ, input=stdin, capture_output=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        raise SystemExit(f"{argv[:6]} failed: {done.stderr.decode(errors='replace')}")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--judge", action="store_true", help="make the verdict on the spot")
    arguments = parser.parse_args()
    slots = os.cpu_count() or 1
    with tempfile.TemporaryDirectory(prefix="maestro-benchmark-") as name:
        folder = Path(name)
        environ = prepare(folder, arguments.count)
        words = b"x\n" * arguments.count
        verdict = [] if arguments.judge else ["--verdict", str(folder / "verdict.json")]
        xargs, ours = [], []
        for _ in range(arguments.rounds):
            xargs.append(timed(["xargs", f"-P{slots}", "-n1", "sh", "-c", "echo done"], folder, environ, words))
            ours.append(timed([*MAESTRO, "run", "short", *verdict], folder / "repo", environ))
        ratio = statistics.median(ours) / statistics.median(xargs)
        print(
            json.dumps(
                {
                    "executions": arguments.count,
                    "slots": slots,
                    "maestro_run_seconds": [round(value, 3) for value in ours],
                    "xargs_seconds": [round(value, 3) for value in xargs],
                    "ratio_of_medians": round(ratio, 2),
                    "goal": GOAL,
                }
            )
        )
        raise SystemExit(ratio > GOAL)


if __name__ == "__main__":
    main()
