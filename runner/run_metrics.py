"""Counts a run for ``maestro.metrics``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from maestro.metrics import RunNumbers
from runner.execution import Ending, Execution
from runner.receipt import CLOUD_OF_DRIVER
from runner.run_clocks import seconds_of
from runner.session import Planned


def numbers(
    driver: str, planned: Sequence[Planned], endings: Sequence[tuple[Execution, Ending]], slots: int
) -> RunNumbers:
    """What is counted.

    Args:
        driver: what executed.
        planned: for where policy placed it.
        endings: of this dispatch.
        slots: how many could run at once.
    """
    places = {
        one.task.subject: (one.placement.cloud, one.placement.region)
        if one.placement
        else (CLOUD_OF_DRIVER[driver], "none")
        for one in planned
    }
    lasts = [ending.last for _, ending in endings]
    queue = [seconds_of(last, "queue") for last in lasts]
    start = [seconds_of(last, "start") for last in lasts]
    both = zip(queue, start, strict=True)
    return RunNumbers(
        placements=Counter(places[execution.task.subject] for execution, _ in endings),
        outcomes=Counter(str(last.outcome) for last in lasts),
        failures=Counter(_reason(ending) for _, ending in endings if ending.last.outcome != "succeeded"),
        queue=[seconds for seconds in queue if seconds is not None],
        start=[seconds for seconds in start if seconds is not None],
        publish_to_start=[waited + took for waited, took in both if waited is not None and took is not None],
        slots=slots,
    )


def _reason(ending: Ending) -> str:
    """Few different words: texts would make a series each."""
    last = ending.last
    if last.outcome == "failed":
        return f"exit_{last.exit_code}" if last.exit_code is not None else f"signal_{last.signal}"
    return last.outcome
