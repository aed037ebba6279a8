"""Metrics as OpenMetrics text (https://github.com/prometheus/OpenMetrics, 1.0.0), for a scrape or a textfile collector.

Nothing here counts; whoever counted hands plain numbers in. Escaping is the library's.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, NamedTuple

from maestro.errors import ToolFailure

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


def render(
    *,
    sim_ms: Sequence[float] | None = None,
    decisions: Mapping[DecisionLabels, int] | None = None,
    disagreements: Mapping[str, int] | None = None,
) -> str:
    """OpenMetrics text.

    Args:
        sim_ms: how long each decision took, in milliseconds; None leaves the family out.
        decisions: how many there were of each kind; None leaves the family out.
        disagreements: how many decisions about one thing differed between check, merge and execution, by pack; None
            leaves the family out.
    """
    from prometheus_client.openmetrics.exposition import generate_latest
    from prometheus_client.registry import Collector, CollectorRegistry

    class Plain(Collector):
        def collect(self) -> Iterator[Metric]:
            if sim_ms is not None:
                yield _histogram(sim_ms)
            if decisions is not None:
                yield _decisions(decisions)
            if disagreements is not None:
                yield _disagreements(disagreements)

    registry = CollectorRegistry()
    registry.register(Plain())
    text: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]
    return text.decode("utf-8")


def _histogram(values: Sequence[float]) -> Metric:
    from prometheus_client.core import HistogramMetricFamily

    counts = [0] * (len(BUCKETS_MS) + 1)
    for value in values:
        counts[bisect_left(BUCKETS_MS, value)] += 1
    bounds = [*(str(bound) for bound in BUCKETS_MS), "+Inf"]
    buckets = [(bound, float(sum(counts[: at + 1]))) for at, bound in enumerate(bounds)]
    return HistogramMetricFamily(
        "mc_policy_sim_ms", "Milliseconds that a policy decision took.", buckets=buckets, sum_value=sum(values)
    )


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
    return {
        name: name.encode("utf-8", "backslashreplace").decode("utf-8") if at < MOST_PACKS else OTHER
        for at, name in enumerate(sorted(set(packs)))
    }


def write(path: Path, text: str) -> None:
    """Put ``text`` at ``path`` in one step, readable for a collector of another user: it sees the old or the new file.

    Raises:
        ToolFailure: the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{token_hex(4)}.tmp")  # a collector reads what ends in .prom
    try:
        try:
            with temporary.open("x", encoding="utf-8") as file:
                file.write(text)
            os.replace(temporary, path)  # noqa: PTH105
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise ToolFailure(f"the metrics could not be written: {error.strerror}", where=str(path)) from error
