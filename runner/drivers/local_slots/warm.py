"""A watcher's side of a Python program that is kept ready (``warm_child``): start it, and have it fork ahead.

A process that is forked *ahead* has everything but its order: a mark, a log, a home and the variables that are its own.
To start an execution is to write that into its pipe. Each has a place, which is a pipe, so it is known who has which
order: one that ends with its order unanswered may have run it.
"""

from __future__ import annotations

import json
import os
import select
import signal
import time
from contextlib import suppress

from runner.drivers.local_slots.marks import mark_of
from runner.drivers.local_slots.proc import signal_quietly

# pathlib would double the time this takes to start
# ruff: noqa: PTH118, PTH120, PTH123
TYPE_CHECKING = False  # and so would typing
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runner.drivers.local_slots.python_command import PythonCommand
    from runner.drivers.local_slots.scratch import Scratch

ANSWER_SECONDS = 10.0
"""For forking, and for beginning: what takes longer is given up."""
AHEAD = 8
"""Processes that are forked ahead at most. More are asked for when half of them are taken."""
LOOK_SECONDS = 0.1
"""How often it is looked whether the one that was given an order still lives."""
EACH_ITS_OWN = ("HOME", "TMPDIR", "MAESTRO_EXECUTION_ID", "MAESTRO_ARRAY_INDEX")
"""Variables that are others for each execution of a manifest."""
_BOOT = "import sys; exec(compile(sys.argv.pop(), 'warm_child.py', 'exec'), {'__name__': 'warm_child'})"
"""So that ``__main__`` is free for the program."""
_CHILD = os.path.join(os.path.dirname(__file__), "warm_child.py")


class WorkerLost(Exception):
    """The process that was kept ready has ended, or answers nothing sensible in time.

    ``claimed``: after the execution was claimed here, so it may have run.
    """

    claimed = False


class Warm:
    """One process that is kept ready for the executions of one manifest, and those that it has forked ahead."""

    def __init__(
        self,
        command: PythonCommand,
        environ: dict[str, str],
        *,
        executions: int,
        mark: int,
        alive: set[int],
        defaulted: Sequence[int],
    ) -> None:
        """Start it, in the working folder of this process.

        Args:
            command: the program.
            environ: its environment.
            executions: how many there are to be.
            mark: of this process, so of whatever is kept ready too.
            alive: gets the process ids of what is kept ready; whoever reaps one removes it.
            defaulted: signals that are not to be ignored.

        Raises:
            OSError, ValueError: it cannot be started.
        """
        with open(_CHILD, encoding="utf-8") as file:
            text = file.read()
        self.born = time.clock_gettime_ns(time.CLOCK_BOOTTIME)  # nothing of it was before
        self._left = executions
        self._mark = mark
        self._alive = alive
        self._free = list(range(AHEAD))
        self._ahead: list[tuple[int, int]] = []
        self._asked = False
        self._short = ""
        self._heard = b""
        pipes = [os.pipe() for _ in range(1 + AHEAD)]
        ask, *orders = (read for read, _ in pipes)
        self._ask, *self._orders = (write for _, write in pipes)
        self._answers, say = os.pipe()
        output = os.memfd_create("warm")
        told = {"ask": ask, "say": say, "orders": orders, "is_module": command.is_module, "target": command.target}
        told |= {"arguments": command.arguments, "each_its_own": EACH_ITS_OWN}
        for fd in (ask, say, *orders):
            os.set_inheritable(fd, True)
        for fd in (self._ask, *self._orders):
            os.set_blocking(fd, False)  # nobody who does not read holds this process up
        try:
            self.pid = os.posix_spawn(
                command.interpreter,
                [command.interpreter, *command.flags, "-c", _BOOT, json.dumps(told), text],
                environ,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, output, 1),
                    (os.POSIX_SPAWN_DUP2, output, 2),
                ],
                setsid=True,
                setsigmask=[],
                setsigdef=defaulted,
            )
        except (OSError, ValueError):
            self._close()
            raise
        finally:
            for fd in (ask, say, *orders, output):
                os.close(fd)
        alive.add(self.pid)

    def _close(self) -> None:
        for fd in (self._ask, *self._orders, self._answers):
            os.close(fd)

    def end(self) -> None:
        """End all that is kept ready. It is reaped as everything that ends, and ``alive`` no more."""
        self._close()
        for pid in self._alive.intersection([self.pid, *(pid for _, pid in self._ahead)]):
            signal_quietly(os.kill, pid, signal.SIGKILL)
            self._alive.discard(pid)

    def ready(self, until: float, stopping: Callable[[], bool]) -> str | None:
        """Wait until it is ready; None when it is, else why it will not be.

        Args:
            until: no longer than this, in seconds of the monotonic clock.
            stopping: asked ten times a second whether there is no need any more.
        """
        try:
            word, why = self._answer(until, stopping)
        except WorkerLost as error:
            return str(error)
        if word != "ready":
            return why or word
        self._fork_ahead()
        return None

    def start(self, log: str, mark: int, scratch: Scratch, environ: dict[str, str]) -> int:
        """Have one claim and start an execution; its process id.

        Raises:
            FileExistsError: it is claimed already.
            OSError: it could not be started; it is claimed if the log is there.
            WorkerLost: it was not claimed, or nobody knows whether it was started.
        """
        until = time.monotonic() + ANSWER_SECONDS
        place, pid = self._take(until)
        try:
            os.close(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except OSError:
            self._ahead.insert(0, (place, pid))
            self._alive.add(pid)
            raise
        try:
            self._order(place, pid, log, mark, scratch, environ, until)
        except WorkerLost as error:
            error.claimed = True
            raise
        return pid

    def _order(
        self, place: int, pid: int, log: str, mark: int, scratch: Scratch, environ: dict[str, str], until: float
    ) -> None:
        """Tell one that was forked ahead what to be, and hear that it is."""
        each = [f"{name}={environ[name]}" for name in EACH_ITS_OWN if name in environ]
        _write(self._orders[place], os.fsencode("\0".join([str(mark), log, scratch.home, *each])) + b"\0\0")
        word, number = self._answer(until, lambda: _is_gone(pid))
        self._free.append(place)
        self._left -= 1
        if len(self._ahead) <= AHEAD // 2:
            self._fork_ahead()
        if word == "errno":
            raise _error(number)
        # Whatever runs in there, only a process of this very execution is watched, signalled and waited for.
        if word != "pid" or number != str(pid) or mark_of(pid) != mark:
            raise WorkerLost("it answers nonsense")

    def hear(self) -> None:
        """Take in what was forked ahead. Where a parent of such a process has ended, it has said so before."""
        if self._asked:
            with suppress(WorkerLost):  # whoever starts something next will be told
                self._line(0.0)

    def _fork_ahead(self, at_least: int = 0) -> None:
        """Ask for it, where that is not done yet."""
        places = self._free[: max(self._left - len(self._ahead), at_least)]
        if places and not self._asked:
            self._asked = True
            with suppress(WorkerLost):  # there will be no answer
                _write(self._ask, " ".join(map(str, places)).encode() + b"\n")

    def _take(self, until: float) -> tuple[int, int]:
        """One that was forked ahead: its place and its process id."""
        while True:
            while self._ahead:
                place, pid = self._ahead.pop(0)
                if pid in self._alive and not _is_gone(pid):
                    self._alive.discard(pid)
                    return place, pid
                self._free.append(place)
            if self._short:
                number, self._short = self._short, ""
                raise _error(number)
            self._fork_ahead(1)
            self._line(until, lambda: self.pid not in self._alive or _is_gone(self.pid))
            if not self._ahead and not self._short:
                raise WorkerLost("it answers nonsense")

    def _answer(self, until: float, gone: Callable[[], bool]) -> tuple[str, str]:
        while True:
            word, rest = self._line(until, gone)
            if word != "ahead":
                return word, rest

    def _line(self, until: float, gone: Callable[[], bool] = lambda: False) -> tuple[str, str]:
        """The next line: its first word and the rest. What was forked ahead is taken in."""
        while b"\n" not in self._heard:
            left = max(0.0, until - time.monotonic())
            if not self._says(min(left, LOOK_SECONDS)):
                ended = gone()  # asked first: whoever has ended has said before what there was to say
                if not self._says(0.0):
                    if ended or not left:
                        raise WorkerLost("it has ended" if ended else "it does not answer")
                    continue
            more = os.read(self._answers, 4096)
            if not more or len(self._heard) > 4096:
                raise WorkerLost("it has ended")
            self._heard += more
        line, _, self._heard = self._heard.partition(b"\n")
        word, _, rest = line.decode("ascii", "replace").partition(" ")
        if word == "ahead":
            self._take_in(rest.split())
        return word, rest

    def _says(self, seconds: float) -> bool:
        return bool(select.select([self._answers], [], [], seconds)[0])

    def _take_in(self, words: list[str]) -> None:
        self._asked = False
        if not all(map(str.isdigit, words)):
            return
        self._short = words[0] if words and words[0] != "0" else ""
        for place, pid in zip(map(int, words[1::2]), map(int, words[2::2]), strict=False):
            if place in self._free and mark_of(pid) == self._mark:
                self._free.remove(place)
                self._ahead.append((place, pid))
                self._alive.add(pid)


def _write(fd: int, data: bytes) -> None:
    try:
        while data:
            data = data[os.write(fd, data) :]
    except OSError as error:
        raise WorkerLost("it has ended") from error


def _is_gone(pid: int) -> bool:
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # its parent has not ended yet
        return False


def _error(number: str) -> OSError:
    known = int(number) if number.isdigit() and len(number) < 5 else 0
    return OSError(known, os.strerror(known))
