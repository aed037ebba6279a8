"""Everything a command may touch outside of its arguments, handed in so that tests can hand in another one."""

from __future__ import annotations

import datetime as dt
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True)
class World:
    """The edges of a command: environment, folder, streams, clock (UTC, aware)."""

    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    cwd: Path = field(default_factory=Path.cwd)
    stdout: TextIO = field(default_factory=lambda: sys.stdout)
    stderr: TextIO = field(default_factory=lambda: sys.stderr)
    now: Callable[[], dt.datetime] = _utc_now

    def colour(self, stream: TextIO) -> bool:
        """Whether colour is welcome on ``stream``: a terminal, and NO_COLOR not set."""
        return stream.isatty() and not self.environ.get("NO_COLOR") and self.environ.get("TERM") != "dumb"
