"""A pack's ``_test.rego`` files, run by ``conftest verify``: the binary that judges, in a private folder, with the
environment and the capabilities that judging has.

conftest names only the tests that fail or are skipped, and gives up as a whole when one errs or does not end. So what
is to be run is read from the text; a run without an answer is repeated with some of the tests renamed, halved, until
the culprit stands alone.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from maestro.errors import ToolFailure
from maestro.findings import Location
from maestro.process import Completed, OutputTooLarge, ProcessMissing, ProcessTimeout, run
from policy.engines import capabilities
from policy.engines.conftest_engine import ConftestEngine, environment, limited
from policy.engines.conftest_output import Failure, read_failure
from policy.engines.engine import BrokenKind
from policy.pack import Files, Pack
from policy.rego_text import heads, read_text

Outcome = Literal["passed", "failed", "skipped", "errored"]

_TEST = re.compile(r"(todo_)?test_")
_OFF = "maestro_off_"


@dataclass(frozen=True)
class TestLimits:
    """Seconds: for one run of a pack's tests, and for finding culprits after the first run without an answer."""

    __test__ = False

    seconds: float = 20.0
    search_seconds: float = 60.0


@dataclass(frozen=True)
class RegoTest:
    """A test as written: ``name`` is ``mc.flags_test.test_whole``, ``#01`` and so on behind it when it has more than
    one body."""

    name: str
    location: Location
    module: str
    offset: int
    """Of its name in the module's text."""


@dataclass(frozen=True)
class TestResult:
    """What became of a test."""

    __test__ = False

    test: RegoTest
    outcome: Outcome
    message: str | None = None
    kind: BrokenKind | None = None
    """What kind of error, when it erred."""


@dataclass(frozen=True)
class TestRun:
    """All tests of a pack. ``error``: why there is no answer for the whole (it does not compile, conftest failed)."""

    __test__ = False

    results: tuple[TestResult, ...]
    error: str | None = None
    kind: BrokenKind | None = None

    def of(self, outcome: Outcome) -> list[TestResult]:
        """The results with one outcome."""
        return [result for result in self.results if result.outcome == outcome]


def read_test_modules(files: Files, pack: Pack) -> dict[str, bytes]:
    """The ``_test.rego`` files of a pack, by their path inside it.

    Raises:
        ToolFailure: one is a link.
    """
    inside = "" if pack.path == "." else f"{pack.path}/"
    paths = [path for path in files.entries if path.startswith(inside) and path.endswith("_test.rego")]
    for path in paths:
        if files.entries[path].mode not in ("100644", "100755"):
            raise ToolFailure("the test is a link, not a file", where=path, remedy="replace it by the file itself")
    return {path[len(inside) :]: content for path, content in files.read_many(paths).items()}


def list_tests(pack: Pack, modules: Mapping[str, bytes]) -> list[RegoTest]:
    """Every test, in the order of the files."""
    out: list[RegoTest] = []
    for name, source in sorted(modules.items()):
        text = read_text(source.decode("utf-8", "replace"))
        path = name if pack.path == "." else f"{pack.path}/{name}"
        for head in heads(text, v1=pack.rego_version == "v1"):
            if _TEST.match(head.name) and not head.default and head.shape != "function":
                full = ".".join([*(text.package or ()), head.name])
                offset = text.tokens[head.token].offset
                out.append(RegoTest(full, Location(path, head.line, head.column), name, offset))
    return _numbered(out)


def _numbered(tests: list[RegoTest]) -> list[RegoTest]:
    """As OPA tells bodies of one name apart."""
    seen: dict[str, int] = {}
    out = []
    for test in tests:
        number = seen.get(test.name, 0)
        seen[test.name] = number + 1
        name = f"{test.name}#{number:02}" if number else test.name
        out.append(RegoTest(name, test.location, test.module, test.offset))
    return out


def run_tests(
    pack: Pack, modules: Mapping[str, bytes], engine: ConftestEngine, limits: TestLimits | None = None
) -> TestRun:
    """Run every test of a pack. Never raises for what is in one."""
    tests = list_tests(pack, modules)
    if not modules:
        return TestRun(())
    return _Running(pack, modules, engine, limits or TestLimits()).all(tests)


@dataclass
class _Running:
    pack: Pack
    modules: Mapping[str, bytes]
    engine: ConftestEngine
    limits: TestLimits
    search_ends: float | None = None

    def all(self, tests: list[RegoTest]) -> TestRun:
        found: dict[str, TestResult] = {}
        pending = [tests]
        while pending:
            part = pending.pop()
            outcome = self._run(part, all_of_them=len(part) == len(tests))
            if not isinstance(outcome, Failure):
                found.update(outcome)
            elif outcome.whole:
                return TestRun((), outcome.message, outcome.kind)
            elif len(part) <= 1 or self._late():
                others = f" (one of {len(part)} tests run together)" if len(part) > 1 else ""
                if not part:
                    return TestRun((), outcome.message, outcome.kind)
                message = outcome.message + others
                found.update({test.name: TestResult(test, "errored", message, outcome.kind) for test in part})
            else:
                middle = len(part) // 2
                pending += [part[middle:], part[:middle]]
        return TestRun(tuple(found[test.name] for test in tests))

    def _late(self) -> bool:
        now = time.monotonic()
        if self.search_ends is None:
            self.search_ends = now + self.limits.search_seconds
        return now > self.search_ends

    def _run(self, tests: list[RegoTest], *, all_of_them: bool) -> dict[str, TestResult] | Failure:
        modules = self.modules if all_of_them else only(self.pack, self.modules, tests)
        done = verify(self.pack, self.pack.modules, modules, self.engine, ["--output", "json"], self.limits.seconds)
        return done if isinstance(done, Failure) else _read(done.stdout, tests)


def only(pack: Pack, modules: Mapping[str, bytes], tests: Sequence[RegoTest]) -> dict[str, bytes]:
    """The modules with every other test renamed, so that it is none."""
    wanted = {(test.module, test.offset) for test in tests}
    out = {}
    for name, source in modules.items():
        decoded = source.decode("utf-8", "replace")
        text = read_text(decoded)
        for head in reversed(heads(text, v1=pack.rego_version == "v1")):
            offset = text.tokens[head.token + head.default].offset
            if _TEST.match(head.name) and (name, offset) not in wanted:
                decoded = decoded[:offset] + _OFF + decoded[offset:]
        out[name] = decoded.encode("utf-8", "surrogatepass")
    return out


def verify(
    pack: Pack,
    modules: Mapping[str, bytes],
    tests: Mapping[str, bytes],
    engine: ConftestEngine,
    options: Sequence[str],
    seconds: float,
) -> Completed | Failure:
    """One run of ``conftest verify``: its output, or why there is none."""
    names = {}
    with tempfile.TemporaryDirectory(prefix="maestro-rego-") as temporary:
        folder = Path(temporary)
        (folder / "pack").mkdir()
        for number, (name, source) in enumerate([*sorted(modules.items()), *sorted(tests.items())]):
            private = f"pack/m{number}{'_test' if name in tests else ''}.rego"
            (folder / private).write_bytes(source)
            names[private] = name if pack.path == "." else f"{pack.path}/{name}"
        (folder / "capabilities.json").write_bytes(capabilities.shipped())
        (folder / "settings.toml").write_bytes(b"")
        argv = [str(engine.program), "verify", "--config-file", "settings.toml", "--no-color", "--policy", "pack"]
        argv += ["--capabilities", "capabilities.json", "--rego-version", pack.rego_version, *options]
        for number, name in enumerate(sorted(pack.data)):
            (folder / f"d{number}.json").write_bytes(pack.data[name])
            argv += ["--data", f"d{number}.json"]
        if pack.builtin_errors == "strict":
            argv.append("--show-builtin-errors")
        try:
            done = run(
                limited(argv, engine.limits.memory_kib),
                timeout=seconds,
                env=environment(folder),
                cwd=folder,
                output_limit=engine.limits.output_bytes,
            )
        except ProcessTimeout:
            return Failure(f"it did not end within {seconds:g} s", "timeout")
        except OutputTooLarge:
            return Failure("the output is larger than can be held", "memory")
        except ProcessMissing as error:
            return Failure(error.message, "crash", whole=True)
    if not done.stdout.strip() or done.returncode not in (0, 1):
        failure = read_failure(done.stderr, done.returncode, names)
        if failure.kind == "crash" and "run test: " in failure.message:
            message = failure.message.rpartition("run test: ")[2]
            return Failure(message, "conflict" if "eval_conflict_error" in message else "builtin")
        return Failure(failure.message.rpartition("run test: ")[2], failure.kind, failure.whole)
    return done


def _read(stdout: bytes, tests: list[RegoTest]) -> dict[str, TestResult] | Failure:
    """Every test's result from conftest's JSON; each must have been reported."""
    named: dict[str, Outcome] = {}
    passed = 0
    try:
        for item in json.loads(stdout) or []:
            passed += int(item["successes"])
            outcomes: tuple[tuple[str, Outcome], ...] = (("failures", "failed"), ("skipped", "skipped"))
            for key, outcome in outcomes:
                named.update({one["msg"].removeprefix("data."): outcome for one in item.get(key) or ()})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return Failure(f"conftest printed something that is no result ({type(error).__name__})", "missing")
    silent = [test for test in tests if test.name not in named]
    unknown = sorted(set(named) - {test.name for test in tests})
    if unknown:
        return Failure(f"conftest speaks of a test {unknown[0]} that was not found", "missing", whole=True)
    if passed < len(silent):
        reported = len(tests) - len(silent) + passed
        return Failure(f"conftest reported {reported} of {len(tests)} tests", "missing", whole=True)
    return {test.name: TestResult(test, named.get(test.name, "passed")) for test in tests}
