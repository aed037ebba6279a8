"""Work shared among copies of the process: the same answers, whatever becomes of a copy."""

from __future__ import annotations

import marshal
import os
import signal
import sys
import threading
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maestro import shares
from maestro.shares import shared

HERE = os.getpid()
ITEMS = list(range(10))


@pytest.fixture(autouse=True)
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three share, however little there is to do: of ten items four, four and two."""
    monkeypatch.setattr(shares, "cores", lambda: 3)
    monkeypatch.setattr(shares, "WORTH_IT", 1)


def _nobody_is_left() -> bool:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return True
    return False


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    items=st.lists(st.one_of(st.none(), st.integers(), st.text(), st.binary(), st.floats(allow_nan=False)), max_size=9)
)
def test_the_answers_are_those_of_doing_it_alone(items: list[object]) -> None:
    assert shared(lambda item: ({"is": item}, [item]), items) == [({"is": item}, [item]) for item in items]


def test_others_do_most_of_it() -> None:
    assert [pid == HERE for pid in shared(lambda _item: os.getpid(), ITEMS)] == [True] * 4 + [False] * 6
    assert len(set(shared(lambda _item: os.getpid(), ITEMS))) == 3
    assert _nobody_is_left()


def test_an_answer_larger_than_the_pipe_holds() -> None:
    assert shared(lambda item: bytes([item]) * 300_000, ITEMS) == [bytes([item]) * 300_000 for item in ITEMS]


def _killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _ends() -> None:
    os._exit(0)


def _raises() -> None:
    raise RuntimeError("only in a copy")


def _leaves() -> None:
    sys.exit(0)


@pytest.mark.parametrize("dies", [_killed, _ends, _raises, _leaves])
@pytest.mark.parametrize("at", [4, 6, 9])
def test_what_a_dying_copy_leaves_is_done_here(dies: Callable[[], None], at: int) -> None:
    def work(item: int) -> tuple[int, bool]:
        if item == at and os.getpid() != HERE:
            dies()
        return item, os.getpid() == HERE

    answers = shared(work, ITEMS)
    assert [item for item, _ in answers] == ITEMS
    assert all(here for item, here in answers if item // 4 == at // 4)
    assert _nobody_is_left()


@pytest.mark.parametrize("kept", [0, 1, 20, -1])
def test_an_answer_cut_short_is_none(monkeypatch: pytest.MonkeyPatch, kept: int) -> None:
    whole = marshal.dumps
    monkeypatch.setattr(marshal, "dumps", lambda value: whole(value)[:kept])
    assert shared(lambda item: (item, os.getpid() == HERE), ITEMS) == [(item, True) for item in ITEMS]


def test_too_few_answers_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = marshal.dumps
    monkeypatch.setattr(marshal, "dumps", lambda value: whole(value[:-1]))
    assert shared(lambda item: (item, os.getpid() == HERE), ITEMS) == [(item, True) for item in ITEMS]


def test_answers_that_no_pipe_can_carry_are_made_here() -> None:
    assert [type(one) for one in shared(lambda _item: object(), ITEMS)] == [object] * len(ITEMS)


@pytest.mark.parametrize("bad", [0, 5, 9])
def test_what_cannot_be_done_raises(bad: int) -> None:
    def work(item: int) -> int:
        if item == bad:
            raise ValueError(f"bad {item}")
        return item

    with pytest.raises(ValueError, match=f"bad {bad}"):
        shared(work, ITEMS)
    assert _nobody_is_left()


def test_copies_that_hang_are_gone_when_the_original_gives_up() -> None:
    def work(item: int) -> int:
        if os.getpid() != HERE:
            signal.pause()
        raise KeyboardInterrupt if item else InterruptedError

    with pytest.raises(InterruptedError):
        shared(work, ITEMS)
    assert _nobody_is_left()


def test_a_copy_is_not_made_of_a_process_with_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    until = threading.Event()
    thread = threading.Thread(target=until.wait)
    thread.start()
    try:
        assert shares.cores() == 1
    finally:
        until.set()
        thread.join()


def test_nor_where_only_one_core_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert shares.cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)


def test_little_work_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "WORTH_IT", 6)
    assert set(shared(lambda _item: os.getpid(), ITEMS)) == {HERE}
    assert shared(lambda _item: 1, []) == []
