"""Which executions to claim next: those that fill the slots, and a little more than ends until the next claim. Pure.

A claim costs a write to a store elsewhere. Claiming one by one would have the slots wait for it; claiming all at once
would leave, after a crash, thousands of which nobody knows whether they ran.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from runner.execution import Execution
from runner.scheduler import Scheduler

LEAD_SECONDS, LONGEST_LEAD = 2.0, 10.0
"""Where slots change hands more than once within this time, what they will need in it is claimed ahead: a 50th of how
long it has gone on, within these."""
MOST_GROWTH = 2
"""Times as many as the last time: a few short ones may come before long ones, and what is claimed ahead is unknown
after a crash."""
HEARD_SECONDS = 0.05
"""Until slots have heard of a lease, and their endings have been read."""


class Leases:
    """What is claimed and what waits to be.

    Args:
        executions: in the order they came.
        slots, pools: as the driver has them.
        now: seconds that never run backwards, as everywhere here.
    """

    def __init__(self, executions: Sequence[Execution], slots: int, pools: Mapping[str, int], now: float) -> None:
        self._slots = slots
        self._pools = pools
        self._began = now
        self._scheduler = Scheduler(slots, pools)
        self._running: dict[str, Execution] = {}
        self._ended: deque[float] = deque()
        self._ended_since = 0
        self._asked = 0
        self._asked_at = self._claimed_at = now
        for one in executions:
            self._scheduler.add(one, class_=one.task.class_, tenant=one.task.tenant, pool=one.task.pool)

    @property
    def all_claimed(self) -> bool:
        """Whether nothing waits any more."""
        return not self._scheduler.waiting

    def ended(self, execution_id: str, now: float) -> None:
        """An attempt has ended; of a second one the place is taken back already."""
        one = self._running.pop(execution_id, None)
        if one is not None:
            self._ended.append(now)
            self._ended_since += 1
            self._scheduler.ended(class_=one.task.class_, tenant=one.task.tenant, pool=one.task.pool)

    def claimed(self, now: float) -> None:
        """What ``next`` said last is claimed, and may start from now on."""
        self._claimed_at = now
        self._ended_since = 0

    def next(self, now: float) -> list[Execution]:
        """What to claim now, in the order in which it will start; it counts as claimed from now on."""
        lead = min(LONGEST_LEAD, max(LEAD_SECONDS, (now - self._began) / 50))
        if self._running and now < self._claimed_at + min(lead, self._claimed_at - self._asked_at):
            return []  # for as long as the last claim took: one by one, all time would go into claims
        while self._ended and self._ended[0] < now - lead:
            self._ended.popleft()
        ahead = max(0, len(self._ended) - self._slots)
        if len(self._running) > self._slots + ahead // 2:
            return []  # half of what was claimed ahead is left
        if len(self._running) < self._slots <= self._ended_since:
            # Slots wait for this claim, so what has ended lately says little: how fast did the last lease end?
            seconds = max(HEARD_SECONDS, self._ended[-1] - self._claimed_at) if self._ended else lead
            fast = int(self._ended_since / seconds * lead) - self._slots
            ahead = max(ahead, min(fast, MOST_GROWTH * self._asked))
        self._scheduler.slots = self._slots + ahead
        self._scheduler.pools = {pool: size + ahead for pool, size in self._pools.items()}
        found: list[Execution] = []
        while (one := self._scheduler.take()) is not None:
            self._running[one.id] = one
            found.append(one)
        if found:
            self._asked_at, self._asked = now, len(found)
        return found
