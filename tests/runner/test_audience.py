"""Who follows a run is told in the way that fits, and cannot stop it by going away."""

from __future__ import annotations

import io

import pytest

from runner.audience import LINE_SECONDS, Lines, Watched, audience
from runner.execution import Attempt, Ending, Task, executions_of
from runner.live_screen import LiveScreen
from runner.live_table import RunTable
from tests.support.terminals import Gone, Terminal

EXECUTIONS = executions_of("run", Task("Manifest/a", ("true",)), 3)


def ending(number: int) -> Ending:
    return Ending(EXECUTIONS[number].id, (Attempt(1, 1, "succeeded", "", None, None, None, None),))


def test_a_log_gets_a_line_now_and_then() -> None:
    stream, now = io.StringIO(), [0.0]
    with Lines(stream, 3, clock=lambda: now[0]) as lines:
        lines.had(EXECUTIONS[0], "succeeded")
        lines.ended(EXECUTIONS[1], ending(1))
        now[0] = LINE_SECONDS
        lines.ended(EXECUTIONS[2], ending(2))
        lines.say("said")
    assert stream.getvalue() == "  3 of 3 executions have ended\nsaid\n"


@pytest.mark.parametrize(
    ("stream", "environ", "kind"),
    [
        (Terminal(), {"TERM": "xterm"}, Watched),
        (Terminal(), {"TERM": "dumb"}, Lines),
        (Terminal(), {"TERM": "xterm", "CI": "1"}, Lines),
        (io.StringIO(), {"TERM": "xterm"}, Lines),
    ],
)
def test_a_table_is_for_terminals(stream: io.StringIO, environ: dict[str, str], kind: type) -> None:
    assert isinstance(audience(stream, environ, EXECUTIONS, 2), kind)


def test_what_is_over_at_once_draws_nothing() -> None:
    stream = Terminal()
    with audience(stream, {"TERM": "xterm"}, EXECUTIONS, 2) as screen:
        screen.ended(EXECUTIONS[0], ending(0))
    assert stream.getvalue() == ""


def test_a_terminal_that_goes_away_stops_nothing() -> None:
    with LiveScreen(RunTable(EXECUTIONS, 2), Gone(), {"TERM": "xterm"}, patience=0.0) as screen:
        screen.say("to nobody")
