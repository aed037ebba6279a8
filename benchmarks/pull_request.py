"""One pull request in a small repository, whole command, against starting Python with pydantic and ruamel.yaml and
then `conftest test` on the changed files."""

from __future__ import annotations

import shutil
import sys

from benchmarks._corpus import CONFTEST, MAESTRO, compare, repository, seconds

GOAL = 3.0


def main() -> int:
    """Print the ratio."""
    folder = repository(documents=20, changed=3)
    check = [MAESTRO, "check", "--target", "main", "--head", "change", "--engine", "conftest"]
    imports = [sys.executable, "-c", "import pydantic, ruamel.yaml"]
    conftest = [str(CONFTEST), "test", "-p", "policy/conftest", *(f"manifests/000/report-{n}.yaml" for n in (0, 6, 12))]
    code = compare(
        "one pull request",
        lambda: seconds(folder, check),
        lambda: seconds(folder, imports) + seconds(folder, conftest),
        goal=GOAL,
        rounds=15,
    )
    shutil.rmtree(folder)
    return code


if __name__ == "__main__":
    raise SystemExit(main())
