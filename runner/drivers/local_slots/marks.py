"""The mark of a command: an inherited limit by which everything it started is told from everything else.

It is the hard limit RLIMIT_RTTIME. Nothing but real-time threads is bound by it, children have it through fork and
exec, and nobody without privileges can raise it. A mark is a turn, which a watcher lowers with each start, over a name:

    turn << 32 | name        name: 32 bits of a hash of the folder of the logs, the execution and the attempt

So a mark says by itself which attempt it belongs to. Journals are files that somebody may have edited; whatever they
say, a process whose mark does not name an attempt of the run is none of the run's business.
"""

from __future__ import annotations

import os
import resource
from hashlib import blake2b

LOWEST, HIGHEST = 1 << 59, 1 << 61
"""Every mark is in ``range(LOWEST, HIGHEST)``: microseconds, the least of them 18,000 years."""
NAME_BITS = 32


def is_mark(value: object) -> bool:
    """Whether it is a number that this program could have made."""
    return type(value) is int and LOWEST <= value < HIGHEST


def name_in(mark: int) -> int:
    """The name that a mark bears."""
    return mark & ((1 << NAME_BITS) - 1)


def name_of(folder: str, execution: str, attempt: int) -> int:
    """The name of an attempt. ``folder`` is what :func:`identity` says of the folder of the logs."""
    return int.from_bytes(blake2b(f"{folder} {execution} {attempt}".encode(), digest_size=NAME_BITS // 8).digest())


def identity(folder: str) -> str:
    """What tells a folder from every other one of this machine, however it is called.

    Raises:
        OSError: there is none.
    """
    found = os.stat(folder)  # noqa: PTH116 - pathlib would double the time this takes to start
    return f"{found.st_dev}:{found.st_ino}"


def mark_of(pid: int) -> int | None:
    """The mark of a process; None if it has none, as all have that no watcher started."""
    if pid <= 0:
        return None  # to the system 0 is whoever asks
    try:
        value = resource.prlimit(pid, resource.RLIMIT_RTTIME)[1]
    except (ProcessLookupError, OverflowError):
        return None
    except OSError:  # of another user: what /proc says is for everybody, and takes forty times as long
        value = _told_by_proc(pid)
    return value if is_mark(value) else None


def _told_by_proc(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/limits", "rb") as file:  # noqa: PTH123
            for line in file:
                if line.startswith(b"Max realtime timeout"):
                    return int(line.split()[4])
    except (OSError, IndexError, ValueError):  # "unlimited" is no number
        pass
    return 0


class Marks:
    """The marks that one watcher gives: each lower than the one before, so that it may set them without privileges."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        hard = resource.getrlimit(resource.RLIMIT_RTTIME)[1]
        top = HIGHEST if hard == resource.RLIM_INFINITY else min(hard, HIGHEST)
        self._last = LOWEST >> NAME_BITS
        half = ((top >> NAME_BITS) - self._last) // 2
        # A watcher may itself be below a command of another run: half of the turns remain for those below it.
        self._turn = self._last + half + (int.from_bytes(os.urandom(8)) % half if half > 0 else 0)
        self.current = 0

    def take(self, execution: str = "", attempt: int = 0) -> int:
        """Mark this process, and with it whatever it starts until the next call.

        Raises:
            OSError: the limit cannot be set.
            ValueError: there is no mark left below the limit that this process was started with.
        """
        self._turn -= 1
        if self._turn < self._last:
            raise ValueError("RLIMIT_RTTIME of this process is too low already")
        mark = self._turn << NAME_BITS | name_of(self._folder, execution, attempt)
        resource.setrlimit(resource.RLIMIT_RTTIME, (mark, mark))
        self.current = mark
        return mark
