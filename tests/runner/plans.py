"""Runs for tests: plans, facts and dispatchers without a repository."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path

from maestro.evidence.signer import Signer
from maestro.evidence.trust import trust_of
from policy.placement import Placement
from runner.clock import anchor
from runner.dispatch import Dispatcher
from runner.drivers.driver import NOTHING_LOST, Claim
from runner.drivers.local import LocalDriver
from runner.execution import Claimed, Ending, Execution, Log, Task
from runner.run_folder import RunFolder, run_folder
from runner.session import BreakGlass, Facts, Planned
from tests.maestro.evidence import keys

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
RUN = f"run-{os.getpid()}"
"""Of this process alone: what runs beside it with the same executions would be taken for its own."""
DECISION = {
    "pack": "mc.placement",
    "mode": "enforce",
    "engine": "conftest",
    "allow": True,
    "value": {"allow": True},
    "reasons": [],
    "pack_digest": "sha256:" + "1" * 64,
    "input_digest": "sha256:" + "2" * 64,
    "error": None,
}
HERE = Placement("local", "here", "batch")


def planned(
    script: str = "echo done", *, name: str = "a", size: int | None = None, denied: str | None = None, **task: object
) -> Planned:
    """A manifest that runs a shell script."""
    return Planned(
        task=Task(f"Manifest/{name}", ("sh", "-c", script), **task),  # type: ignore[arg-type]
        path=f"manifests/{name}.yaml",
        digest="sha256:" + "3" * 64,
        size=size,
        placement=None if denied else HERE,
        denied=denied,
        decisions=({**DECISION, "allow": denied is None},),
    )


def facts(*, rehearsal: bool = False, break_glass: BreakGlass | None = None, allowed: bool = True) -> Facts:
    """What holds for a dispatch."""
    return Facts(
        commit="c" * 40,
        tree="d" * 40,
        policy_revision="c" * 40,
        verdict_digest="sha256:" + "4" * 64,
        verdict_allowed=allowed,
        engine="conftest 0.71.1",
        driver="local",
        rehearsal=rehearsal,
        approvals=[],
        break_glass=break_glass,
    )


def folder(path: Path) -> RunFolder:
    """The run's folder below ``path``."""
    return run_folder(path / "ledger", RUN)


def dispatcher(path: Path, *, signer: Signer | None = None, now: dt.datetime = NOW) -> Dispatcher:
    """A dispatcher whose key is trusted."""
    return Dispatcher(folder(path), signer or keys.signer(), trust_of([keys.row()]), lambda: now)


def local(path: Path, **environ: str) -> LocalDriver:
    """A local driver for it."""
    environ = {"PATH": "/usr/bin:/bin", **environ}
    return LocalDriver(folder(path).path, environ, anchor(NOW), slots=2, grace_seconds=0.3, retry_seconds=0.0)


class NoDriver:
    """A driver for what must never be executed."""

    name = "local"

    def provision(self, placement: Placement | None, executions: Sequence[Execution]) -> None:
        raise AssertionError("nothing may be provisioned")

    def execute(
        self,
        executions: Sequence[Execution],
        *,
        session: int,
        start_nothing_of: Set[str] = frozenset(),
        claim: Claim | None = None,
        lost: Mapping[str, Sequence[Claimed]] = NOTHING_LOST,
    ) -> Iterator[Ending]:
        raise AssertionError("nothing may be executed")

    def cancel(self) -> None:
        raise AssertionError

    def drain(self) -> None:
        raise AssertionError

    def collect_logs(self, execution_id: str) -> tuple[Log, ...]:
        raise AssertionError
