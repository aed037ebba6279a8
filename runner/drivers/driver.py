"""What an engine that executes must offer. ``tests/runner/drivers/contract.py`` is the contract, executable."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Protocol

from policy.placement import Placement
from runner.execution import Claimed, Ending, Execution, Log

Claim = Callable[[Sequence[Execution]], None]
NOTHING_LOST: Mapping[str, Sequence[Claimed]] = {}


class Driver(Protocol):
    """Provision / Execute / CollectLogs, for one engine and one run.

    ``execute`` takes many at once: clouds start arrays, not single tasks.
    """

    @property
    def name(self) -> str:
        """``local``, ``aws`` or ``gcp``."""

    def provision(self, placement: Placement | None, executions: Sequence[Execution]) -> None:
        """See to it that these could start: programs, secrets, capacity. Starts nothing, is free to be called again.

        Raises:
            UsageError: something is missing that no retry will bring, a secret for instance.
            ToolFailure: the engine cannot be reached.
        """

    def execute(
        self,
        executions: Sequence[Execution],
        *,
        session: int,
        start_nothing_of: Set[str] = frozenset(),
        claim: Claim | None = None,
        lost: Mapping[str, Sequence[Claimed]] = NOTHING_LOST,
    ) -> Iterator[Ending]:
        """Run each execution at most once, and yield each one's ending exactly once, in any order.

        Called again for the same run it yields what is known, waits for what still runs, starts what never started,
        and says ``unknown`` of what may have run without a trace of its end; only where it is idempotent it runs
        again then, and after a failure while attempts remain. Whoever stops iterating lets what runs come to its end
        but starts nothing more.

        Args:
            executions: all those of the run.
            session: the number of the dispatch that starts them; comes back in each attempt.
            start_nothing_of: ids of executions that may not start (any more): what became of those that had started
                before is told all the same, of the others nothing.
            claim: called with executions, many at once but not much before their turn, before any of them may start;
                what it raises comes out of here, and they do not start. None: nobody else could start them.
            lost: by execution, who claimed it elsewhere and left nothing: an attempt each, of unknown outcome.

        Raises:
            ToolFailure: the engine broke down; what is missing can be had by calling again.
        """

    def cancel(self) -> None:
        """Start nothing more and end what runs; the iteration goes on with what that leads to. Signal-safe."""

    def drain(self) -> None:
        """Start nothing more and let what runs end, for a while; then the iteration ends. Signal-safe.

        What still runs then is handed over: whoever watches it stays until it has ended and keeps how it did, so that
        calling ``execute`` again tells it. Calling this twice changes nothing.
        """

    def collect_logs(self, execution_id: str) -> tuple[Log, ...]:
        """The logs of an ended execution, one per attempt, in order.

        Raises:
            ToolFailure: a log cannot be read.
        """
