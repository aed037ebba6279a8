"""Whether this machine lets as many processes live together as there are to be slots: asked before anything starts.

Descriptors do not count: a command costs its watcher none.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HEADROOM = 200
"""Processes left for everything else."""


@dataclass(frozen=True)
class Limit:
    """A bound on processes: what it is called, how many it allows, how many there are; None where nobody says."""

    name: str
    allowed: int
    used: int

    @property
    def room(self) -> int:
        """How many more there may be, with some left for others."""
        return max(0, self.allowed - self.used - HEADROOM)


def tightest(limits: Iterator[Limit], wanted: int) -> Limit | None:
    """The limit that stands in the way of ``wanted`` processes, the tightest of them; None when none does."""
    short = [limit for limit in limits if limit.room < wanted]
    return min(short, key=lambda limit: limit.room, default=None)


def limits(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> Iterator[Limit]:
    """What bounds the number of processes here: getrlimit(2), proc(5), cgroups(7)."""
    alive = sum(name.isdigit() for name in os.listdir(proc))  # noqa: PTH208 - names are enough
    soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    if os.geteuid() != 0 and hard != resource.RLIM_INFINITY:
        yield Limit("RLIMIT_NPROC (ulimit -u)", soft, alive)
    for name in ("pid_max", "threads-max"):
        allowed = _number(proc / "sys" / "kernel" / name)
        if allowed is not None:
            yield Limit(f"kernel.{name}", allowed, alive)
    for folder in _cgroups(proc, cgroups):
        allowed = _number(folder / "pids.max")
        if allowed is not None:
            yield Limit(f"pids.max of the control group {folder}", allowed, _number(folder / "pids.current") or 0)


def _cgroups(proc: Path, cgroups: Path) -> Iterator[Path]:
    """The folders of this process's control groups that may count processes, from the leaf up."""
    try:
        lines = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "pids"):
            continue
        root = cgroups / controllers
        folder = root / path.strip("/")
        while folder != root:
            yield folder
            folder = folder.parent
        yield root


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # not there, or "max"
        return None
