"""Times never run backwards, whatever is done to the wall clock."""

from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from runner.clock import Anchor, anchor


@given(st.integers(0, 2**62), st.lists(st.integers(0, 2**62), min_size=2))
def test_the_order_of_readings_is_the_order_of_times(start: int, readings: list[int]) -> None:
    times = [
        Anchor(1_790_000_000_000_000_000, start).at(reading)
        for reading in sorted(readings)
        if abs(reading - start) < 2**55
    ]
    assert times == sorted(times)


def test_a_reading_is_the_wall_time_it_was_taken_at() -> None:
    now = dt.datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=dt.UTC)
    taken = anchor(now)
    assert taken.at(taken.monotonic) == "2026-11-23T12:00:00.123456+00:00"
    assert taken.at(taken.monotonic + 1_500_000_000) == "2026-11-23T12:00:01.623456+00:00"
