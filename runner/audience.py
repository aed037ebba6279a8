"""Who follows a run while it lasts: somebody at a terminal, who gets a table, or the log of a job, which gets lines."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self, TextIO

from maestro.progress import wanted
from runner.execution import Ending, Execution
from runner.lifecycle import Event

LINE_SECONDS = 10.0
"""Between two lines about how far it is, where nobody watches a terminal."""

Watch = Callable[[str, Event, float | None], None]


class Audience(Protocol):
    """What it is told. Used as a context for as long as the run lasts."""

    watch: Watch | None
    """For what happens to executions before they end; None where nobody wants to know."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def say(self, line: str) -> None:
        """A line that stays."""

    def had(self, execution: Execution, outcome: str) -> None:
        """It had ended before this dispatch."""

    def ended(self, execution: Execution, ending: Ending) -> None:
        """It has ended, and its receipt is signed."""


class Lines:
    """Plain lines, now and then. See ``Audience``."""

    watch: Watch | None = None

    def __init__(self, stream: TextIO, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._total = total
        self._clock = clock
        self._told_at = clock()
        self._ended = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def say(self, line: str) -> None:
        """See ``Audience``."""
        self._stream.write(f"{line}\n")

    def had(self, execution: Execution, outcome: str) -> None:
        """See ``Audience``."""
        del execution, outcome
        self._ended += 1

    def ended(self, execution: Execution, ending: Ending) -> None:
        """See ``Audience``."""
        del execution, ending
        self._ended += 1
        now = self._clock()
        if now >= self._told_at + LINE_SECONDS:
            self._told_at = now
            self.say(f"  {self._ended} of {self._total} executions have ended")


class Watched:
    """A table on a terminal. See ``Audience``."""

    def __init__(self, stream: TextIO, environ: Mapping[str, str], executions: Sequence[Execution], slots: int) -> None:
        from runner.live_screen import LiveScreen
        from runner.live_table import RunTable

        self._table = RunTable(executions, slots)
        self._screen = LiveScreen(self._table, stream, environ)
        self.watch: Watch | None = self._table.seen

    def __enter__(self) -> Self:
        self._screen.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._screen.__exit__(kind, error, trace)

    def say(self, line: str) -> None:
        """See ``Audience``."""
        self._screen.say(line)

    def had(self, execution: Execution, outcome: str) -> None:
        """See ``Audience``."""
        self._table.receipt(execution.id, outcome)

    def ended(self, execution: Execution, ending: Ending) -> None:
        """See ``Audience``."""
        self._table.receipt(execution.id, ending.last.outcome)


def audience(stream: TextIO, environ: Mapping[str, str], executions: Sequence[Execution], slots: int) -> Audience:
    """The one that fits the stream."""
    if wanted(stream, environ, quiet=False):
        return Watched(stream, environ, executions, slots)
    return Lines(stream, len(executions))
