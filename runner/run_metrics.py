"""A run as OpenMetrics text, for whoever scrapes or pushes files."""

from __future__ import annotations

from collections.abc import Sequence

from runner.execution import Ending, Execution
from runner.receipt import CLOUD_OF_DRIVER
from runner.run_clocks import seconds_of
from runner.session import Planned

BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 0.9, 1.0, 2.0, 3.8, 5.0, 10.0, 30.0, 60.0, 300.0)


def metrics(driver: str, planned: Sequence[Planned], endings: Sequence[tuple[Execution, Ending]], slots: int) -> bytes:
    """The exposition.

    Args:
        driver: what executed.
        planned: for where policy placed it.
        endings: of this dispatch.
        slots: how many could run at once.
    """
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
    from prometheus_client.openmetrics.exposition import generate_latest

    registry = CollectorRegistry()
    placements = Counter("mc_cloud_placements", "Executions by place", ["cloud", "region"], registry=registry)
    ended = Counter("mc_executions", "Executions by outcome", ["outcome"], registry=registry)
    failures = Counter("mc_failures", "What did not succeed, by reason", ["reason"], registry=registry)
    queue = Histogram("mc_queue_seconds", "From publish to claim", registry=registry, buckets=BUCKETS)
    start = Histogram("mc_start_seconds", "From publish to start", registry=registry, buckets=BUCKETS)
    Gauge("mc_slots", "Executions that may run at once", ["driver"], registry=registry).labels(driver).set(slots)
    places = {
        one.task.subject: (one.placement.cloud, one.placement.region)
        if one.placement
        else (CLOUD_OF_DRIVER[driver], "none")
        for one in planned
    }
    for execution, ending in endings:
        last = ending.last
        placements.labels(*places[execution.task.subject]).inc()
        ended.labels(last.outcome).inc()
        if last.outcome != "succeeded":
            failures.labels(_reason(ending)).inc()
        waited, took = seconds_of(last, "queue"), seconds_of(last, "start")
        if waited is not None:
            queue.observe(waited)
            if took is not None:
                start.observe(waited + took)
    text: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]
    return text


def _reason(ending: Ending) -> str:
    """Few different words: texts would make a series each."""
    last = ending.last
    if last.outcome == "failed":
        return f"exit_{last.exit_code}" if last.exit_code is not None else f"signal_{last.signal}"
    return last.outcome
