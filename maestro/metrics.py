"""Metrics as OpenMetrics text (https://github.com/prometheus/OpenMetrics, 1.0.0), for a scrape or a textfile collector.

Nothing here counts; whoever counted hands plain numbers in. Escaping is the library's.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from prometheus_client.core import Metric

BUCKETS_MS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0)
"""Upper bounds in milliseconds, inclusive; what takes longer is in ``+Inf`` alone."""
MOST_PACKS = 100
"""Packs with a series of their own: names come from repositories, and each would cost whoever stores the metrics."""
OTHER = "other"
"""The label of all further packs together."""


class DecisionLabels(NamedTuple):
    """What decisions are counted by. ``outcome``: error, deny, warn, shadow (the strictest that spoke) or allow."""

    pack: str
    mode: str
    outcome: str


BUCKETS_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 0.9, 1.0, 2.0, 3.8, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper bounds of what a run's clocks say; 0.9 and 3.8 are what is promised."""


@dataclass(frozen=True)
class RunNumbers:
    """What a run executed. Clocks are in seconds, of the attempts that count.

    Args:
        placements: executions by (cloud, region).
        outcomes: executions by how they ended.
        failures: what did not succeed, by reason; few different words.
        queue: publish → claim.
        start: claim → start.
        publish_to_start: both together.
        slots: how many could run at once.
    """

    placements: Mapping[tuple[str, str], int]
    outcomes: Mapping[str, int]
    failures: Mapping[str, int]
    queue: Sequence[float]
    start: Sequence[float]
    publish_to_start: Sequence[float]
    slots: int


def render(
    *,
    sim_ms: Sequence[float] | None = None,
    decisions: Mapping[DecisionLabels, int] | None = None,
    disagreements: Mapping[str, int] | None = None,
    run: RunNumbers | None = None,
) -> str:
    """OpenMetrics text.

    Args:
        sim_ms: how long each decision took, in milliseconds; None leaves the family out.
        decisions: how many there were of each kind; None leaves the family out.
        disagreements: how many decisions about one thing differed between check, merge and execution, by pack; None
            leaves the family out.
        run: what a run executed; None leaves its families out.
    """
    from prometheus_client.openmetrics.exposition import generate_latest
    from prometheus_client.registry import Collector, CollectorRegistry

    class Plain(Collector):
        def collect(self) -> Iterator[Metric]:
            if sim_ms is not None:
                yield _histogram("mc_policy_sim_ms", "Milliseconds that a policy decision took.", BUCKETS_MS, sim_ms)
            if decisions is not None:
                yield _decisions(decisions)
            if disagreements is not None:
                yield _disagreements(disagreements)
            if run is not None:
                yield from _run(run)

    registry = CollectorRegistry()
    registry.register(Plain())
    text: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]
    return text.decode("utf-8")


def _histogram(name: str, help_: str, bounds: Sequence[float], values: Sequence[float]) -> Metric:
    from prometheus_client.core import HistogramMetricFamily

    counts = [0] * (len(bounds) + 1)
    for value in values:
        counts[bisect_left(bounds, value)] += 1
    names = [*(str(bound) for bound in bounds), "+Inf"]
    buckets = [(bound, float(sum(counts[: at + 1]))) for at, bound in enumerate(names)]
    return HistogramMetricFamily(name, help_, buckets=buckets, sum_value=sum(values))


def _run(run: RunNumbers) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    placements = CounterMetricFamily("mc_cloud_placements", "Executions by place.", labels=["cloud", "region"])
    for place, count in sorted(run.placements.items()):
        placements.add_metric([_label(word) for word in place], count)
    yield placements
    for name, help_, label, counts in (
        ("mc_executions", "Executions by outcome.", "outcome", run.outcomes),
        ("mc_failures", "Executions that did not succeed, by reason.", "reason", run.failures),
    ):
        family = CounterMetricFamily(name, help_, labels=[label])
        for word, count in sorted(counts.items()):
            family.add_metric([_label(word)], count)
        yield family
    for name, help_, values in (
        ("mc_queue_seconds", "Seconds from publish to claim.", run.queue),
        ("mc_start_seconds", "Seconds from claim to start.", run.start),
        ("mc_publish_to_start_seconds", "Seconds from publish to start.", run.publish_to_start),
    ):
        yield _histogram(name, help_, BUCKETS_SECONDS, values)
    yield GaugeMetricFamily("mc_slots", "Executions that may run at once.", value=run.slots)


def _decisions(counts: Mapping[DecisionLabels, int]) -> Metric:
    from prometheus_client.core import CounterMetricFamily

    family = CounterMetricFamily(
        "mc_policy_decisions", "Policy decisions by pack, mode and outcome.", labels=DecisionLabels._fields
    )
    names = _bounded(labels.pack for labels in counts)
    summed: dict[DecisionLabels, int] = {}
    for labels, count in counts.items():
        key = labels._replace(pack=names[labels.pack])
        summed[key] = summed.get(key, 0) + count
    for labels, count in sorted(summed.items()):
        family.add_metric(list(labels), count)
    return family


def _disagreements(counts: Mapping[str, int]) -> Metric:
    from prometheus_client.core import CounterMetricFamily

    family = CounterMetricFamily(
        "mc_policy_disagreements",
        "Decisions about one thing that differ between check, merge and execution.",
        labels=["pack"],
    )
    names = _bounded(counts)
    summed: dict[str, int] = {}
    for pack, count in counts.items():
        summed[names[pack]] = summed.get(names[pack], 0) + count
    for pack, count in sorted(summed.items()):
        family.add_metric([pack], count)
    return family


def _bounded(packs: Iterable[str]) -> dict[str, str]:
    """Each pack's label: its name, which may hold what UTF-8 cannot, or ``other`` beyond the limit."""
    return {name: _label(name) if at < MOST_PACKS else OTHER for at, name in enumerate(sorted(set(packs)))}


def _label(word: str) -> str:
    """As UTF-8 can hold it."""
    return word.encode("utf-8", "backslashreplace").decode("utf-8")
