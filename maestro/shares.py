"""Much work of one kind, shared among as many copies of this process as there are cores.

Threads would not help: neither parsing nor verifying lets go of the interpreter's lock. A pool of new processes would
first spend what it saves, on imports.
"""

from __future__ import annotations

import contextlib
import gc
import marshal
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")

WORTH_IT = 500
"""Items for each: fewer are done before a copy is made and heard."""
_AT_MOST = 8


def cores() -> int:
    """How many may be used; 1 where copying a process is not safe (macOS) or other threads would not come along."""
    if sys.platform != "linux" or threading.active_count() > 1:
        return 1
    return min(_AT_MOST, len(os.sched_getaffinity(0)))


def shared(work: Callable[[_Item], _Answer], items: Sequence[_Item]) -> list[_Answer]:
    """``work`` of each item, in order.

    A copy that does not answer for each of its items, for whatever reason, has its share done here: what cannot be
    done raises here then.

    Args:
        work: changes nothing that anybody else sees; its answers are plain values (None, bool, int, float, str, bytes,
            and tuples, lists and dictionaries of them).
        items: what it is done of.
    """
    number = max(1, min(cores(), len(items) // WORTH_IT))
    size = -(-len(items) // number) or 1
    own, *others = [items[start : start + size] for start in range(0, len(items), size)] or [items]
    with contextlib.ExitStack() as stack:
        copies = [stack.enter_context(_copy(work, share)) for share in others]
        answers = [work(item) for item in own]
        for copy, share in zip(copies, others, strict=True):
            heard: list[_Answer] | None = copy.answers(len(share))
            answers += [work(item) for item in share] if heard is None else heard
    return answers


@dataclass(frozen=True)
class _Copy:
    pipe: int

    def answers(self, wanted: int) -> list[_Answer] | None:
        """What it found; None where it did not come to its end with as many answers as are ``wanted``."""
        with open(self.pipe, "rb", closefd=False) as stream:
            data = stream.read()
        try:
            answers = marshal.loads(data)  # noqa: S302 - written by ourselves; what is cut short raises
        except (EOFError, ValueError, TypeError):
            return None
        return answers if isinstance(answers, list) and len(answers) == wanted else None


@contextlib.contextmanager
def _copy(work: Callable[[_Item], _Answer], share: Sequence[_Item]) -> Iterator[_Copy]:
    """A copy of this process at work on a share; it is gone afterwards."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)  # with its last reader gone, writing fails: no copy outlives the original for long
        _at_work(work, share, writing)
    os.close(writing)
    try:
        yield _Copy(reading)
    finally:
        os.close(reading)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _at_work(work: Callable[[_Item], _Answer], share: Sequence[_Item], pipe: int) -> None:
    """What the copy does; it never returns into what the original was doing, nor says anything but its answers."""
    try:
        gc.disable()
        data = memoryview(marshal.dumps([work(item) for item in share]))
        while data:
            data = data[os.write(pipe, data) :]
    finally:
        os._exit(0)
