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


class Leases:
    """What is claimed and what waits to be.

    Args:
        executions: in the order they came.
        slots, pools: as the driver has them.
        now: seconds that never run backwards.
    """

    def __init__(self, executions: Sequence[Execution], slots: int, pools: Mapping[str, int], now: float) -> None:
        self._slots = slots
        self._pools = pools
        self._began = now
        self._scheduler = Scheduler(slots, pools)
        self._running: dict[str, Execution] = {}
        self._ended: deque[float] = deque()
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
            self._scheduler.ended(class_=one.task.class_, tenant=one.task.tenant, pool=one.task.pool)

    def next(self, now: float) -> list[Execution]:
        """What to claim now, in the order in which it will start; it counts as claimed from now on."""
        lead = min(LONGEST_LEAD, max(LEAD_SECONDS, (now - self._began) / 50))
        while self._ended and self._ended[0] < now - lead:
            self._ended.popleft()
        ahead = max(0, len(self._ended) - self._slots)
        if len(self._running) > self._slots + ahead // 2:
            return []  # half of what was claimed ahead is left
        self._scheduler.slots = self._slots + ahead
        self._scheduler.pools = {pool: size + ahead for pool, size in self._pools.items()}
        found: list[Execution] = []
        while (one := self._scheduler.take()) is not None:
            self._running[one.id] = one
            found.append(one)
        return found
