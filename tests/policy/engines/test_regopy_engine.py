from __future__ import annotations

import json
import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.engines.engine import UNDEFINED, Answer, Broken, Values
from policy.engines.regopy_engine import RegopyEngine, RegopyLimits, _Worker, refusal
from policy.preflight.text import decode, decoded, encode, encode_json, reserved
from tests.policy.engines.conftest_here import program


def ask(rego: str, inputs: list[Any], *entrypoints: str, **options: Any) -> list[Answer]:
    limits = options.pop("limits", RegopyLimits(seconds=2))
    engine = RegopyEngine("get conftest", limits=limits)
    return engine.evaluate(program(rego, *entrypoints, **options), inputs)


def kinds(answers: list[Answer]) -> list[str | None]:
    return [answer.kind if isinstance(answer, Broken) else None for answer in answers]


def asked_of(worker: _Worker, value: Any) -> Answer:
    question = encode_json(value).encode()
    worker.send(question)
    return worker.answer(question)


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
        answer = asked_of(worker, {})
        assert isinstance(answer, Broken)
        assert answer.kind == "crash"
        assert worker.gone
    finally:
        worker.close()


def test_a_deeply_nested_pack_is_refused() -> None:
    """regopy crashes on it."""
    assert kinds(ask("package t\nx := " + "[" * 3000 + "]" * 3000 + "\n", [{}], "x")) == ["unsupported"]


def test_what_breaks_breaks_alone() -> None:
    rego = 'package t\nimport rego.v1\ndeny contains "late" if to_number(input.ttl) < 5\n'
    inputs = [{}, {"ttl": "garbage"}, {"ttl": "é"}, {"\U000f0022": 1}, {"s": "\ud800"}, {"s": 1e400}, {}]
    assert kinds(ask(rego, inputs, "deny")) == [None, "builtin", "builtin", *["unsupported"] * 3, None]


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
    answer = asked_of(worker, {})
    worker.close()
    assert "PATH" in str(answer)
    assert "PLANTED" not in str(answer)


PLAIN = st.text(alphabet="abc XYZ-_./:@#'{}[]", max_size=6)


@given(st.lists(st.dictionaries(PLAIN, PLAIN | st.integers() | st.none()), max_size=3))
def test_plain_inputs_are_not_refused(value: Any) -> None:
    assert refusal(value, 200) is None


RECORDED: list[Any] = [
    "é",
    'a "quoted" word',
    "C:\\path",
    "two\nlines\t\x1f\x7f",
    "NUL \x00 inside",
    "😀 \u2028 \ufeff",
    2**53 + 1,
    -(10**30),
    0.5,
    {'key with "': ["\\", ""]},
]


@pytest.mark.parametrize("value", RECORDED)
def test_recorded_inputs_come_back_as_they_went(value: Any) -> None:
    rego = "package t\nx := input.a\ny := [input.a, input.a] if input.a == data.a\nz contains input.a\n"
    asked = replace(program(rego, "x", "y", "z"), data={"d.json": json.dumps({"a": value}).encode()})
    assert RegopyEngine("").evaluate(asked, [{"a": value}]) == [Values((value, [value] * 2, [value]))]


@pytest.mark.parametrize(("value", "part"), [("\U000f0022", "kept"), ("\ud800", "surrogate"), (1e400, "exponent")])
def test_what_cannot_be_handed_over_is_unsupported(value: Any, part: str) -> None:
    (answer,) = ask("package t\nx := input.a\n", [{"a": value}], "x")
    assert isinstance(answer, Broken)
    assert answer.kind == "unsupported"
    assert part in answer.message or "Infinity" in answer.message or "JSON" in answer.message


TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"], max_codepoint=0xEFFFF), max_size=8)


@given(TEXT, TEXT)
def test_text_comes_back_and_one_character_stays_one(one: str, two: str) -> None:
    if reserved(one + two):
        return
    assert decode(encode(one)) == one
    assert len(encode(one)) == len(one)
    assert encode(one + two) == encode(one) + encode(two)
    assert "\\" not in encode_json({one: [two]})
    assert decoded(json.loads(encode_json({one: [two]}))) == {one: [two]}


def test_computed_builtins_are_asked_for_until_none_is_left() -> None:
    rego = (
        "package t\nx contains v if { some a in input.a; v := format_int(a, 16) }\n"
        "y := max(input.a)\nz if not max(input.none)\n"
    )
    answers = ask(rego, [{"a": [255, 16]}, {"a": []}, {"a": [1, 'é"'], "none": []}, {"a": "text"}], "x", "y", "z")
    assert answers[:2] == [Values((["10", "ff"], 255, UNDEFINED)), Values(([], UNDEFINED, UNDEFINED))]
    assert kinds(answers[2:]) == ["builtin", "builtin"]


def test_what_a_computed_builtin_would_lose_is_refused() -> None:
    answers = ask("package t\nx := sort(input.a)\n", [{"a": [1.0]}, {"a": [0.1 + 0.2]}, {"a": [2.5, 1]}], "x")
    assert kinds(answers) == ["unsupported", "unsupported", None]
    assert answers[2] == Values(([1, 2.5],))


def test_killed_in_the_middle_is_a_crash_and_the_next_input_gets_a_new_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[_Worker] = []
    begin = _Worker.__init__

    def noted(self: _Worker, *given: Any, **named: Any) -> None:
        begin(self, *given, **named)
        started.append(self)

    monkeypatch.setattr(_Worker, "__init__", noted)
    killer = threading.Thread(target=_kill_when_asked, args=(started,))
    killer.start()
    rego = "package t\nx := count(numbers.range(1, input.n))\n"
    answers = ask(rego, [{"n": 3}, {"n": 20_000_000}, {"n": 4}], "x", limits=RegopyLimits(seconds=20, memory=4 << 30))
    killer.join()
    assert kinds(answers) == [None, "crash", None]
    assert len(started) == 2


def _kill_when_asked(started: list[_Worker]) -> None:
    while not started:
        time.sleep(0.01)
    time.sleep(0.3)
    os.kill(started[0]._process.pid, signal.SIGKILL)


def test_a_stopped_worker_is_a_timeout(tmp_path: Path) -> None:
    worker = _Worker(program("package t\nx := input\n", "x"), RegopyLimits(seconds=0.5), tmp_path)
    try:
        os.kill(worker._process.pid, signal.SIGSTOP)
        answer = asked_of(worker, ["a" * 1000] * 1000)  # more than a pipe holds
        assert kinds([answer]) == ["timeout"]
        assert worker.gone
    finally:
        worker.close()


def test_a_pack_that_prints_is_refused_and_a_hundred_megabytes_reach_nobody(tmp_path: Path) -> None:
    rego = 'package t\nx := count(y)\ny := [1 | some a in numbers.range(1, 100); print(concat("", z))]\n'
    rego += 'z := [p | some a in numbers.range(1, 50000); p := "twenty characters..."]\n'
    assert kinds(ask(rego, [{}], "x")) == ["unsupported"]
    worker = _Worker(program(rego, "x"), RegopyLimits(seconds=30), tmp_path)
    try:
        assert asked_of(worker, {}) == Values((100,))
    finally:
        worker.close()


@pytest.mark.parametrize("sizes", [[200_000] * 4, [1, 200_000, 1, 70_000, 4_095, 4_096, 1], [3_000] * 50])
def test_inputs_and_answers_that_no_pipe_holds_wait_for_each_other(sizes: list[int]) -> None:
    """While an answer is too large for its pipe, the next input is: neither side waits for the other for ever."""
    inputs = [{"n": number, "text": "x" * size} for number, size in enumerate(sizes)]
    answers = ask("package t\nn := input.n\ntext := input.text\n", inputs, "n", "text")
    assert answers == [Values((value["n"], value["text"])) for value in inputs]


def test_an_input_that_was_sent_ahead_of_a_crash_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ahead: list[int] = []
    send_ahead = _Worker.send_ahead

    def killed(self: _Worker, question: bytes) -> None:
        send_ahead(self, question)
        ahead.append(self._sent)
        if len(ahead) == 2:
            os.kill(self._process.pid, signal.SIGKILL)

    monkeypatch.setattr(_Worker, "send_ahead", killed)
    rego = "package t\nx := count(numbers.range(1, input.n))\n"
    answers = ask(rego, [{"n": 2}, {"n": 300_000}, {"n": 3}, {"n": 4}], "x", limits=RegopyLimits(seconds=20))
    assert kinds(answers) == [None, "crash", None, None]
    assert answers[2:] == [Values((3,)), Values((4,))]
    assert all(ahead)


def test_thousands_of_small_inputs_go_through_one_call() -> None:
    engine = RegopyEngine("")
    inputs = [{"n": number % 7} for number in range(3_000)]
    answers = engine.evaluate(program("package t\nx if input.n == 3\n", "x"), inputs)
    assert len(answers) == len(inputs)
    assert answers[3] == Values((True,))
    assert sum(answer == Values((True,)) for answer in answers) == len([1 for value in inputs if value["n"] == 3])
