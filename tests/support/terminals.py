"""Streams that say they are a terminal."""

from __future__ import annotations

import io


class Terminal(io.StringIO):
    """One that somebody looks at."""

    def isatty(self) -> bool:
        return True


class Gone(Terminal):
    """One whose reader has gone away."""

    def write(self, text: str) -> int:
        raise BrokenPipeError
