"""Claims keep slots full, and go little ahead of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.drivers.local_leases import Leases
from runner.execution import Execution, Task, executions_of


def some(count: int, *pools: str | None) -> list[Execution]:
    """Executions of one manifest for each pool."""
    found: list[Execution] = []
    for number, pool in enumerate(pools or (None,)):
        task = Task(f"Manifest/{number}", ("true",), tenant=str(number % 2), pool=pool)
        found += executions_of("run", task, count)
    return found


def test_at_first_the_slots_are_filled_and_no_more() -> None:
    leases = Leases(some(100), 4, {}, now=0.0)
    assert len(leases.next(0.0)) == 4
    leases.claimed(0.1)
    assert leases.next(0.1) == []
    assert not leases.all_claimed


def test_a_burst_that_has_slots_enough_is_one_claim() -> None:
    leases = Leases(some(10_000), 10_000, {}, now=0.0)
    assert len(leases.next(0.0)) == 10_000
    assert leases.all_claimed


def test_what_ends_slowly_is_claimed_one_by_one() -> None:
    leases = Leases(some(100), 2, {}, now=0.0)
    one, _ = leases.next(0.0)
    leases.claimed(0.1)
    leases.ended(one.id, 3600.0)
    assert len(leases.next(3600.0)) == 1
    assert leases.next(3600.0) == []


def test_slots_that_are_fast_soon_wait_for_no_claim() -> None:
    """Four slots, 400 endings a second, and a store that takes half a second."""
    leases, now, claims, idle = Leases(some(20_000), 4, {}, now=0.0), 0.0, 1, 0
    open_ = leases.next(0.0)
    leases.claimed(0.5)
    asked: list[Execution] = []
    answer = 0.0
    now = 0.5
    while not leases.all_claimed:
        now += 0.0025
        if open_:
            leases.ended(open_.pop(0).id, now)
        else:
            idle += 1
        if asked and now >= answer:
            leases.claimed(now)
            open_, asked = open_ + asked, []
        if not asked and (asked := leases.next(now)):
            answer, claims = now + 0.5, claims + 1
    assert claims < 60
    assert idle * 0.0025 < 4.0


def test_while_a_claim_takes_its_time_there_is_no_other_for_as_long() -> None:
    leases = Leases(some(100), 4, {}, now=0.0)
    those = leases.next(0.0)
    leases.claimed(1.0)
    leases.ended(those[0].id, 1.1)
    assert leases.next(1.1) == []
    for one in those[1:]:
        leases.ended(one.id, 1.2)
    assert len(leases.next(1.2)) > 4, "nothing runs, so at once, and more: they were fast"


def test_one_that_ends_at_once_does_not_make_all_the_others_fast() -> None:
    leases = Leases(some(100), 4, {}, now=0.0)
    those = leases.next(0.0)
    leases.claimed(0.1)
    leases.ended(those[0].id, 0.15)
    assert len(leases.next(1.0)) == 1


@given(
    slots=st.integers(1, 8),
    pools=st.dictionaries(st.sampled_from("ab"), st.integers(1, 4)),
    steps=st.lists(st.tuples(st.floats(0, 5), st.integers(0, 3)), max_size=60),
)
def test_each_is_claimed_once_and_no_pool_goes_far_ahead(
    slots: int, pools: dict[str, int], steps: list[tuple[float, int]]
) -> None:
    leases, now = Leases(some(20, "a", "b", None), slots, pools, now=0.0), 0.0
    claimed: list[Execution] = []
    open_: list[Execution] = []
    ended = 0
    for seconds, endings in [(0.0, 0), *steps]:
        now += seconds
        for _ in range(min(endings, len(open_))):
            one = open_.pop(0)
            leases.ended(one.id, now)
            leases.ended(one.id, now)  # a second attempt of it
            ended += 1
        more = leases.next(now)
        leases.claimed(now)
        claimed, open_ = claimed + more, open_ + more
        assert len(open_) <= slots + 64 * ended
        for pool, size in pools.items():
            assert sum(one.task.pool == pool for one in open_) <= size + 64 * ended
    assert len({one.id for one in claimed}) == len(claimed)
    for _ in range(200):
        now += 100.0
        while open_:
            leases.ended(open_.pop().id, now)
        more = leases.next(now)
        leases.claimed(now)
        claimed, open_ = claimed + more, open_ + more
    assert len(claimed) == 60
    assert leases.all_claimed
