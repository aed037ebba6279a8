from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.engines.engine import UNDEFINED, Answer, Broken, Values
from policy.engines.regopy_engine import RegopyEngine, RegopyLimits, _Worker, refusal
from tests.policy.engines.conftest_here import program


def ask(rego: str, inputs: list[Any], *entrypoints: str, **options: Any) -> list[Answer]:
    limits = options.pop("limits", RegopyLimits(seconds=2))
    engine = RegopyEngine("get conftest", proven_only=False, limits=limits)
    return engine.evaluate(program(rego, *entrypoints, **options), inputs)


def kinds(answers: list[Answer]) -> list[str | None]:
    return [answer.kind if isinstance(answer, Broken) else None for answer in answers]


def test_values_and_undefined() -> None:
    rego = 'package t\nimport rego.v1\ndeny contains "x" if input.a\nb := input.b\n'
    assert ask(rego, [{"a": 1}, {"b": [2**53 + 1]}], "b", "deny") == [
        Values((UNDEFINED, ["x"])),
        Values(([2**53 + 1], [])),
    ]


def test_sets_come_as_opa_sorts_them() -> None:
    rego = 'package t\nx := {"a b", "a", "a!", 10, 9, null, true, false, [2], {"k": 1}, {1}}\ny := {[10], [9]}\n'
    wanted = [None, False, True, 9, 10, "a", "a b", "a!", [2], {"k": 1}, [1]]
    assert ask(rego, [{}], "x", "y") == [Values((wanted, [[9], [10]]))]


def test_what_the_preflight_refuses_is_unsupported_with_its_place() -> None:
    (answer,) = ask("package t\n\nx if {\n\ttrace(input.a)\n}\n", [{}], "x")
    assert isinstance(answer, Broken)
    assert answer.kind == "unsupported"
    assert "t.rego:4:2: trace" in answer.message


def test_an_untested_version_judges_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("policy.engines.regopy_engine.regopy_version", lambda: "1.5.3")
    assert kinds(ask("package t\nx := 1\n", [{}], "x")) == ["unsupported"]


def test_a_segmentation_fault_is_broken(tmp_path: Path) -> None:
    worker = _Worker(program("package t\nx := input\n", "x"), RegopyLimits(), tmp_path)
    try:
        os.kill(worker._process.pid, signal.SIGSEGV)
        answer = worker.ask({})
        assert isinstance(answer, Broken)
        assert answer.kind == "crash"
        assert worker.gone
    finally:
        worker.close()


def test_a_deeply_nested_pack_is_refused() -> None:
    """regopy crashes on it."""
    assert kinds(ask("package t\nx := " + "[" * 3000 + "]" * 3000 + "\n", [{}], "x")) == ["unsupported"]


def test_only_proven_programs_are_answered() -> None:
    asked = program("package t\nimport rego.v1\ndeny := 1\n", "deny")
    (answer,) = RegopyEngine("get conftest").evaluate(asked, [{}])
    assert isinstance(answer, Broken)
    assert (answer.kind, answer.remedy) == ("unsupported", "get conftest")


def test_what_breaks_breaks_alone() -> None:
    rego = 'package t\nimport rego.v1\ndeny contains "late" if to_number(input.ttl) < 5\n'
    inputs = [{}, {"ttl": "garbage"}, {"s": "\u00e9"}, {"s": 'a"'}, {"s": "a\nb"}, {"\\": 1}, {}]
    assert kinds(ask(rego, inputs, "deny")) == [None, "builtin", *["unsupported"] * 4, None]


def test_deep_input_never_reaches_it() -> None:
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    assert kinds(ask("package t\nimport rego.v1\nx := input", [deep, {"a": deep}, 1], "x")) == ["unsupported"] * 2 + [
        None
    ]


def test_crashes_and_endless_rules_cost_their_input_only() -> None:
    """A regex of regopy's that backtracks for minutes, and the next input is answered by a new worker."""
    rego = 'package t\nimport rego.v1\nx if regex.match("^(a+)+$", input.s)\n'
    begun = time.monotonic()
    answers = ask(rego, [{"s": "aa"}, {"s": "a" * 40 + "b"}, {"s": "aa"}], "x", limits=RegopyLimits(seconds=1))
    assert time.monotonic() - begun < 10
    assert isinstance(answers[1], Broken)
    assert answers[1].kind in ("timeout", "crash")
    assert answers[0] == answers[2] == Values((True,))


def test_memory_is_limited() -> None:
    rego = "package t\nimport rego.v1\nx := count(numbers.range(1, input.n))\n"
    answers = ask(rego, [{"n": 3}, {"n": 100000000}, {"n": 4}], "x", limits=RegopyLimits(seconds=20, memory=300 << 20))
    assert kinds(answers) == [None, "memory", None]


def test_the_memory_of_whoever_asks_is_not_the_workers() -> None:
    ours = bytearray(400 << 20)  # Linux hands the high-water mark of this process on to those it starts
    ours[::4096] = b"x" * len(ours[::4096])
    rego = "package t\nimport rego.v1\nx := input.n\n"
    assert kinds(ask(rego, [{"n": 3}], "x", limits=RegopyLimits(memory=300 << 20))) == [None]


def test_after_many_crashes_the_rest_is_not_asked() -> None:
    rego = 'package t\nimport rego.v1\nx if regex.match("^(a+)+$", input.s)\n'
    limits = RegopyLimits(seconds=0.5, crashes=2)
    answers = ask(rego, [{"s": "a" * 40 + "b"}] * 5, "x", limits=limits)
    assert None not in kinds(answers)


def test_what_does_not_build() -> None:
    answers = ask("package t\nimport rego.v1\nx contains y z\n", [{}, {}], "x")
    assert kinds(answers) == ["unsupported", "unsupported"]
    assert kinds(ask("package t\nx[y] { y = 1 }", [{}], "x", v0=True)) == ["unsupported"]


def test_nothing_of_our_environment_is_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PLANTED", "value")
    asked = program("package t\nimport rego.v1\nx := opa.runtime().env\n", "x")
    worker = _Worker(asked, RegopyLimits(), tmp_path)
    answer = worker.ask({})
    worker.close()
    assert "PATH" in str(answer)
    assert "PLANTED" not in str(answer)


PLAIN = st.text(alphabet="abc XYZ-_./:@#'{}[]", max_size=6)


@given(st.lists(st.dictionaries(PLAIN, PLAIN | st.integers() | st.none()), max_size=3))
def test_plain_inputs_are_not_refused(value: Any) -> None:
    assert refusal(value, 200) is None


@given(
    st.text(min_size=1).filter(lambda text: not text.isascii() or '"' in text or "\\" in text or not text.isprintable())
)
def test_everything_else_is(text: str) -> None:
    assert refusal({"a": [text]}, 200)
    assert refusal({text: 1}, 200)
