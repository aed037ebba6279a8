"""`maestro check`, 10,000 documents of which 5 changed, against `conftest test` on all of them, ten rules.

Nothing is cached between runs, so cold and warm are the same: the goal for a warm cache (0.3) is the one to meet.
"""

from __future__ import annotations

import shutil

from benchmarks._corpus import CONFTEST, MAESTRO, compare, repository, seconds

GOAL = 0.3


def main() -> int:
    """Print the ratio."""
    folder = repository(documents=10_000, changed=5)
    check = [MAESTRO, "check", "--target", "main", "--head", "change", "--engine", "conftest"]
    worktree = [MAESTRO, "check", "--target", "main", "--engine", "conftest"]
    conftest = [str(CONFTEST), "test", "-p", "policy/conftest", "manifests"]
    code = compare("5 of 10,000 changed", lambda: seconds(folder, check), lambda: seconds(folder, conftest), goal=GOAL)
    code |= compare(
        "the same in a working tree", lambda: seconds(folder, worktree), lambda: seconds(folder, conftest), goal=GOAL
    )
    shutil.rmtree(folder)
    return code


if __name__ == "__main__":
    raise SystemExit(main())
