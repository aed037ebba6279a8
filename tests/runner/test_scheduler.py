"""What starts next: bounded, in order, fair, and nobody waits for ever."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from runner.scheduler import WARM_SHARE, Scheduler

Item = tuple[str, str, str | None, int]
places = st.tuples(st.sampled_from(["warm", "batch"]), st.sampled_from("abc"), st.sampled_from([None, "p", "q"]))
sizes = st.fixed_dictionaries({"p": st.integers(1, 3)})


def place(item: Item) -> dict[str, str | None]:
    return {"class_": item[0], "tenant": item[1], "pool": item[2]}


def add_all(scheduler: Scheduler, items: Sequence[tuple[str, str, str | None]]) -> list[Item]:
    out = [(*item, number) for item, number in zip(items, count())]
    for item in out:
        scheduler.add(item, **place(item))  # type: ignore[arg-type]
    return out


@given(st.lists(places, max_size=40), st.integers(1, 6), sizes, st.randoms(use_true_random=False))
def test_everything_is_taken_once_in_order_within_bounds(items, slots, pools, random) -> None:  # type: ignore[no-untyped-def]
    scheduler = Scheduler(slots, pools)
    wanted = add_all(scheduler, items)
    running: list[Item] = []
    taken: list[Item] = []
    while True:
        item = scheduler.take()
        if item is None:
            full = len(running) == slots
            left = set(wanted) - set(taken)
            in_pool = Counter(one[2] for one in running)
            stuck = all(one[2] in pools and in_pool[one[2]] >= pools[one[2]] for one in left)
            assert full or stuck, "no slot stays empty that something waiting could have"
            if not running:
                break
            gone = running.pop(random.randrange(len(running)))
            scheduler.ended(**place(gone))  # type: ignore[arg-type]
            continue
        running.append(item)
        taken.append(item)
        assert len(running) <= slots
        assert sum(one[2] == "p" for one in running) <= pools["p"]
    assert Counter(taken) == Counter(wanted)
    lines: dict[object, list[int]] = defaultdict(list)
    for one in taken:
        lines[one[:3]].append(one[3])
    assert all(line == sorted(line) for line in lines.values())


@given(st.lists(st.sampled_from("abc"), min_size=3, max_size=60), st.integers(1, 9))
def test_tenants_that_wait_share_the_slots(tenants: list[str], slots: int) -> None:
    scheduler = Scheduler(slots)
    add_all(scheduler, [("batch", tenant, None) for tenant in tenants])
    waiting, running = Counter(tenants), Counter[str]()
    while (item := scheduler.take()) is not None:
        others = [running[tenant] for tenant, number in waiting.items() if number and tenant != item[1]]
        assert all(running[item[1]] <= other for other in others)
        waiting[item[1]] -= 1
        running[item[1]] += 1


@given(st.integers(1, 5), st.integers(1, 300))
def test_batch_waits_for_a_bounded_number_of_warm_ones(slots: int, warm: int) -> None:
    scheduler = Scheduler(slots)
    add_all(scheduler, [("warm", "a", None)] * warm + [("batch", "b", None)])
    before = 0
    while (item := scheduler.take())[0] == "warm":  # type: ignore[index]
        before += 1
        scheduler.ended(**place(item))  # type: ignore[arg-type]
    assert before <= WARM_SHARE + 1


def test_one_tenants_flood_does_not_hold_up_another() -> None:
    scheduler = Scheduler(4)
    add_all(scheduler, [("batch", "flood", None)] * 1000 + [("batch", "small", None)] * 2)
    assert [scheduler.take()[1] for _ in range(4)] == ["flood", "small", "flood", "small"]  # type: ignore[index]


def test_a_class_that_was_away_has_saved_up_nothing() -> None:
    scheduler = Scheduler(1)
    add_all(scheduler, [("warm", "a", None)] * 500)
    for _ in range(400):
        scheduler.ended(**place(scheduler.take()))  # type: ignore[arg-type]
    add_all(scheduler, [("batch", "b", None)] * 100)
    order = []
    for _ in range(10):
        item = scheduler.take()
        assert item is not None
        order.append(item[0])
        scheduler.ended(**place(item))  # type: ignore[arg-type]
    assert order.count("batch") <= 3


@given(st.lists(places, max_size=30), st.integers(1, 64))
def test_upcoming_names_what_waits_and_the_next_is_among_it(items, number) -> None:  # type: ignore[no-untyped-def]
    scheduler = Scheduler(100)
    wanted = add_all(scheduler, items)
    said = list(scheduler.upcoming(number))
    assert set(said) <= set(wanted)
    item = scheduler.take()
    assert item is None or item in said
