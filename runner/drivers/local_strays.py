"""What still runs of executions that lost those who watched it: waited for, and ended at its deadline.

Here processes are ended that are nobody's children here. Only those are, of which all of this holds:

- the process bears a mark, a number in a range that nothing else on a machine uses (``local_slots.marks``);
- the mark names the attempt that was lost, in this very folder of logs. That is computed from the plan, never read;
- where a journal recorded the start, it is that very mark;
- it was born in this boot, after the start was recorded, or after the first watcher of the run where none was;
- it is not this process, none of its ancestors, and not the first process of the machine.

Journals are files: an edited one can hide a process from here, or end one of its own run early, and nothing else.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass

from runner.drivers.local_slots.marks import mark_of, name_in
from runner.drivers.local_slots.proc import birth_of, kill_that, parent_of

_TICK = 10**9 // os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Lost:
    """An attempt that was started, and whose end nobody saw.

    Args:
        name: as its mark has it.
        mark: the whole mark, where its start was recorded.
        since: nothing of it was born before: nanoseconds since boot.
        deadline: nanoseconds of the monotonic clock.
    """

    name: int
    mark: int | None
    since: int
    deadline: int


def wait_for(lost: Sequence[Lost]) -> None:
    """Wait until nothing of them runs any more; what runs at its deadline is killed."""
    by_name: dict[int, list[Lost]] = {}
    for each in lost:
        by_name.setdefault(each.name, []).append(each)
    ours = _ourselves()
    while True:
        now, any_left, any_late = time.monotonic_ns(), False, False
        for pid in _processes(ours):
            one = _owner(pid, by_name)
            if one is None:
                continue
            any_left = True
            if now >= one.deadline:
                any_late = True
                kill_that(pid, lambda pid: _owner(pid, by_name) is not None)
        if not any_left:
            return
        time.sleep(0.01 if any_late else 0.1)


def _owner(pid: int, by_name: dict[int, list[Lost]]) -> Lost | None:
    """The lost attempt that a process belongs to."""
    mark = mark_of(pid)
    if mark is None:
        return None
    birth = birth_of(pid)
    if birth is None:
        return None
    for one in by_name.get(name_in(mark), ()):
        if one.mark in (None, mark) and birth * _TICK >= one.since - _TICK:
            return one
    return None


def _processes(ours: Set[int]) -> Iterator[int]:
    for name in os.listdir("/proc"):  # noqa: PTH208 - names are enough
        if name.isdigit() and int(name) not in ours:
            yield int(name)


def _ourselves() -> frozenset[int]:
    """This process, its ancestors, and the first process."""
    found, pid = {0, 1}, os.getpid()
    while pid > 1 and pid not in found:
        found.add(pid)
        pid = parent_of(pid) or 0
    return frozenset(found)
