"""Asking the Linux kernel about processes, and telling it a few things."""

# pathlib would double the time this takes to start
# ruff: noqa: PTH123
from __future__ import annotations

import ctypes
import os
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
    """When a process was born, in clock ticks since boot (proc(5), stat field 22); None if there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return None


def mark_of(pid: int) -> int | None:
    """The hard limit RLIMIT_RTTIME of a process, by which commands are told apart; None if there is none."""
    try:
        with open(f"/proc/{pid}/limits", "rb") as file:
            for line in file:
                if line.startswith(b"Max realtime timeout"):
                    return int(line.split()[4])
    except (OSError, IndexError, ValueError):
        pass
    return None


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
