"""Faults at the n-th write of a process. A slot of the local driver imports this as it starts: it imports little."""

from __future__ import annotations

import errno
import os
import signal
import stat
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

FAULTS = ("die", "die-halfway", "full", "read-only", "broken", "slow")
"""Killed before it; killed in the middle of it; no room, or read-only, from then on; broken once; slow from then on."""
_ERRORS = {"full": errno.ENOSPC, "read-only": errno.EROFS, "broken": errno.EIO}
_STEPS = ("write", "open", "fsync", "fdatasync", "replace", "link", "unlink", "mkdir", "posix_fallocate", "posix_spawn")


class Arm:
    """What counts the writes of this process, and what happens at the ``number``-th."""

    def __init__(self, fault: str, number: int, fired: str) -> None:
        self.fault = fault
        self.left = number
        self.fired = fired
        self.real = {name: getattr(os, name) for name in _STEPS}
        for name in _STEPS:
            setattr(os, name, self._wrapped(name))

    def _wrapped(self, name: str) -> Callable[..., Any]:
        real = self.real[name]

        def step(*given: Any, **named: Any) -> Any:
            if self._counts(name, given):
                self.left -= 1
                if self.left == 0 or (self.left < 0 and self.fault in ("full", "read-only", "slow")):
                    self._happen(name, given)
            return real(*given, **named)

        return step

    def _counts(self, name: str, given: tuple[Any, ...]) -> bool:
        if name == "open":
            return len(given) > 1 and bool(given[1] & os.O_CREAT)
        return name != "write" or stat.S_ISREG(os.fstat(given[0]).st_mode)

    def _happen(self, name: str, given: tuple[Any, ...]) -> None:
        if self.left == 0:
            os.close(self.real["open"](self.fired, os.O_WRONLY | os.O_CREAT, 0o600))
        if self.fault == "slow":
            time.sleep(0.01)
        elif self.fault in _ERRORS:
            if name != "posix_spawn" and not (name == "unlink" and self.fault == "full"):
                code = _ERRORS[self.fault]
                raise OSError(code, os.strerror(code))
        else:
            if self.fault == "die-halfway" and name == "write":
                self.real["write"](given[0], bytes(given[1])[: len(given[1]) // 2])
            os.kill(os.getpid(), signal.SIGKILL)


def arm_slots(fault: str, at: int, fired: str) -> None:
    """Arm the process that the supervisor forks, not the supervisor."""
    from runner.drivers.local_slots import supervisor

    real = supervisor._run_slots

    def armed(work: dict[str, Any], number: int) -> int:
        Arm(fault, at, fired)
        return real(work, number)

    supervisor._run_slots = armed


BOOT = """
import sys
sys.path.append(sys.argv[1])
from tests.runner.faults import arm_slots
arm_slots({fault!r}, {number}, {fired!r})
from runner.drivers.local_slots.supervisor import main
main()
"""
