"""`maestro check --all` on 10,000 documents against `conftest test` on the same, the same ten rules."""

from __future__ import annotations

import shutil

from benchmarks._corpus import CONFTEST, MAESTRO, compare, repository, seconds

GOAL = 2.0


def main() -> int:
    """Print the ratio."""
    folder = repository(documents=10_000, changed=5)
    check = [MAESTRO, "check", "--all", "--target", "main", "--head", "change", "--engine", "conftest"]
    conftest = [str(CONFTEST), "test", "-p", "policy/conftest", "manifests"]
    code = compare("all of 10,000", lambda: seconds(folder, check), lambda: seconds(folder, conftest), goal=GOAL)
    shutil.rmtree(folder)
    return code


if __name__ == "__main__":
    raise SystemExit(main())
