"""``maestro run`` of 1,000 short executions, receipts included, against ``xargs -P``, in one run on one machine.

Two commands: ``/bin/echo done``, and ``sh -c "echo done"``, which is nearer to what people run. Both sides run the same
one, as often, with as many slots as the local driver takes. Two peers:

- *logs*: xargs where each command writes a log of its own, opened by a shell that becomes the command
  (``sh -c 'exec COMMAND >LOG 2>&1'``). This is the peer of the goal: who runs a thousand jobs wants to know which of
  them said what, and this is how xargs does that.
- *pipe*: xargs with all output in one pipe, nothing kept apart. The cheapest there is; reported, not the goal.

The whole of `maestro run` is timed: start of Python, git, the placement decision, the signed session, 1,000 processes
with a log each, 1,000 signed receipts, the closed segment on the disk. The verdict on the tree is handed in, signed, as
a workflow would; with ``--judge`` it is made on the spot. Rounds are interleaved; seconds are [median, least, most].

    python benchmarks/run_1000.py [--count 1000] [--rounds 5] [--judge]
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GOAL = 2.0
COMMANDS = {"echo": ["/bin/echo", "done"], "shell": ["sh", "-c", "echo done"]}
MAESTRO = [sys.executable, "-P", "-c", "import sys; from maestro.cli import main; sys.exit(main())"]

MANIFEST = """\
apiVersion: maestro-conductor/v1
kind: Manifest
metadata: {{name: {name}, tenant: acme, owner: "@acme/platform"}}
spec:
  command: {command}
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
    """A governed repository with an array manifest of each command, and the environment to run it in."""
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
    for name, command in COMMANDS.items():
        text = MANIFEST.format(name=name, count=count, command=json.dumps(command))
        (repo / "manifests" / f"{name}.yaml").write_text(text)
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
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--judge", action="store_true", help="make the verdict on the spot")
    arguments = parser.parse_args()
    slots, count = os.cpu_count() or 1, arguments.count
    seconds: dict[str, dict[str, list[float]]] = {name: {"maestro": [], "logs": [], "pipe": []} for name in COMMANDS}
    with tempfile.TemporaryDirectory(prefix="maestro-benchmark-") as temporary:
        folder = Path(temporary)
        environ = prepare(folder, count)
        verdict = [] if arguments.judge else ["--verdict", str(folder / "verdict.json")]
        numbers = "".join(f"{number}\n" for number in range(count)).encode()
        for round_ in range(arguments.rounds):
            for name, command in COMMANDS.items():
                logs = folder / f"logs-{name}-{round_}"
                logs.mkdir()
                own_log = ["sh", "-c", f"exec {shlex.join(command)} >{logs}/$0 2>&1"]
                timed_here = {
                    "pipe": (["xargs", f"-P{slots}", "-n1", *command], folder, numbers),
                    "logs": (["xargs", f"-P{slots}", "-n1", *own_log], folder, numbers),
                    "maestro": ([*MAESTRO, "run", name, *verdict], folder / "repo", b""),
                }
                for side, (argv, where, given) in timed_here.items():
                    seconds[name][side].append(timed(argv, where, environ, given))
                shutil.rmtree(logs)
    report, held = {}, True
    for name, sides in seconds.items():
        median = {side: statistics.median(values) for side, values in sides.items()}
        ratio = median["maestro"] / median["logs"]
        held = held and ratio <= GOAL
        report[name] = {
            "seconds": {side: [round(x, 3) for x in (median[side], min(v), max(v))] for side, v in sides.items()},
            "ratio_to_logs": round(ratio, 2),
            "ratio_to_pipe": round(median["maestro"] / median["pipe"], 2),
        }
    print(
        json.dumps({"executions": count, "slots": slots, **report, "goal": GOAL, "load": round(os.getloadavg()[0], 1)})
    )
    raise SystemExit(not held)


if __name__ == "__main__":
    main()
