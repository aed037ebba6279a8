import io
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro.progress import Progress, wanted
from tests.support.terminals import Gone, Terminal


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def drawn(stream: Terminal) -> list[str]:
    return stream.getvalue().split("\r\x1b[K")[1:]


def test_short_work_shows_nothing() -> None:
    stream, clock = Terminal(), Clock()
    with Progress(stream, enabled=True, clock=clock, threaded=False) as progress:
        progress.step("reading", 1, 2)
        clock.now += 0.9
        progress.step("reading", 2, 2)
    assert stream.getvalue() == ""


def test_long_work_is_told_and_wiped_away() -> None:
    stream, clock = Terminal(), Clock()
    with Progress(stream, enabled=True, clock=clock, threaded=False) as progress:
        clock.now += 1.0
        progress.step("reading documents", 4_000, 10_000)
        clock.now += 0.05
        progress.step("too soon")
        clock.now += 0.05
        progress.tick()
        clock.now += 0.2
        progress.step("judging", 7)
    assert drawn(stream) == ["reading documents 4,000 of 10,000 (1 s)", "too soon (1 s)", "judging 7 (1 s)", ""]


def test_the_line_is_wiped_away_after_an_error() -> None:
    stream, clock = Terminal(), Clock()
    with pytest.raises(KeyError), Progress(stream, enabled=True, clock=clock, threaded=False) as progress:
        clock.now += 2
        progress.step("x")
        raise KeyError
    assert stream.getvalue().endswith("\r\x1b[K")


def test_nobody_watching_nothing_written() -> None:
    stream, clock = Terminal(), Clock()
    with Progress(stream, enabled=False, clock=clock) as progress:
        clock.now += 5
        progress.step("x")
    assert stream.getvalue() == ""


def test_a_terminal_that_is_gone_does_not_stop_the_work() -> None:
    clock = Clock()
    with Progress(Gone(), enabled=True, clock=clock, threaded=False) as progress:
        clock.now += 5
        progress.step("x")
        clock.now += 5
        progress.step("y")


def test_it_is_fresh_while_the_work_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maestro.progress.PATIENCE", 0.0)
    monkeypatch.setattr("maestro.progress.PAUSE", 0.001)
    stream = Terminal()
    with Progress(stream, enabled=True) as progress:
        progress.step("waiting for conftest")
        deadline = time.monotonic() + 5
        while len(drawn(stream)) < 3 and time.monotonic() < deadline:
            time.sleep(0.002)
    assert len(drawn(stream)) >= 3
    assert stream.getvalue().endswith("\r\x1b[K")


@pytest.mark.parametrize(
    ("environ", "quiet", "expected"),
    [
        ({}, False, True),
        ({}, True, False),
        ({"CI": "true"}, False, False),
        ({"GITHUB_ACTIONS": "true"}, False, False),
        ({"TERM": "dumb"}, False, False),
        ({"CI": ""}, False, True),
    ],
)
def test_who_wants_it(environ: dict[str, str], quiet: bool, expected: bool) -> None:
    assert wanted(Terminal(), environ, quiet=quiet) is expected
    assert wanted(io.StringIO(), environ, quiet=quiet) is False


@given(st.lists(st.tuples(st.text(st.characters()), st.floats(0, 0.5)), max_size=30))
def test_any_steps_stay_on_one_line_and_apart_in_time(steps: list[tuple[str, float]]) -> None:
    stream, clock = Terminal(), Clock()
    with Progress(stream, enabled=True, clock=clock, threaded=False) as progress:
        for words, pause in steps:
            clock.now += pause
            progress.step(words)
    lines = drawn(stream)
    assert all(len(line) <= 79 and not re.search(r"[\x00-\x1f]", line) for line in lines)
    assert len(lines) <= max(0.0, clock.now - 101) / 0.1 + 2
    assert not lines or lines[-1] == ""
