from __future__ import annotations

from pathlib import Path

import pytest

from maestro.errors import ToolFailure
from policy.engines.conftest_engine import ConftestEngine
from policy.rego_tests import TestLimits, TestRun, list_tests, read_test_modules, run_tests
from tests.policy.engines.conftest_here import conftest_engine, fake_conftest
from tests.policy.memory_files import MemoryFiles, pack_of

PACK = pack_of(
    '# METADATA\n# custom: {match: ["x"]}\npackage p\n\n'
    'deny_owner contains "no owner" if not input.owner\n\nlate(x) := time.parse_rfc3339_ns(x)\n'
)
START = "package p_test\n\nimport data.p\n\n"
ENDLESS = (
    "test_endless if count([1 | some i in numbers.range(1, 100000); some j in numbers.range(1, 100000); i < j]) > 0\n"
)


def ran(*modules: str, seconds: float = 20.0, engine: ConftestEngine | None = None) -> TestRun:
    named = {f"t{number}_test.rego": (START + text).encode() for number, text in enumerate(modules)}
    return run_tests(PACK, named, engine or conftest_engine(), TestLimits(seconds))


def outcomes(run: TestRun) -> dict[str, str]:
    return {result.test.name.removeprefix("p_test."): result.outcome for result in run.results}


def test_each_test_is_named_with_its_place() -> None:
    run = ran(
        'test_owner if count(p.deny_owner) == 1 with input as {"x": 1}\n\n'
        'test_wrong if count(p.deny_owner) == 1 with input as {"owner": 1}\n\n'
        "todo_test_later if false\n",
        "helper := 1\n\ntest_helped if helper == 1\n",
    )
    assert outcomes(run) == {
        "test_owner": "passed",
        "test_wrong": "failed",
        "todo_test_later": "skipped",
        "test_helped": "passed",
    }
    [wrong] = run.of("failed")
    assert (wrong.test.location.path, wrong.test.location.line) == ("policy/packs/p/t0_test.rego", 7)
    assert run.error is None


def test_two_bodies_of_one_name_are_two_tests() -> None:
    run = ran("test_a if true\n\ntest_a if false\n\ntest_a if true\n")
    assert outcomes(run) == {"test_a": "passed", "test_a#01": "failed", "test_a#02": "passed"}


def test_no_tests_at_all() -> None:
    assert run_tests(PACK, {}, conftest_engine()) == TestRun(())
    assert ran("helper := 1\n").results == ()


def test_what_does_not_compile() -> None:
    run = ran("test_a if {\n\tunknown_function(1)\n}\n")
    assert run.kind == "compile"
    assert run.error is not None
    assert "policy/packs/p/t0_test.rego:6" in run.error
    assert "/tmp" not in run.error
    assert ran("test_a if {\n").kind == "compile"


def test_an_error_is_pinned_to_its_test() -> None:
    run = ran(
        'test_a if true\n\ntest_b if p.late("garbage") > 1\n\ntest_c if true\n\ntest_d if {\n\tfalse\n}\n',
        "test_e if true\n",
    )
    assert outcomes(run) == {
        "test_a": "passed",
        "test_b": "errored",
        "test_c": "passed",
        "test_d": "failed",
        "test_e": "passed",
    }
    [error] = run.of("errored")
    assert error.kind == "builtin"
    assert error.test.location.line == 7
    assert error.message is not None and "policy/packs/p/p.rego:7" in error.message


def test_one_that_never_ends_is_stopped_and_named() -> None:
    run = ran("test_a if true\n\n" + ENDLESS, seconds=1.0)
    assert outcomes(run) == {"test_a": "passed", "test_endless": "errored"}
    [error] = run.of("errored")
    assert error.kind == "timeout"
    assert error.message == "it did not end within 1 s"


def test_when_there_is_no_time_to_search_all_are_named() -> None:
    named = {"t_test.rego": (START + "test_a if true\n\ntest_b if true\n\n" + ENDLESS).encode()}
    run = run_tests(PACK, named, conftest_engine(), TestLimits(0.5, search_seconds=-1))
    assert set(outcomes(run).values()) == {"errored"}
    assert {result.message for result in run.results} == {"it did not end within 0.5 s (one of 3 tests run together)"}


def test_tests_run_with_the_capabilities_of_judging() -> None:
    run = ran('test_a if http.send({"method": "get", "url": "http://127.0.0.1"})\n')
    assert run.kind == "compile"
    assert run.error is not None and "http.send" in run.error


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("echo '[]'", "conftest reported 0 of 1 tests"),
        ("echo nonsense", "conftest printed something that is no result (JSONDecodeError)"),
        ('echo \'[{"successes": 0, "failures": [{"msg": "data.x.test_y"}]}]\'', "speaks of a test x.test_y"),
        ("echo boom >&2; exit 3", "conftest ended with exit code 3"),
    ],
)
def test_a_conftest_that_does_not_answer_is_no_pass(tmp_path: Path, body: str, error: str) -> None:
    engine = ConftestEngine(fake_conftest(tmp_path, body), "dev", "1.22.2")
    run = ran("test_a if true\n", engine=engine)
    said = run.error or run.results[0].message
    assert said is not None and error in said
    assert not run.of("passed")


def test_conftest_missing() -> None:
    run = ran("test_a if true\n", engine=ConftestEngine(Path("/nowhere/conftest"), "dev", "1.22.2"))
    assert not run.of("passed")
    assert (run.kind or run.results[0].kind) in ("crash", "missing")


def test_only_the_packs_own_tests_are_read() -> None:
    files = MemoryFiles(
        {"policy/packs/p/a_test.rego": "1", "policy/packs/p/deep/b_test.rego": "2", "policy/packs/q/c_test.rego": "3"}
    )
    assert sorted(read_test_modules(files, PACK)) == ["a_test.rego", "deep/b_test.rego"]
    linked = MemoryFiles({"policy/packs/p/a_test.rego": "1"}, links=["policy/packs/p/a_test.rego"])
    with pytest.raises(ToolFailure, match="a link"):
        read_test_modules(linked, PACK)


def test_what_is_a_test() -> None:
    text = "package x\ntest_a if true\ntesting if true\ntest_f(y) := y\ndefault test_d := false\ntest_d if true\n"
    assert [test.name for test in list_tests(PACK, {"a_test.rego": text.encode()})] == ["x.test_a", "x.test_d"]
