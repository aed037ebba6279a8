"""Limits lower than the slots asked for are said before anything starts."""

from __future__ import annotations

import resource
from datetime import UTC, datetime
from pathlib import Path

import pytest

from maestro.errors import UsageError
from runner.clock import anchor
from runner.drivers.local import LocalDriver
from runner.drivers.local_limits import HEADROOM, Limit, limits, tightest
from runner.execution import Task, executions_of


def machine(path: Path, *, pid_max: str = "32768", pids: str = "max") -> tuple[Path, Path]:
    """A /proc and a /sys/fs/cgroup."""
    proc, groups = path / "proc", path / "groups"
    for folder in (proc / "1", proc / "2", proc / "self", proc / "sys" / "kernel", groups / "job" / "step"):
        folder.mkdir(parents=True)
    (proc / "sys" / "kernel" / "pid_max").write_text(pid_max + "\n")
    (proc / "self" / "cgroup").write_text("0::/job/step\n")
    (groups / "job" / "pids.max").write_text(pids + "\n")
    (groups / "job" / "pids.current").write_text("7\n")
    return proc, groups


def test_every_level_of_control_groups_counts(tmp_path: Path) -> None:
    found = {limit.name: limit for limit in limits(*machine(tmp_path, pids="500"))}
    group = found[f"pids.max of the control group {tmp_path}/groups/job"]
    assert (group.allowed, group.used, group.room) == (500, 7, 500 - 7 - HEADROOM)
    assert found["kernel.pid_max"].used == 2


def test_no_limit_is_no_limit(tmp_path: Path) -> None:
    assert not [limit for limit in limits(*machine(tmp_path)) if "control group" in limit.name]


def test_the_tightest_is_named() -> None:
    some = [Limit("a", 5000, 10), Limit("b", 1000, 10), Limit("c", 1 << 20, 10)]
    assert tightest(iter(some), 10_000) == some[1]
    assert tightest(iter(some), 700) is None


@pytest.mark.parametrize(("size", "refused"), [(10_000, True), (50, False)])
def test_slots_beyond_a_limit_start_nothing(tmp_path: Path, size: int, refused: bool) -> None:
    short = [Limit("kernel.pid_max", 1000, 100)]
    now = anchor(datetime.now(UTC))
    driver = LocalDriver(tmp_path / "run", {"PATH": "/bin"}, now, slots=10_000, limits=lambda: iter(short))
    executions = list(executions_of("run-1", Task("Manifest/a", ("true",)), size))
    if not refused:
        driver.provision(None, executions)
        driver.provision(None, executions)  # told again before the session: not twice as many
        return
    with pytest.raises(
        UsageError, match=r"10000 executions at once .* kernel.pid_max is 1000, 100 are in use"
    ) as error:
        driver.provision(None, executions)
    assert "`--slots 700`" in str(error.value.remedy)
    assert not (tmp_path / "run").exists()


def test_descriptors_bound_nothing(tmp_path: Path) -> None:
    """Many more at once than this process or a watcher may have files open: none fails, so nothing need be said."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    executions = list(executions_of("run-1", Task("Manifest/a", ("sleep", "0.3")), 150))
    driver = LocalDriver(tmp_path, {"PATH": "/usr/bin:/bin"}, anchor(datetime.now(UTC)), slots=150)
    open_now = len(list(Path("/proc/self/fd").iterdir()))
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (open_now + 20, before[1]))
        driver.provision(None, executions)
        endings = list(driver.execute(executions, session=1))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert [ending.last.outcome for ending in endings] == ["succeeded"] * 150
