"""`maestro policy diff` over 1,000 documents of 3.4 KB and ten packs of ten rules, against `conftest test` run twice.

conftest is run once with the old packs and once with the new ones, as somebody without us would compare them; it reads
the same files and says what fails, and nothing of what differs.
"""

from __future__ import annotations

import shutil
import tempfile
from functools import partial
from pathlib import Path

from benchmarks._corpus import CONFTEST, MAESTRO, compare, git, rules, seconds

GOAL_ALL = 0.8
GOAL_ONE = 0.3
DOCUMENTS = 1000
PACKS = 10

_ENTRY = '  - {{path: policy/p{n}, namespace: p{n}, mode: enforce, owner: "@acme/platform", match: ["k8s/**"]}}\n'
_DOCUMENT = """\
kind: Deployment
metadata:
  name: web-{number}
  owner: "@acme/data"
spec:
  image: ghcr.io/acme/report@sha256:{digest}
  command: [report, --day, yesterday, --number, "{number}"]
  memory: 512Mi
  cpu: 1
  env:
    LEVEL: info
{env}"""


def main() -> int:
    """Print the ratios."""
    folder = _repository()
    old = Path(tempfile.mkdtemp(prefix="maestro-benchmark-old-"))
    shutil.copytree(folder / "policy", old / "policy")
    code = 0
    for title, changed, goal in (("all ten packs changed", PACKS, GOAL_ALL), ("one pack of ten changed", 1, GOAL_ONE)):
        git(folder, "checkout", "-qf", "main")
        git(folder, "checkout", "-qB", "change")
        for n in range(changed):
            module = folder / f"policy/p{n}/rules.rego"
            # One rule in ten would deny one document in fifty.
            module.write_text(module.read_text().replace('"debug-0"', '"info"\n\tendswith(input.metadata.name, "42")'))
        git(folder, "commit", "-qam", "change")
        diff = [MAESTRO, "policy", "diff", "--target", "main", "--head", "change", "--engine", "conftest"]
        code |= compare(title, partial(seconds, folder, diff), partial(_twice, folder, old), goal=goal)
    shutil.rmtree(folder)
    shutil.rmtree(old)
    return code


def _twice(folder: Path, old: Path) -> float:
    command = [str(CONFTEST), "test", "--all-namespaces", "--no-fail", "--output", "json", "k8s"]
    return sum(seconds(folder, [*command, "--policy", str(place / "policy")]) for place in (old, folder))


def _repository() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="maestro-benchmark-"))
    (folder / "k8s").mkdir()
    env = "".join(f"    VARIABLE_{n}: a value that is as long as such values are\n" for n in range(55))
    for number in range(DOCUMENTS):
        text = _DOCUMENT.format(number=number, digest=f"{number:064x}", env=env)
        (folder / f"k8s/web-{number}.yaml").write_text(text)
    for n in range(PACKS):
        (folder / f"policy/p{n}").mkdir(parents=True)
        (folder / f"policy/p{n}/rules.rego").write_text(rules(10).replace("package main", f"package p{n}"))
    settings = 'apiVersion: maestro-conductor/v1\ndocuments: ["manifests/**"]\npacks:\n'
    (folder / "maestro.yaml").write_text(settings + "".join(_ENTRY.format(n=n) for n in range(PACKS)))
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "start")
    return folder


if __name__ == "__main__":
    raise SystemExit(main())
