"""Everything that a pack brings to show that it is right, tried: its fixtures, its tests, and what they reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from policy.coverage import Coverage, measure
from policy.engines.conftest_engine import ConftestEngine
from policy.engines.engine import Engine
from policy.engines.proven import program_digest
from policy.fixtures import Fixture, FixtureProblem, Judged, judge, read_fixtures
from policy.pack import Files, Pack
from policy.parity.lock import shipped
from policy.rego_tests import TestRun, only, read_test_modules, run_tests

Outcome = Literal["passed", "failed", "errored"]

OF_THE_PACK = frozenset({"builtin", "conflict", "compile", "timeout"})
"""Errors that the pack, a fixture or a test causes: it fails. Any other means that nobody knows."""


@dataclass(frozen=True)
class PackCheck:
    """What became of a pack. ``tests`` and ``coverage`` are None without a conftest to run them."""

    pack: Pack
    problems: tuple[FixtureProblem, ...]
    judged: tuple[Judged, ...]
    tests: TestRun | None
    has_tests: bool
    coverage: Coverage | None

    @property
    def outcome(self) -> Outcome:
        """``errored``: something could not be tried, so that nothing is known about it."""
        kinds = [one.error_kind for one in self.judged if one.error is not None]
        failed = bool(self.problems) or any(not one.passed for one in self.judged)
        if self.tests is None and self.has_tests:
            return "errored"
        if self.tests is not None:
            kinds += [result.kind for result in self.tests.of("errored")]
            kinds += [self.tests.kind] if self.tests.error is not None else []
            failed = failed or bool(self.tests.of("failed") or self.tests.of("errored") or self.tests.error)
        if any(kind is not None and kind not in OF_THE_PACK for kind in kinds):
            return "errored"
        return "failed" if failed or (self.untested and not self.as_shipped) else "passed"

    @property
    def untested(self) -> bool:
        """Whether there is nothing that could show the pack to be right."""
        return not self.judged and not self.problems and not self.has_tests

    @property
    def as_shipped(self) -> bool:
        """Whether it decides as one that this tool comes with: `maestro init` leaves the fixtures of those with us."""
        entry = shipped().packs.get(self.pack.name)
        return entry is not None and entry.program == program_digest(self.pack.program())


def check_pack(files: Files, pack: Pack, engine: Engine, conftest: ConftestEngine | None) -> PackCheck:
    """Try everything. Never raises for what is in the pack.

    Raises:
        ToolFailure: a test is a link.
    """
    fixtures, problems = read_fixtures(files, pack)
    modules = read_test_modules(files, pack)
    judged = judge(pack, fixtures, engine) if fixtures else []
    if conftest is None:
        return PackCheck(pack, tuple(problems), tuple(judged), None, bool(modules), None)
    tests = run_tests(pack, modules, conftest)
    coverage = _coverage(pack, judged, modules, tests, conftest)
    return PackCheck(pack, tuple(problems), tuple(judged), tests, bool(modules), coverage)


def coverage_of(files: Files, pack: Pack, engine: ConftestEngine) -> Coverage:
    """What the fixtures of a pack reach, as far as they can be judged; nothing is asked of its tests."""
    fixtures, _ = read_fixtures(files, pack)
    return _coverage(pack, judge(pack, fixtures, engine) if fixtures else [], {}, TestRun(()), engine)


def _coverage(
    pack: Pack,
    judged: Sequence[Judged],
    modules: Mapping[str, bytes],
    tests: TestRun,
    conftest: ConftestEngine,
) -> Coverage:
    """Only what gives an answer is asked again: an error would spoil the whole. What the rest reaches is not known."""
    answered: list[Fixture] = [one.fixture for one in judged if one.error is None]
    runnable = [result.test for result in tests.results if result.outcome in ("passed", "failed")]
    usable: Mapping[str, bytes] = {}
    if runnable:
        usable = modules if len(runnable) == len(tests.results) else only(pack, modules, runnable)
    left_out = []
    if len(answered) < len(judged):
        left_out.append(f"by fixtures: {len(judged) - len(answered)} of {len(judged)} got no answer")
    if tests.error is not None or tests.of("errored"):
        left_out.append("by tests: not all of them could be run")
    found = measure(pack, [fixture.input for fixture in answered], usable, conftest)
    return found.without(left_out) if left_out else found
