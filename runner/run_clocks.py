"""How long executions waited, took to start and ran: percentiles of what their receipts say. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runner.execution import Attempt, Ending

CLOCKS = {"queue": "publish → claim", "start": "claim → start", "run": "start → end"}


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of one clock, in seconds."""

    count: int
    p50: float
    p95: float
    p99: float


def seconds_of(attempt: Attempt, clock: str) -> float | None:
    """One clock of one attempt; None where nobody knows."""
    if clock == "queue":
        return attempt.queue_seconds
    return attempt.start_seconds if clock == "start" else attempt.run_seconds


def percentiles(values: Sequence[float]) -> Percentiles | None:
    """By nearest rank; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)

    def rank(share: float) -> float:
        return ordered[max(0, -(-int(share * 100) * len(ordered) // 100) - 1)]

    return Percentiles(len(ordered), rank(0.5), rank(0.95), rank(0.99))


def clocks(endings: Iterable[Ending]) -> dict[str, Percentiles]:
    """Every clock of the attempts that count, by name; those that nobody read are left out."""
    values: dict[str, list[float]] = {name: [] for name in CLOCKS}
    for ending in endings:
        for name, those in values.items():
            value = seconds_of(ending.last, name)
            if value is not None:
                those.append(value)
    return {name: found for name, those in values.items() if (found := percentiles(those)) is not None}


def told(found: dict[str, Percentiles]) -> str:
    """A line for each clock."""
    return "".join(
        f"  {CLOCKS[name]:<16} p50 {one.p50:.3f} s  p95 {one.p95:.3f} s  p99 {one.p99:.3f} s\n"
        for name, one in found.items()
    )
