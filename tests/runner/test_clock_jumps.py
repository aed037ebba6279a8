"""A wall clock that jumps while a run is dispatched: what is signed is believed, or it is not signed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

from maestro.errors import MaestroError, ToolFailure
from maestro.evidence.trust import trust_of
from maestro.ledger.folder import FolderStore
from maestro.ledger.log import Log
from maestro.ledger.log_check import LogReport, check_log
from runner.dispatch import Dispatcher
from runner.ledger_check import RunReport, check_run
from runner.logged import append_segments
from tests.maestro.evidence import keys
from tests.runner.plans import NOW, facts, folder, local, planned

LASTS = dt.timedelta(days=10)
TRUST = trust_of([keys.row(valid_from=NOW - LASTS, valid_until=NOW + LASTS)])
YEAR, DAYS = dt.timedelta(days=365), dt.timedelta(days=3)
SESSION, RECEIPT, SEGMENT, ENTRY = 2, 3, 5, 7
"""Which reading of the clock dates what, in a run of two."""


def jumping(at: int, by: dt.timedelta, *, back: bool) -> Callable[[], dt.datetime]:
    """A clock that jumps at one reading, and back again at the next or never."""
    readings = 0

    def now() -> dt.datetime:
        nonlocal readings
        readings += 1
        return NOW + by if readings == at or (readings > at and not back) else NOW

    return now


def go(path: Path, now: Callable[[], dt.datetime]) -> None:
    """As ``maestro run`` does it."""
    dispatcher = Dispatcher(folder(path), keys.signer(), TRUST, now)
    dispatcher.dispatch(facts(), [planned(f"echo x >> {path}/$MAESTRO_ARRAY_INDEX", size=2)], local(path))
    store = FolderStore(path / "ledger")
    append_segments(folder(path), store, elsewhere=False, signer=keys.signer(), trust=TRUST, now=now, origin=None)


def found(path: Path) -> tuple[RunReport, LogReport]:
    return check_run(folder(path), TRUST, lambda _run: False), check_log(
        Log(FolderStore(path / "ledger")), TRUST, None, None
    )


@pytest.mark.parametrize("at", [SESSION, RECEIPT, SEGMENT, ENTRY])
@pytest.mark.parametrize(
    ("by", "back"), [(-YEAR, True), (YEAR, False), (-DAYS, True)], ids=["-year-and-back", "+year", "-3days-and-back"]
)
def test_a_clock_that_jumps_leaves_a_ledger_that_holds(tmp_path: Path, at: int, by: dt.timedelta, back: bool) -> None:
    try:
        go(tmp_path, jumping(at, by, back=back))
    except MaestroError as error:
        assert abs(by) > LASTS, "within its time the key counts"
        assert "valid" in error.message
        go(tmp_path, lambda: NOW)
    run, log = found(tmp_path)
    assert (run.objections, log.flaws, run.outcomes) == ([], [], {"succeeded": 2})
    assert len({one.identity for one in log.entries}) == len(log.entries) == 1
    assert [(tmp_path / str(index)).read_text() for index in range(2)] == ["x\n", "x\n"]


def test_a_run_that_outlives_its_key_is_completed_with_the_next(tmp_path: Path) -> None:
    with pytest.raises(ToolFailure, match="ledger cannot be completed now: the key 'release' was valid until") as error:
        go(tmp_path, jumping(RECEIPT, YEAR, back=False))
    assert error.value.remedy is not None
    both = trust_of([keys.row(valid_until=NOW + LASTS), keys.row("next", valid_from=NOW)])
    later = NOW + YEAR
    dispatcher = Dispatcher(folder(tmp_path), keys.signer("next"), both, lambda: later)
    plan = planned(f"echo x >> {tmp_path}/$MAESTRO_ARRAY_INDEX", size=2)
    dispatcher.dispatch(facts(), [plan], local(tmp_path))
    report = check_run(folder(tmp_path), both, lambda _run: False)
    assert (report.objections, report.outcomes) == ([], {"succeeded": 2})


def test_what_is_entered_while_the_clock_is_behind_is_entered_once(tmp_path: Path) -> None:
    go(tmp_path, jumping(SEGMENT, DAYS, back=True))  # the segment is dated three days ahead of its entry
    go(tmp_path, lambda: NOW + 2 * DAYS)
    assert len(found(tmp_path)[1].entries) == 1
