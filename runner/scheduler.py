"""Which execution starts next: bounded by slots, by class, fair between tenants, in order for each tenant. Pure.

- At most ``slots`` run at once, and of one pool at most as many as that pool holds.
- Of two classes that wait, ``warm`` is taken ``WARM_SHARE`` times for each time ``batch`` is: first, but never alone.
- Within a class the tenant that has the fewest running comes first; of those, the one served least so far.
- Within a class, a tenant and a pool, first come, first served.

Standard library only, and little of it: the processes that start commands import this and nothing else.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

WARM_SHARE = 4
_SHARES = {"warm": WARM_SHARE, "batch": 1}


class _Line:
    """What waits of one class, tenant and pool, in order."""

    def __init__(self, class_: str, tenant: str, pool: str | None) -> None:
        self.class_ = class_
        self.tenant = tenant
        self.pool = pool
        self.items: list[Any] = []
        self.first = 0

    def __len__(self) -> int:
        return len(self.items) - self.first

    def pop(self) -> Any:  # noqa: ANN401 - whatever was put in
        item = self.items[self.first]
        self.items[self.first] = None
        self.first += 1
        if self.first > 1024 and 2 * self.first > len(self.items):
            del self.items[: self.first]
            self.first = 0
        return item


class Scheduler:
    """The state of the decision.

    Args:
        slots: how many may run at once.
        pools: of a pool's executions at most so many at once; a pool that is not named has no bound of its own.

    Both may be set anew between two calls.
    """

    def __init__(self, slots: int, pools: Mapping[str, int] | None = None) -> None:
        self.slots = slots
        self.running = 0
        self.pools = dict(pools or {})
        self._in_pool: dict[str | None, int] = {}
        self._lines: dict[tuple[str, str, str | None], _Line] = {}
        self._tenant_runs: dict[tuple[str, str], int] = {}
        self._tenant_served: dict[tuple[str, str], int] = {}
        self._class_served: dict[str, int] = {}

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(map(len, self._lines.values()))

    def add(self, item: object, *, class_: str, tenant: str, pool: str | None = None) -> None:
        """Have ``item`` wait."""
        key = (class_, tenant, pool)
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = _Line(*key)
        if not any(other for other in self._lines.values() if other.class_ == class_ and len(other)):
            self._catch_up(class_)
        line.items.append(item)

    def _catch_up(self, class_: str) -> None:
        """A class that had nothing waiting has no claim to the turns it let pass."""
        turns = [self._turn(one.class_) for one in self._lines.values() if len(one) and one.class_ != class_]
        if turns:
            self._class_served[class_] = max(self._class_served.get(class_, 0), int(min(turns) * _share(class_)))

    def _turn(self, class_: str) -> float:
        return self._class_served.get(class_, 0) / _share(class_)

    def take(self) -> Any | None:  # noqa: ANN401 - whatever was put in
        """The next one, which counts as running from now on; None when there is none or no room."""
        if self.running >= self.slots:
            return None
        best = None
        for line in self._lines.values():
            if not len(line) or self._full(line.pool):
                continue
            whose = (line.class_, line.tenant)
            rank = (
                self._turn(line.class_),
                line.class_ != "warm",
                self._tenant_runs.get(whose, 0),
                self._tenant_served.get(whose, 0),
            )
            if best is None or rank < best[0]:
                best = (rank, line)
        if best is None:
            return None
        line = best[1]
        whose = (line.class_, line.tenant)
        self.running += 1
        self._in_pool[line.pool] = self._in_pool.get(line.pool, 0) + 1
        self._tenant_runs[whose] = self._tenant_runs.get(whose, 0) + 1
        self._tenant_served[whose] = self._tenant_served.get(whose, 0) + 1
        self._class_served[line.class_] = self._class_served.get(line.class_, 0) + 1
        return line.pop()

    def _full(self, pool: str | None) -> bool:
        return pool is not None and pool in self.pools and self._in_pool.get(pool, 0) >= self.pools[pool]

    def ended(self, *, class_: str, tenant: str, pool: str | None = None) -> None:
        """One that was taken does not run (any more): its slot is free."""
        self.running -= 1
        self._in_pool[pool] -= 1
        self._tenant_runs[class_, tenant] -= 1

    def upcoming(self, count: int) -> Iterator[Any]:
        """Some ``count`` of those that wait, the ones at the head of every line."""
        lines = [line for line in self._lines.values() if len(line)]
        each = -(-count // len(lines)) if lines else 0
        for line in lines:
            yield from line.items[line.first : line.first + each]


def _share(class_: str) -> int:
    return _SHARES.get(class_, 1)
