"""Asking the Linux kernel about processes, and telling it a few things."""

# pathlib would double the time this takes to start
# ruff: noqa: PTH123
from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable
from contextlib import suppress

PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36


def boot_id() -> str:
    """What tells this boot of the machine from others; empty where the system does not say."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""


def birth_of(pid: int) -> int | None:
    """When a process was born, in clock ticks since boot (proc(5), stat field 22); None if it does not live.

    One that has ended and was not waited for does not live: where nobody waits for orphans it stays so for ever.
    """
    found = _stat(pid)
    return None if found is None or found[0] in (b"Z", b"X") else int(found[19])


def parent_of(pid: int) -> int | None:
    """The parent of a process; None if there is no such process."""
    found = _stat(pid)
    return None if found is None else int(found[1])


def _stat(pid: int) -> list[bytes] | None:
    """What /proc/PID/stat says from the state (field 3) on."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            found = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return found if len(found) > 19 else None


def kill_that(pid: int, is_that: Callable[[int], bool]) -> bool:
    """SIGKILL to a process that is nobody's child here; whether it was sent.

    The number may come back for another process at any time. So the process is held first (pidfd_open(2), Linux 5.3),
    then it is asked whether it is the right one, and only the one that is held can be hit. What cannot be held is left
    alone.
    """
    if pid <= 1 or pid == os.getpid():
        return False
    try:
        held = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if not is_that(pid):
            return False
        signal.pidfd_send_signal(held, signal.SIGKILL)
    except OSError:
        return False
    finally:
        os.close(held)
    return True


def living_children() -> list[int]:
    """The pids of this process's children that have not been reaped."""
    pid = os.getpid()
    try:
        with open(f"/proc/{pid}/task/{pid}/children", "rb") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def signal_quietly(kill: Callable[[int, int], object], target: int, number: int) -> None:
    """Send a signal to what may be gone already."""
    with suppress(OSError):
        kill(target, number)


def prctl(option: int, value: int) -> None:
    """prctl(2)."""
    if ctypes.CDLL(None).prctl(option, value, 0, 0, 0):
        raise OSError(f"prctl({option}) failed")
