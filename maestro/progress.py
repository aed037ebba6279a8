"""A line that says what is going on, for whatever takes longer than a second. It leaves nothing behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self, TextIO

from maestro.ci import in_ci
from maestro.report.visible_text import visible

PATIENCE = 1.0
"""Seconds before anything is shown."""
PAUSE = 0.1
"""Least seconds between two updates."""

_COLUMNS = 79
_CLEAR = "\r\x1b[K"


def wanted(stream: TextIO, environ: Mapping[str, str], *, quiet: bool) -> bool:
    """Whether somebody watches: a terminal that can erase a line, no CI, no ``--quiet``."""
    if quiet or in_ci(environ) or environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


class Progress:
    """Shows the latest step; a thread of its own keeps it fresh while the work waits for another process.

    Args:
        stream: where to draw.
        enabled: see :func:`wanted`; when false, nothing is ever written.
        clock: monotonic seconds.
        threaded: tests that hand in a clock draw with :meth:`tick` instead.
    """

    def __init__(
        self, stream: TextIO, *, enabled: bool, clock: Callable[[], float] = time.monotonic, threaded: bool = True
    ) -> None:
        self._stream = stream
        self._enabled = enabled
        self._clock = clock
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_fresh, daemon=True) if enabled and threaded else None
        self._due = 0.0
        self._started = 0.0
        self._words = ""
        self._drawn = False

    def __enter__(self) -> Self:
        self._started = self._clock()
        self._due = self._started + PATIENCE
        if self._thread:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._thread:
            self._thread.join()
        if self._drawn:
            self._write(_CLEAR)

    def step(self, what: str, done: int | None = None, total: int | None = None) -> None:
        """Name what happens now, and how far it is (``done`` of ``total``, or just ``done``)."""
        if not self._enabled:
            return
        count = "" if done is None else f" {done:,}" + (f" of {total:,}" if total is not None else "")
        self._words = f"{what}{count}"
        self.tick()

    def tick(self) -> None:
        """Draw when it is time to."""
        with self._lock:
            now = self._clock()
            if not self._enabled or not self._words or now < self._due:
                return
            self._due = now + PAUSE
            self._drawn = True
            seconds = f" ({now - self._started:.0f} s)"
            self._write(f"{_CLEAR}{_fit(visible(self._words), _COLUMNS - len(seconds))}{seconds}")

    def _keep_fresh(self) -> None:
        while not self._over.wait(PAUSE):
            self.tick()

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # the terminal is gone: the work goes on without an audience
            self._enabled = False


def _fit(text: str, columns: int) -> str:
    return text if len(text) <= columns else text[: columns - 1] + "…"
