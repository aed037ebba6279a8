"""A signed bundle of 500 rules, verified and loaded, against `opa build` verifying the same with its key.

Warm: what a command that is running already pays. Whole: `maestro policy bundle verify`, which also reads the trust of
the default branch. `opa build` verifies, parses and writes a bundle; it is the smallest command of OPA that verifies.
"""

from __future__ import annotations

import datetime as dt
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path

from benchmarks._corpus import CONFTEST, MAESTRO, compare, git, seconds
from maestro.config import load_config
from maestro.evidence.ecdsa_signer import HOW_TO_MAKE
from policy.bundle.door import BundleDoor

OPA = str(Path(CONFTEST).with_name("opa"))
GOAL_WARM = 1.0
GOAL_WHOLE = 4.0
PACKS, RULES, ROUNDS = 50, 10, 9

_RULE = """
deny_rule_{number} contains msg if {{
\tinput.kind == "Deployment"
\tsome container in input.spec.containers
\tcontainer.name == "c{number}"
\tnot container.limits.memory
\tmsg := sprintf("container %s of {number} has no memory limit", [container.name])
}}
"""


def main() -> int:
    """Print the ratios."""
    folder = Path(tempfile.mkdtemp(prefix="maestro-benchmark-"))
    _bundle(folder)
    config = load_config("maestro.yaml", (folder / "maestro.yaml").read_bytes())
    door = BundleDoor(folder, dt.datetime.now(dt.UTC), {})
    whole = [MAESTRO, "policy", "bundle", "verify", "policy-1.tar.gz"]
    opa = [OPA, "build", "-b", "policy-1.tar.gz", "--verification-key", "public.pem", "-o", "out.tar.gz"]
    opa += ["--signing-alg", "ES256"]

    def warm() -> float:
        start = time.perf_counter()
        found = door.admit_file(folder / "policy-1.tar.gz", config, "policy-1.tar.gz")
        took = time.perf_counter() - start
        if sum(len(pack.rules) for pack in found.packs.packs) != PACKS * RULES:
            raise SystemExit("not all rules were loaded")
        return took

    peer = partial(seconds, folder, opa)
    failed = compare("verify on load, warm, against opa build", warm, peer, goal=GOAL_WARM, rounds=ROUNDS)
    failed += compare("the same, whole command", partial(seconds, folder, whole), peer, goal=GOAL_WHOLE, rounds=ROUNDS)
    return int(failed > 0)


def _bundle(folder: Path) -> None:
    for pack in range(PACKS):
        rules = "".join(_RULE.format(number=number) for number in range(RULES))
        text = f'# METADATA\n# custom: {{mode: enforce, match: ["k8s/**"]}}\npackage acme.p{pack}\n{rules}'
        (folder / f"policy/packs/p{pack}").mkdir(parents=True)
        (folder / f"policy/packs/p{pack}/p{pack}.rego").write_text(text)
    for line in (HOW_TO_MAKE, "openssl pkey -in maestro-key.pem -pubout -out public.pem"):
        subprocess.run(line.split(), cwd=folder, check=True, capture_output=True)
    pem = "".join(f"          {line}\n" for line in (folder / "public.pem").read_text().splitlines())
    (folder / "maestro.yaml").write_text(
        "apiVersion: maestro-conductor/v1\nbundles:\n  - path: vendor/policy.tar.gz\n    minimum_revision: 1\n"
        f"    keys:\n      - id: release\n        valid_from: 2026-01-01\n        public_key: |\n{pem}"
    )
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "maestro.yaml", "policy")
    git(folder, "commit", "-q", "-m", "packs")
    subprocess.run(
        [MAESTRO, "policy", "bundle", "build", "--revision", "1"], cwd=folder, check=True, capture_output=True
    )
    sign = [MAESTRO, "policy", "bundle", "sign", "policy-1.unsigned.tar.gz", "--key", "maestro-key.pem"]
    subprocess.run(sign, cwd=folder, check=True, capture_output=True)


if __name__ == "__main__":
    raise SystemExit(main())
