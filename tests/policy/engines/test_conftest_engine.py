from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maestro.errors import ToolFailure
from policy.engines.conftest_engine import ConftestEngine, Limits, probe
from policy.engines.engine import UNDEFINED, Answer, Broken, Values
from tests.policy.engines.conftest_here import conftest_engine, fake_conftest, program

QUICK = Limits(base_seconds=1.0, seconds_per_input=0.001)


def kinds(answers: list[Answer]) -> list[str | None]:
    return [answer.kind if isinstance(answer, Broken) else None for answer in answers]


def ask(rego: str, inputs: list[Any], *entrypoints: str, **options: Any) -> list[Answer]:
    return conftest_engine(options.pop("limits", None)).evaluate(program(rego, *entrypoints, **options), inputs)


def test_values_and_undefined_in_order() -> None:
    rego = 'package t\ndeny contains "x" if input.a\nb := input.b\nc := false'
    assert ask(rego, [{"a": 1}, {"b": [2]}], "c", "deny", "b", "absent") == [
        Values((False, ["x"], UNDEFINED, UNDEFINED)),
        Values((False, [], [2], UNDEFINED)),
    ]
    assert ask(rego, [], "c") == []


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**40), 10**40) | st.floats(-1e300, 1e300) | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=8,
    )
)
@settings(max_examples=25, deadline=None)
def test_every_json_value_arrives_and_returns(value: Any) -> None:
    if "\ud800" <= max(json.dumps(value, ensure_ascii=False)) <= "\udfff":
        return
    assert ask("package t\nsame := input", [value, {"v": value}], "same") == [Values((value,)), Values(({"v": value},))]


def test_numbers_are_exact() -> None:
    rego = "package t\nmore if input.n > 9007199254740992\nn := input.n"
    inputs: list[Any] = [{"n": 2**53 + 1}, {"n": 2**53}, {"n": 10**400}, {"n": 0.1}]
    assert ask(rego, inputs, "more", "n") == [
        Values((True, 2**53 + 1)),
        Values((UNDEFINED, 2**53)),
        Values((True, 10**400)),
        Values((UNDEFINED, 0.1)),
    ]
    assert ask("package t\nn := 1e400\nsum := input.a + input.b", [{"a": 1, "b": 2}], "n", "sum") == [
        Values((10**400, 3))
    ]


def test_text_is_exact() -> None:
    odd = 'a"b\\\n\t\0\u2028\x7f\U0001f600</script>{}`${'
    assert ask("package t\nn := count(input.s)\ns := input.s", [{"s": odd}], "n", "s") == [Values((len(odd), odd))]


def test_what_is_no_json_text_breaks_alone() -> None:
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    answers = ask("package t\nok := true", [{}, "\ud800", deep, {}, {"x": deep}], "ok")
    assert kinds(answers) == [None, "unsupported", "unsupported", None, "unsupported"]


def test_one_poisonous_input_among_a_thousand() -> None:
    rego = 'package t\ndeny contains "late" if time.parse_rfc3339_ns(input.ttl) < 5\n'
    inputs: list[Any] = [{"n": index} for index in range(1000)]
    inputs[613] = {"ttl": "garbage"}
    answers = ask(rego, inputs, "deny")
    assert [index for index, answer in enumerate(answers) if isinstance(answer, Broken)] == [613]
    broken = answers[613]
    assert isinstance(broken, Broken)
    assert broken.kind == "builtin"
    assert "t.rego:2: time.parse_rfc3339_ns" in broken.message


def test_errors_in_builtins_may_be_undefined_where_the_pack_says_so() -> None:
    rego = 'package t\ndeny contains "late" if time.parse_rfc3339_ns(input.ttl) < 5\n'
    assert ask(rego, [{"ttl": "garbage"}], "deny", strict=False) == [Values(([],))]


def test_a_conflict_breaks_its_input_only() -> None:
    rego = "package t\nv := 1 if input.a\nv := 2 if input.b\n"
    answers = ask(rego, [{"a": 1}, {"a": 1, "b": 1}, {"b": 1}], "v")
    assert kinds(answers) == [None, "conflict", None]
    assert isinstance(answers[1], Broken)
    assert answers[1].message.startswith("t.rego:3: eval_conflict_error")


def test_when_everything_breaks_the_search_ends() -> None:
    rego = "package t\nv := time.parse_rfc3339_ns(input)\n"
    limits = Limits(culprits=2)
    answers = ask(rego, ["x"] * 40, "v", limits=limits)
    assert kinds(answers) == ["builtin"] * 40
    assert "before it had errors as well" in str(answers[-1])


def test_a_rule_that_never_ends() -> None:
    rego = """package t
deny contains "x" if {
	input.loop
	some a in numbers.range(1, 20000)
	some b in numbers.range(1, 20000)
	some c in numbers.range(1, 20000)
	a * b * c == 0
}
"""
    begun = time.monotonic()
    answers = ask(rego, [{}, {}, {"loop": 1}, {}, {}, {}], "deny", limits=QUICK)
    assert kinds(answers) == [None, None, "timeout", None, None, None]
    answers = ask(rego, [{"loop": 1}] * 50, "deny", limits=QUICK)
    assert kinds(answers) == ["timeout"] * 50
    assert time.monotonic() - begun < 15


def test_results_larger_than_can_be_held() -> None:
    rego = 'package t\nbig := concat("", [x | some i in numbers.range(1, 200000); x := "0123456789"]) if input.big\n'
    answers = ask(rego, [{}, {"big": 1}, {}], "big", limits=Limits(output_bytes=1 << 20))
    assert kinds(answers) == [None, "memory", None]


def test_memory_is_limited() -> None:
    rego = "package t\nx := count(numbers.range(1, input.n))\n"
    answers = ask(rego, [{"n": 3}, {"n": 50000000}, {"n": 4}], "x", limits=Limits(memory_kib=2 << 20, base_seconds=20))
    assert kinds(answers) == [None, "memory", None]


def test_what_prints_without_end_is_not_heard() -> None:
    rego = 'package t\ndeny contains "x" if { some i in numbers.range(1, 2000); print(i, "%s"); i == 2000 }\n' % (
        "x" * 500
    )
    assert ask(rego, [{}], "deny") == [Values((["x"],))]


@pytest.mark.parametrize(
    "rego",
    [
        "package t\ndeny contains x if x := http.send({})",
        "package t\ndeny contains x if x := opa.runtime()",
        "package t\ndeny contains x if x := time.now_ns()",
        "package t\ndeny contains x if x := rand.intn('a', 5)",
        'package t\ndeny contains x if x := json.match_schema({}, {"$ref": "http://acme.example/x"})',
        'package t\ndeny contains x if x := parse_config_file("/etc/passwd")',
        "package t\nf(x) := g(x)\ng(x) := f(x)\ndeny contains 1 if f(input)",
        "package t\ndeny contains x if {",
        "package t\ndeny contains x if y",
        "not rego at all",
        "",
    ],
)
def test_what_does_not_compile_here_breaks_every_input(rego: str) -> None:
    answers = ask(rego, [{}, {"a": 1}], "deny")
    assert kinds(answers) == ["compile", "compile"]


def test_a_pack_cannot_answer_for_the_adapter() -> None:
    """The adapter's name is random: a package of a guessed name, an exception of everything, a look at all data."""
    forged = {
        "t.rego": b'package t\nimport rego.v1\ndeny contains "x" if input.bad\nexception contains [""]\n',
        "forged.rego": b'package maestro_adapter_0\nimport rego.v1\nexception contains [""]\nviolation := set()\n',
        "seen.rego": b"package t\nimport rego.v1\nspied contains name if some name, _ in data.maestro_inputs\n",
    }
    asked = program("", "deny", "spied")
    answers = conftest_engine().evaluate(type(asked)(forged, {}, asked.entrypoints), [{"bad": 1}])
    assert answers == [Values((["x"], []))]


def test_nothing_of_the_environment_and_no_file_is_reachable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CONFTEST_NAMESPACE", "elsewhere")
    monkeypatch.setenv("CONFTEST_OUTPUT", "table")
    (tmp_path / "conftest.toml").write_text('namespace = "elsewhere"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert ask("package t\nok := input", [7], "ok") == [Values((7,))]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["conftest.toml"]


def test_data_is_merged() -> None:
    rego = "package t\nx := data.limits"
    given = {"a": b'{"limits": {"a": 9007199254740993}}', "b": b'{"limits": {"b": 2}}'}
    assert ask(rego, [{}], "x", **given) == [Values(({"a": 2**53 + 1, "b": 2},))]


def test_old_syntax() -> None:
    assert ask('package t\ndeny[msg] { input.a; msg = "x" }', [{"a": 1}], "deny", v0=True) == [Values((["x"],))]
    assert kinds(ask('package t\ndeny[msg] { input.a; msg = "x" }', [{"a": 1}], "deny")) == ["compile"]


def test_many_inputs_are_shared_out_and_come_back_in_order() -> None:
    limits = Limits(split=10, chunk=7)
    inputs: list[Any] = [{"n": index} for index in range(40)]
    assert ask("package t\nn := input.n", inputs, "n", limits=limits) == [Values((index,)) for index in range(40)]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("true", "crash"),
        ("exit 3", "crash"),
        ("kill -9 $$", "crash"),
        ("echo garbage", "missing"),
        ("echo null", "missing"),
        ("echo '[]'", "missing"),
        ("echo '[{}]'", "missing"),
        ("printf '[{\"namespace\"'", "missing"),
        ("sleep 30", "timeout"),
        ("exec cat /dev/zero", "memory"),
        ("exec yes", "memory"),
    ],
)
def test_a_conftest_that_misbehaves_is_never_an_allow(tmp_path: Path, body: str, kind: str) -> None:
    limits = Limits(base_seconds=1.0, output_bytes=1 << 20)
    engine = ConftestEngine(fake_conftest(tmp_path, body), "0.71.1", "1.22.2", limits)
    (answer,) = engine.evaluate(program("package t", "deny"), [{}])
    assert isinstance(answer, Broken)
    assert answer.kind == kind, answer


FORGER = r"""
adapter=$(echo "$@" | sed 's/.*--namespace \([^ ]*\).*/\1/')
printf '[{"namespace": "%s", "failures": [{"msg": %s}]}]' "$adapter" '"ANSWERS"'
"""


@pytest.mark.parametrize(
    "answers",
    [
        "[]",
        "[[0, [[]]], [0, [[]]]]",
        "[[0, [[]]], [2, [[]]]]",
        "[[0, [[]]], [1, []]]",
        "[[0, [[]]], [1, [[1, 2]]]]",
        "[[0, [[]]], [1, [7]]]",
        "[[0, [[]]], [true, [[]]]]",
        "[[0, [[]]], [1, [[]]], [2, [[]]]]",
        "{}",
        "7",
        "[[0, [[]]], [1, [[1e99999]]]]",
    ],
)
def test_every_input_is_answered_once_or_none_is_believed(tmp_path: Path, answers: str) -> None:
    """Two inputs, one entrypoint. Asked again one by one, the same output does not fit either."""
    engine = ConftestEngine(fake_conftest(tmp_path, FORGER.replace("ANSWERS", answers)), "0.71.1", "1.22.2")
    first, second = engine.evaluate(program("package t", "deny"), [{}, {}])
    assert isinstance(second, Broken) and second.kind == "missing"
    assert isinstance(first, Broken) and first.kind == "missing"


def test_the_forger_is_believed_when_its_answer_fits(tmp_path: Path) -> None:
    """So that the test above fails for the right reason."""
    fits = "[[0, [[]]], [1, [[7]]]]"
    engine = ConftestEngine(fake_conftest(tmp_path, FORGER.replace("ANSWERS", fits)), "0.71.1", "1.22.2")
    assert engine.evaluate(program("package t", "deny"), [{}, {}]) == [Values((UNDEFINED,)), Values((7,))]


def test_missing_and_silent_binaries(tmp_path: Path) -> None:
    engine = ConftestEngine(tmp_path / "none", "0.71.1", "1.22.2")
    assert kinds(engine.evaluate(program("package t", "deny"), [{}, {}])) == ["crash", "crash"]
    silent = tmp_path / "conftest"
    silent.write_text("#!/bin/sh\nexit 0\n")
    silent.chmod(0o755)
    with pytest.raises(ToolFailure, match="does not say which version"):
        probe(silent)


def test_nothing_stays_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ask("package t\nok := 1", [1], "ok")
    assert list(tmp_path.iterdir()) == []
