"""A rule that hardens on a date: the decision is made again at execution, by the time of then."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Sequence
from pathlib import Path

from maestro.cli import main
from maestro.world import World
from tests.gates.test_staged import BEFORE, DAY, ON, PACK, PATH
from tests.maestro.evidence import keys
from tests.runner.governed_runs import CONFIG, Runs, listed


def dry_run(folder: Path, moments: Sequence[dt.datetime]) -> tuple[int, str]:
    """``maestro run a --dry-run`` with a clock that says these moments, then the last one for ever."""
    settings = CONFIG.replace("policy/packs/placement]", "policy/packs/*]") + listed(keys.row())
    runs = Runs(folder, files={"maestro.yaml": settings, PATH: PACK.replace("CUSTOM", ON)})
    left = list(moments)
    err = io.StringIO()
    world = World(
        environ={**runs.repo.environ, **runs.environ},
        cwd=runs.repo.path,
        stdout=io.StringIO(),
        stderr=err,
        now=lambda: left.pop(0) if len(left) > 1 else left[0],
    )
    return main(["run", "a", "--dry-run"], world), err.getvalue()


def test_before_the_day_it_may_run_and_from_then_on_not(tmp_path: Path) -> None:
    code, said = dry_run(tmp_path / "before", [BEFORE])
    assert (code, "ALLOW Manifest/a" in said) == (0, True), said
    code, said = dry_run(tmp_path / "then", [DAY])
    assert (code, "DENY  Manifest/a: acme.timeouts/no_timeout: it may run for ever" in said) == (10, True), said


def test_a_clock_that_steps_over_the_day_meets_the_rule(tmp_path: Path) -> None:
    code, said = dry_run(tmp_path, [BEFORE, DAY])
    assert (code, "DENY  Manifest/a" in said) == (10, True), said
