"""A table kept up to date on a terminal, for as long as something runs. It leaves nothing behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from runner.live_table import RunTable

PATIENCE = 1.0
"""Seconds before anything is shown."""
REDRAW_SECONDS = 0.25


class _Forgiving:
    """A terminal that may go away: the work goes on without an audience."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.encoding = getattr(stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except (OSError, ValueError):
            return 0

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            return

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream.fileno()


class LiveScreen:
    """Draws ``table``.

    Args:
        table: what is drawn.
        stream: a terminal that can move its cursor (``maestro.progress.wanted``).
        environ: ``COLUMNS`` and ``LINES`` count where they are set.
        clock: seconds that never run backwards.
        patience: seconds before anything is shown.
    """

    def __init__(
        self,
        table: RunTable,
        stream: TextIO,
        environ: Mapping[str, str],
        clock: Callable[[], float] = time.monotonic,
        patience: float = PATIENCE,
    ) -> None:
        self._table = table
        self._stream = stream
        self._environ = environ
        self._clock = clock
        self._began = clock()
        self._patience = patience
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._live: Live | None = None

    def __enter__(self) -> Self:
        from rich.console import Console
        from rich.live import Live

        console = Console(
            file=_Forgiving(self._stream),  # type: ignore[arg-type]
            force_terminal=True,
            color_system=None,
            markup=False,
            highlight=False,
            emoji=False,
            legacy_windows=False,
            _environ=dict(self._environ),
        )
        self._live = Live(
            get_renderable=lambda: self._frame(console),
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._thread = threading.Thread(target=self._draw, args=(self._live,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._thread is not None and self._live is not None:
            self._thread.join()
            self._live.stop()

    def say(self, line: str) -> None:
        """A line that stays, above the table."""
        if self._live is not None:
            self._live.console.print(line, soft_wrap=True)

    def _draw(self, live: Live) -> None:
        if self._over.wait(self._patience):
            return
        live.start()
        while True:
            live.refresh()
            if self._over.wait(REDRAW_SECONDS):
                return

    def _frame(self, console: Console) -> Text:
        from rich.text import Text

        size = console.size
        lines = self._table.frame(self._clock() - self._began, size.width, size.height - 1)
        return Text("\n".join(lines), no_wrap=True)
