"""``maestro policy test``: fixtures and Rego tests of the packs, on the engine that judges, and what they reach."""

from __future__ import annotations

import argparse
import difflib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maestro.errors import MaestroError, SelectionError
from maestro.world import World

if TYPE_CHECKING:
    from policy.coverage import Coverage
    from policy.engines.conftest_engine import ConftestEngine
    from policy.engines.engine import Engine
    from policy.fixtures import Judged
    from policy.pack import Pack, PackProblem, Packs
    from policy.pack_check import PackCheck
    from policy.rego_tests import TestRun

SCHEMA = "maestro-conductor/policy-test/v1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``policy test``."""
    parser.add_argument("pack", nargs="*", metavar="PACK", help="a pack's name or folder (default: every pack)")
    parser.add_argument("--repo", type=Path, metavar="DIR", help="the repository (default: the one around here)")
    parser.add_argument(
        "--engine",
        choices=("auto", "conftest", "regopy", "both"),
        default="auto",
        help="what judges the fixtures; the Rego tests are always conftest's",
    )
    parser.add_argument("--format", choices=("terminal", "json"), default="terminal")


def run(arguments: argparse.Namespace, world: World) -> int:
    """0 when everything is as expected, 10 when something is not, 1 when that could not be found out.

    Raises:
        UsageError: there is no such folder, no maestro.yaml, or it is wrong.
        SelectionError: there is no such pack, or none at all.
        ToolFailure: conftest is asked for and cannot be used.
    """
    from concurrent.futures import ThreadPoolExecutor

    from maestro.config import CONFIG_PATH, load_config
    from policy.bundle.door import BundleDoor
    from policy.engines.choose import choose
    from policy.folder import governed_folder
    from policy.pack import load_packs
    from policy.pack_check import check_pack
    from policy.parity.lock import lock_at

    folder = governed_folder(world.cwd / (arguments.repo or "."))
    root = folder.root
    loaded = load_packs(
        folder, load_config(CONFIG_PATH, folder.read(CONFIG_PATH)), BundleDoor(root, world.now(), world.environ)
    )
    packs, problems = _selected(loaded, arguments.pack)
    engine = choose(arguments.engine, world.environ, cache(lambda: lock_at(folder)))
    conftest, missing = _conftest(engine, world)
    with ThreadPoolExecutor(max_workers=2) as pool:
        checks = list(pool.map(lambda pack: check_pack(folder, pack, engine, conftest), packs))
    if arguments.format == "json":
        world.stdout.write(as_json(checks, problems, engine.version))
    else:
        world.stdout.write(as_text(checks, problems, engine.version, missing))
    if problems or any(check.outcome == "errored" for check in checks):
        return 1
    return 10 if any(check.outcome == "failed" for check in checks) else 0


def _selected(loaded: Packs, names: Sequence[str]) -> tuple[list[Pack], list[PackProblem]]:
    """The packs that are named, and what keeps any of them from judging."""
    blocking = [problem for problem in loaded.problems if problem.rule.mode == "enforce"]
    if not names:
        if not loaded.packs and not blocking:
            raise SelectionError("there is no pack here", remedy="`packs` in maestro.yaml names the folders of packs")
        # A bundle was tested where it was built; fixtures do not travel.
        return [pack for pack in loaded.packs if pack.bundle is None], blocking
    packs: list[Pack] = []
    problems: list[PackProblem] = []
    for name in names:
        folder = name.removeprefix("./").rstrip("/")
        found = [pack for pack in loaded.packs if pack.name == name or pack.path == folder]
        wrong = [problem for problem in blocking if problem.pack == folder]
        if not found and not wrong:
            known = [pack.name for pack in loaded.packs]
            near = difflib.get_close_matches(name, known, 1, 0.4)
            remedy = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known) or 'none'}"
            raise SelectionError(f"there is no pack {name!r}", remedy=remedy)
        packs += [pack for pack in found if pack not in packs]
        problems += wrong
    paths = {pack.path for pack in packs}
    return packs, [*problems, *(one for one in blocking if one.pack in paths and one not in problems)]


def _conftest(engine: Engine, world: World) -> tuple[ConftestEngine | None, str | None]:
    """The conftest that runs the Rego tests, or why there is none."""
    from policy.engines.both_engine import BothEngines
    from policy.engines.choose import trusted_conftest
    from policy.engines.conftest_engine import ConftestEngine

    first = engine.first if isinstance(engine, BothEngines) else engine
    if isinstance(first, ConftestEngine):
        return first, None
    try:
        return trusted_conftest(world.environ), None
    except MaestroError as error:
        return None, f"{error.message}\n  → {error.remedy}" if error.remedy else error.message


def as_json(checks: Sequence[PackCheck], problems: Sequence[PackProblem], engine: str) -> str:
    """``{"schema", "engine", "packs": [{name, path, outcome, fixtures, tests, bodies}], "problems": […]}``."""
    value = {
        "schema": SCHEMA,
        "engine": engine,
        "packs": [_check_json(check) for check in checks],
        "problems": [
            {
                "rule": problem.rule.id,
                "message": problem.message,
                "path": problem.location.path,
                "line": problem.location.line,
                "column": problem.location.column,
            }
            for problem in problems
        ],
    }
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _check_json(check: PackCheck) -> dict[str, Any]:
    tests = None
    if check.tests is not None:
        tests = {
            "error": check.tests.error,
            "results": [
                {
                    "name": result.test.name,
                    "outcome": result.outcome,
                    "message": result.message,
                    "path": result.test.location.path,
                    "line": result.test.location.line,
                    "column": result.test.location.column,
                }
                for result in check.tests.results
            ],
        }
    return {
        "name": check.pack.name,
        "path": check.pack.path,
        "outcome": check.outcome,
        "fixtures": [
            {
                "name": one.fixture.name,
                "outcome": "passed" if one.passed else "failed" if one.error is None else "errored",
                "differences": list(one.differences),
                "error": one.error,
                "path": one.fixture.location.path,
                "line": one.fixture.location.line,
            }
            for one in check.judged
        ],
        "fixture_problems": [
            {
                "message": problem.message,
                "remedy": problem.remedy,
                "path": problem.location.path,
                "line": problem.location.line,
                "column": problem.location.column,
            }
            for problem in check.problems
        ],
        "tests": tests,
        "bodies": None if check.coverage is None else coverage_json(check.pack, check.coverage),
    }


def coverage_json(pack: Pack, coverage: Coverage) -> dict[str, Any]:
    """``{"total", "by_fixtures", "by_tests", "errors", "not_reached": [{rule, kind, path, line, column, known}]}``;
    ``by_tests`` is null when fixtures reach all, for then the tests are not asked."""
    return {
        "total": len(coverage.bodies),
        "by_fixtures": coverage.reached("fixtures"),
        "by_tests": coverage.reached("tests") if coverage.tests_asked else None,
        "errors": list(coverage.errors),
        "not_reached": [
            {
                "rule": reach.body.rule,
                "kind": reach.body.kind,
                "path": _path(pack, reach.body.module),
                "line": reach.body.line,
                "column": reach.body.column,
                "known": reach.known,
            }
            for reach in coverage.bodies
            if not reach.by
        ],
    }


def _path(pack: Pack, module: str) -> str:
    return module if pack.path == "." else f"{pack.path}/{module}"


def as_text(checks: Sequence[PackCheck], problems: Sequence[PackProblem], engine: str, missing: str | None) -> str:
    """A paragraph per pack: what is wrong, each with its place, then the counts; text from packs made visible."""
    from maestro.report.visible_text import visible, without_log_commands

    lines: list[str] = []
    for problem in problems:
        place = problem.location
        lines += [
            f"{visible(place.path)}:{place.line}:{place.column}: the pack cannot judge: {visible(problem.message)}",
            f"  → {visible(problem.remedy or problem.rule.remedy or '')}",
            "",
        ]
    for check in checks:
        lines += [*(line for text in _wrong(check) for line in _visible_block(text)), *_counts(check), ""]
    if missing is not None:
        lines += [*_visible_block(f"the Rego tests were not run: {missing}"), ""]
    counts = {outcome: sum(check.outcome == outcome for check in checks) for outcome in ("failed", "errored")}
    said = [f"{counts['failed']} failed"] * bool(counts["failed"])
    said += [f"{counts['errored']} without an answer"] * bool(counts["errored"])
    said += [f"{len({problem.pack for problem in problems})} cannot judge"] * bool(problems)
    verdict = ", ".join(said) or "all as expected"
    lines.append(f"{_number(len(checks), 'pack')}: {verdict} ({engine})")
    return without_log_commands("\n".join(lines)) + "\n"


def _visible_block(text: str) -> list[str]:
    from maestro.report.visible_text import visible_lines

    return visible_lines(text)


def _wrong(check: PackCheck) -> list[str]:
    """What is wrong with a pack's fixtures and tests, one text each, possibly of several lines."""
    out = []
    for problem in check.problems:
        place = problem.location
        text = f"{place.path}:{place.line}:{place.column}: {problem.message}"
        out.append(f"{text}\n  → {problem.remedy}" if problem.remedy else text)
    return [*out, *_wrong_fixtures(check.judged), *(_wrong_tests(check.tests) if check.tests else ())]


def _wrong_fixtures(judged: Sequence[Judged]) -> list[str]:
    errors = {one.error for one in judged}
    if len(errors) == 1 and None not in errors and len(judged) > 1:
        [error] = errors
        remedy = f"\n  → {judged[0].remedy}" if judged[0].remedy else ""
        return [f"{judged[0].fixture.location.path}: no fixture gets an answer: {error}{remedy}"]
    out = []
    for one in judged:
        if one.passed:
            continue
        place = one.fixture.location
        head = f"{place.path}:{place.line}: {one.fixture.name}"
        if one.error is not None:
            remedy = f"\n  → {one.remedy}" if one.remedy else ""
            out.append(f"{head}\n  no trustworthy answer: {one.error}{remedy}")
        else:
            out.append("\n  ".join([head, *one.differences]))
    return out


def _wrong_tests(tests: TestRun) -> list[str]:
    out = [] if tests.error is None else [f"the Rego tests cannot be run: {tests.error}"]
    for result in tests.results:
        if result.outcome != "passed":
            place = result.test.location
            why = f": {result.message}" if result.message else ""
            out.append(f"{place.path}:{place.line}: {result.test.name} {result.outcome}{why}")
    return out


def _counts(check: PackCheck) -> list[str]:
    from maestro.report.visible_text import visible

    pack = check.pack
    lines = [f"{pack.name}  {check.outcome}  ({visible(pack.path)})"]
    if check.untested:
        if check.as_shipped:
            return [*lines, "  unchanged since `maestro init` wrote it: its fixtures and tests are where Maestro is"]
        return [
            *lines,
            "  nothing shows that it is right: it has neither fixtures nor _test.rego",
            f"  → write a fixture into {visible(pack.path)}/fixtures/: an input, and what the pack has to say of it",
        ]
    passed = sum(one.passed for one in check.judged)
    total = len(check.judged)
    unusable = f", {len(check.problems)} wrong as written" if check.problems else ""
    lines.append(f"  fixtures  {passed} of {total} as expected{unusable}" if total or unusable else "  fixtures  none")
    if not check.has_tests:
        lines.append("  tests     none")
    elif check.tests is None or check.tests.error is not None:
        lines.append("  tests     not run")
    else:
        skipped = len(check.tests.of("skipped"))
        more = f", {skipped} skipped" if skipped else ""
        count = len(check.tests.results) - skipped
        lines.append(f"  tests     {len(check.tests.of('passed'))} of {count} pass{more}")
    return lines + (_coverage_lines(pack, check.coverage) if check.coverage is not None else ["  bodies    not known"])


def _coverage_lines(pack: Pack, coverage: Coverage) -> list[str]:
    from maestro.report.visible_text import visible

    total = len(coverage.bodies)
    if not coverage.tests_asked:
        return [f"  bodies    {total}, all reached by fixtures"]
    lines = [
        f"  bodies    {total}: {coverage.reached('fixtures')} reached by fixtures, {coverage.reached('tests')} by tests"
    ]
    lines += [f"  {line}" for error in coverage.errors for line in _visible_block(f"not known {error}")]
    for word, bodies in (("reached by nothing", coverage.unreached), ("not known", coverage.unknown)):
        for body in bodies:
            what = {"rule": "", "else": " (else)", "chained": " (another body)", "default": " (default)"}[body.kind]
            place = f"{_path(pack, body.module)}:{body.line}:{body.column}"
            lines.append(f"    {word}: {visible(place)} {visible(body.rule)}{what}")
    return lines


def _number(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
