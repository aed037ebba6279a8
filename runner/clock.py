"""Times that never run backwards: one reading of the wall clock, the rest counted on the monotonic clock."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Anchor:
    """Two readings of the same moment, in nanoseconds."""

    wall: int
    monotonic: int

    def at(self, monotonic: int) -> str:
        """The wall time of a monotonic reading: RFC 3339, UTC, microseconds."""
        seconds, nanoseconds = divmod(self.wall + monotonic - self.monotonic, 10**9)
        return f"{_second(seconds)}.{nanoseconds // 1000:06}+00:00"


@lru_cache(maxsize=1024)  # thousands of times lie within few seconds
def _second(since: int) -> str:
    return (dt.datetime(1970, 1, 1) + dt.timedelta(seconds=since)).isoformat()


def anchor(now: dt.datetime) -> Anchor:
    """An anchor for ``now`` (aware), which is read from the wall clock by the caller."""
    since = now - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    return Anchor((since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000, time.monotonic_ns())
