"""`maestro policy parity` of all packs that come with us, against `conftest test` on as many inputs.

Both engines are asked by us; the peer asks conftest alone, once per pack, about the same inputs as files.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from functools import partial
from pathlib import Path

from benchmarks._corpus import CONFTEST, MAESTRO, ROOT, compare, seconds
from policy.parity.inputs import inputs_of, shipped_files, shipped_packs

GOAL = 5.0


def main() -> int:
    """Print the ratio of all packs, and of each alone."""
    folder = Path(tempfile.mkdtemp(prefix="maestro-benchmark-"))
    shutil.copytree(ROOT / "policy/packs", folder / "policy/packs")
    (folder / "maestro.yaml").write_text("apiVersion: maestro-conductor/v1\npacks: ['policy/packs/*']\n")
    asked = {}
    for pack in shipped_packs():
        asked[pack.name] = pack.path
        (folder / pack.name).mkdir()
        for number, value in enumerate(inputs_of(shipped_files(), pack)):
            (folder / pack.name / f"{number}.json").write_text(json.dumps(value))
    code = compare("all packs", partial(_ours, folder, []), partial(_conftest, folder, asked), goal=GOAL, rounds=3)
    for name, path in asked.items():
        compare(name, partial(_ours, folder, [name]), partial(_conftest, folder, {name: path}), goal=GOAL, rounds=3)
    shutil.rmtree(folder)
    return code


def _ours(folder: Path, names: list[str]) -> float:
    return seconds(folder, [MAESTRO, "policy", "parity", *names])


def _conftest(folder: Path, asked: dict[str, str]) -> float:
    command = [str(CONFTEST), "test", "--parser", "json", "--no-fail", "--output", "json", "--rego-version", "v1"]
    return sum(
        seconds(folder, [*command, "--namespace", name, "--policy", str(folder / "policy" / path), name])
        for name, path in asked.items()
    )


if __name__ == "__main__":
    raise SystemExit(main())
