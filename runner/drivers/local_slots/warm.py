"""A watcher's side of a Python program that is kept ready (``warm_child``): start it, and have it fork."""

from __future__ import annotations

import json
import os
import select
import time

from runner.drivers.local_slots.marks import mark_of

# pathlib would double the time this takes to start
# ruff: noqa: PTH118, PTH120, PTH123
TYPE_CHECKING = False  # and so would typing
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runner.drivers.local_slots.python_command import PythonCommand
    from runner.drivers.local_slots.scratch import Scratch

ANSWER_SECONDS = 10.0
"""For forking: what takes longer is given up."""
EACH_ITS_OWN = ("HOME", "TMPDIR", "MAESTRO_EXECUTION_ID", "MAESTRO_ARRAY_INDEX")
"""Variables that are others for each execution of a manifest."""
_BOOT = "import sys; exec(compile(sys.argv.pop(), 'warm_child.py', 'exec'), {'__name__': 'warm_child'})"
"""So that ``__main__`` is free for the program."""
_CHILD = os.path.join(os.path.dirname(__file__), "warm_child.py")


class WorkerLost(Exception):
    """The process that was kept ready has ended, or answers nothing sensible in time."""


class Warm:
    """One process that is kept ready for the executions of one manifest."""

    def __init__(self, command: PythonCommand, environ: dict[str, str], *, defaulted: Sequence[int]) -> None:
        """Start it, in the working folder of this process. Raises OSError."""
        with open(_CHILD, encoding="utf-8") as file:
            text = file.read()
        ask, self._ask = os.pipe()
        self._answers, say = os.pipe()
        output = os.memfd_create("warm")
        told = {"ask": ask, "say": say, "is_module": command.is_module, "target": command.target}
        told |= {"arguments": command.arguments, "each_its_own": EACH_ITS_OWN}
        os.set_inheritable(ask, True)
        os.set_inheritable(say, True)
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
            self.close()
            raise
        finally:
            for fd in (ask, say, output):
                os.close(fd)

    def close(self) -> None:
        """It ends by itself then."""
        os.close(self._ask)
        os.close(self._answers)

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
        return None if word == "ready" else why or word

    def start(self, log: str, mark: int, scratch: Scratch, environ: dict[str, str]) -> int:
        """Have it claim and start one execution; the process id.

        Raises:
            FileExistsError: it is claimed already.
            OSError: it could not be started; it is claimed if the log is there.
            WorkerLost: nobody knows whether it was started, except that without a log it was not.
        """
        each = {name: environ[name] for name in EACH_ITS_OWN if name in environ}
        own = {"mark": mark, "log": log, "home": scratch.home, "environ": each}
        data = json.dumps(own).encode() + b"\n"
        try:
            while data:
                data = data[os.write(self._ask, data) :]
        except OSError as error:
            raise WorkerLost("it has ended") from error
        word, number = self._answer(time.monotonic() + ANSWER_SECONDS)
        if word == "errno" and number.isdigit():
            raise OSError(int(number), os.strerror(int(number)))
        # Whatever runs in there, only a process of this very execution is watched, signalled and waited for.
        if word != "pid" or not number.isdigit() or mark_of(int(number)) != mark:
            raise WorkerLost("it answers nonsense")
        return int(number)

    def _answer(self, until: float, stopping: Callable[[], bool] = lambda: False) -> tuple[str, str]:
        data = b""
        while not data.endswith(b"\n"):
            left = until - time.monotonic()
            if left <= 0 or stopping():
                raise WorkerLost("it does not answer")
            if not select.select([self._answers], [], [], min(left, 0.1))[0]:
                continue
            more = os.read(self._answers, 4096)
            if not more or len(data) > 4096:
                raise WorkerLost("it has ended")
            data += more
        word, _, rest = data.decode("utf-8", "replace").strip().partition(" ")
        return word, rest
