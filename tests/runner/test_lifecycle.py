"""The life of an execution, against every interleaving of crash, time-out, duplicate and late answer."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from functools import cache

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from runner.execution import Outcome
from runner.lifecycle import Event, Life

ENDS: tuple[Outcome, ...] = ("succeeded", "failed", "timed_out")


@dataclass(frozen=True)
class World:
    """What is really so: watchers that run attempts, and answers under way to whoever keeps the books."""

    life: Life
    held: frozenset[int] = frozenset()
    """Attempts that were claimed: each has its log."""
    running: frozenset[int] = frozenset()
    starts: int = 0
    crashes: int = 0
    under_way: tuple[Event, ...] = ()
    """Not delivered yet, in any order; each may come twice."""
    truth: frozenset[tuple[int, Outcome]] = frozenset()
    receipt: tuple[Outcome, ...] | None = None


def moves(world: World, crashes: int) -> dict[str, World]:
    """Everything that can happen next, by name."""
    out: dict[str, World] = {}
    life = world.life

    def sent(*events: Event) -> tuple[Event, ...]:
        return tuple(sorted({*world.under_way, *events}, key=repr))

    for attempt in range(1, life.attempts + 1):
        if life.phase == "published" and attempt == life.number and attempt not in world.held:
            claimed = replace(world, held=world.held | {attempt}, running=world.running | {attempt})
            told = sent(Event("claim", attempt), Event("start", attempt))
            out[f"claim {attempt}"] = replace(claimed, starts=world.starts + 1, under_way=told)
    for attempt in world.running:
        still = world.running - {attempt}
        for outcome in ENDS:
            told, truth = sent(Event("end", attempt, outcome)), world.truth | {(attempt, outcome)}
            out[f"end {attempt} {outcome}"] = replace(world, running=still, under_way=told, truth=truth)
        if world.crashes < crashes:  # the watcher dies; what it watched is waited for, and nobody saw how it ended
            told = sent(Event("end", attempt, "unknown"))
            out[f"crash {attempt}"] = replace(world, running=still, under_way=told, crashes=world.crashes + 1)
    for event in world.under_way:
        rest = tuple(one for one in world.under_way if one != event)
        out[f"deliver {event}"] = replace(world, life=life.after(event), under_way=rest)
        if life.after(event) != life:  # delivered, and under way still: it will come again, late
            out[f"duplicate {event}"] = replace(world, life=life.after(event))
        if event.outcome is not None and event.outcome != "unknown" and world.crashes < crashes:
            late = life.after(Event("end", event.attempt, "unknown"))  # given up, and then the answer comes after all
            out[f"give up {event}"] = replace(world, life=late, crashes=world.crashes + 1)
    if life.phase == "ended" and world.receipt is None:
        out["receipt"] = replace(world, life=life.after(Event("receipt")), receipt=life.outcomes)
    return out


def check(world: World) -> None:
    life = world.life
    assert world.starts <= (life.attempts if life.idempotent else 1)
    assert len(world.running) <= 1
    assert len(life.outcomes) <= life.attempts
    for number, outcome in enumerate(life.outcomes, 1):
        assert outcome == "unknown" or (number, outcome) in world.truth, "an outcome is never guessed"
    if world.receipt is not None:
        assert (life.phase, life.outcomes) == ("receipted", world.receipt), "a receipt never changes"


@pytest.mark.parametrize(
    ("life", "crashes"), [(Life(), 1), (Life(2, idempotent=True), 2), (Life(3, idempotent=True), 0)]
)
def test_every_history_of_one_execution(life: Life, crashes: int) -> None:
    first = World(life)
    seen, queue = {first}, deque([first])
    while queue:
        world = queue.popleft()
        check(world)
        following = moves(world, crashes)
        if not following:
            assert world.receipt is not None, "nothing is lost: whatever happened, it ends with a receipt"
        for one in following.values():
            if one not in seen:
                seen.add(one)
                queue.append(one)

    @cache
    def histories(world: World, length: int) -> int:
        if not length:
            return 1
        return sum(histories(one, length - 1) for one in moves(world, crashes).values()) or 1

    count = histories(first, 14)
    print(f"{life.attempts} attempt(s), {crashes} crash(es): {len(seen):,} states, {count:,} histories of 14 steps")
    assert count > 1000


class Interleavings(RuleBasedStateMachine):
    """Longer histories, more attempts and crashes than can be counted out."""

    @initialize(attempts=st.integers(1, 6), idempotent=st.booleans())
    def begin(self, attempts: int, idempotent: bool) -> None:
        self.world = World(Life(attempts if idempotent else 1, idempotent))

    @rule(data=st.data())
    def move(self, data: st.DataObject) -> None:
        following = moves(self.world, crashes=6)
        if following:
            self.world = following[data.draw(st.sampled_from(sorted(following)))]

    @invariant()
    def holds(self) -> None:
        check(self.world)


Interleavings.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
test_interleavings = Interleavings.TestCase


def test_an_ending_without_an_outcome_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="outcome"):
        Life().after(Event("end"))
