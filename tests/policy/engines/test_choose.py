from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from maestro.errors import ToolFailure, UsageError
from policy.engines import capabilities
from policy.engines.both_engine import BothEngines, same
from policy.engines.choose import choose
from policy.engines.conftest_engine import ConftestEngine
from policy.engines.engine import UNDEFINED, Answer, Broken, Program, Values
from policy.engines.known_bad import KNOWN_BAD, KnownBad, known_bad, version_of
from policy.engines.locked_engine import LockedEngine
from policy.engines.proven import program_digest, regopy_version
from policy.parity.lock import ABSENT, Entry, Lock
from tests.policy.engines.conftest_here import conftest_engine, fake_conftest, program
from tests.support.tools import tool


def no_lock() -> Lock:
    return ABSENT


def path_of(folder: Path) -> dict[str, str]:
    return {"PATH": str(folder)}


def test_conftest_first() -> None:
    environ = path_of(Path(tool("conftest")).parent)
    assert isinstance(choose("auto", environ, no_lock), ConftestEngine)
    assert "OPA 1." in choose("conftest", environ, no_lock).version
    both = choose("both", environ, no_lock)
    assert isinstance(both, BothEngines)
    assert "regopy" in both.version


def test_a_conftest_that_loses_a_deny_is_refused(tmp_path: Path) -> None:
    fake_conftest(tmp_path, "exit 1", opa="1.21.1")
    for choice in ("conftest", "both"):
        with pytest.raises(
            ToolFailure, match=r"embeds OPA 1\.21\.1, which answers wrongly .* 1\.22\.2 or later"
        ) as caught:
            choose(choice, path_of(tmp_path), no_lock)
        assert "make tools" in str(caught.value.remedy)
    engine = choose("auto", path_of(tmp_path), no_lock)
    assert isinstance(engine, LockedEngine)
    (answer,) = engine.evaluate(program("package t\ndeny := 1", "deny"), [{}])
    assert isinstance(answer, Broken)
    assert answer.kind == "unsupported"
    assert "1.21.1" in str(answer.remedy) and "make tools" in str(answer.remedy)


@pytest.mark.parametrize("opa", ["dev", "1.22", "1.23.0-rc1", ""])
def test_an_unclear_version_is_refused(tmp_path: Path, opa: str) -> None:
    fake_conftest(tmp_path, "exit 1", opa=opa)
    with pytest.raises(ToolFailure):
        choose("conftest", path_of(tmp_path), no_lock)


def test_without_conftest(tmp_path: Path) -> None:
    with pytest.raises(ToolFailure, match="not on PATH") as caught:
        choose("conftest", path_of(tmp_path), no_lock)
    assert "make tools" in str(caught.value.remedy)
    assert isinstance(choose("auto", path_of(tmp_path), no_lock), LockedEngine)
    assert isinstance(choose("auto", {"PATH": ".:relative"}, no_lock), LockedEngine), "never from the checkout"
    assert isinstance(choose("regopy", path_of(Path(tool("conftest")).parent), no_lock), LockedEngine)
    with pytest.raises(UsageError, match="no engine 'opa'"):
        choose("opa", {}, no_lock)


def test_a_conftest_that_fails_to_say(tmp_path: Path) -> None:
    path = fake_conftest(tmp_path, "exit 1")
    path.write_text("#!/bin/sh\necho garbage\n")
    with pytest.raises(ToolFailure, match="does not say which version"):
        choose("conftest", path_of(tmp_path), no_lock)
    assert isinstance(choose("auto", path_of(tmp_path), no_lock), LockedEngine)


@pytest.mark.parametrize("case", KNOWN_BAD, ids=lambda case: case.title[:30])
def test_the_conftest_at_hand_answers_what_others_get_wrong(case: KnownBad) -> None:
    assert not case.shown_by(conftest_engine())


def test_a_wrong_answer_shows() -> None:
    assert KNOWN_BAD[0].shown_by(Fixed((Values(([],)),)))


def test_versions() -> None:
    assert version_of("1.22.2") == (1, 22, 2)
    assert version_of("v1.9.10") == (1, 9, 10)
    assert known_bad("1.22.2") == ()
    assert known_bad("1.22.10") == ()
    assert known_bad("1.9.9") == KNOWN_BAD
    assert known_bad("main") is None


def test_the_shipped_capabilities_are_those_of_the_pinned_opa() -> None:
    opa = tool("opa")
    version = subprocess.run([opa, "version"], capture_output=True, text=True, check=True).stdout
    assert f"Version: {capabilities.OPA_VERSION}\n" in version, "regenerate: see policy/engines/capabilities.py"
    current = subprocess.run([opa, "capabilities", "--current"], capture_output=True, check=True).stdout
    assert capabilities.shipped().decode() == capabilities.render(json.loads(current))


def test_nothing_that_is_no_function_of_its_input_is_allowed() -> None:
    value = json.loads(capabilities.shipped())
    names = {builtin["name"] for builtin in value["builtins"]}
    assert value["allow_net"] == []
    assert not any(builtin.get("nondeterministic") for builtin in value["builtins"])
    assert not names & {"http.send", "opa.runtime", "time.now_ns", "net.lookup_ip_addr", "rand.intn", "uuid.rfc4122"}
    assert not any(name.startswith("parse_config") for name in names)
    assert {"time.parse_rfc3339_ns", "sprintf", "regex.match"} <= names


@dataclass(frozen=True)
class Fixed:
    answers: tuple[Answer, ...]
    name: str = "fixed"
    version: str = "1"

    def evaluate(self, program: Program, inputs: Sequence[Any]) -> list[Answer]:
        return list(self.answers)


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        (Values(([1],)), Values(([1.0],)), None),
        (Values((UNDEFINED,)), Values((UNDEFINED,)), None),
        (Values(([1],)), Values(([True],)), "disagreement"),
        (Values((UNDEFINED,)), Values((None,)), "disagreement"),
        (Values(([],)), Values((["no"],)), "disagreement"),
        (Values(([],)), Broken("x", "crash"), "crash"),
        (Broken("x", "timeout"), Values(([],)), "timeout"),
    ],
)
def test_only_what_both_say_is_an_answer(one: Answer, other: Answer, kind: str | None) -> None:
    for left, right in ((one, other), (other, one)):
        (answer,) = BothEngines(Fixed((left,)), Fixed((right,))).evaluate(program("package t", "deny"), [{}])
        assert (answer.kind if isinstance(answer, Broken) else None) == kind


def test_a_deny_that_regopy_alone_loses_is_not_lost() -> None:
    """regopy iterates nothing within a call's argument; the preflight takes the reference out."""
    rego = 'package t\nimport rego.v1\ndeny contains "x" if { some i; endswith(input.s[i].image, ":latest") }\n'
    engine = choose("both", path_of(Path(tool("conftest")).parent), no_lock)
    answers = engine.evaluate(program(rego, "deny"), [{"s": [{"image": "a:latest"}]}, {}])
    assert answers == [Values((["x"],)), Values(([],))]


def test_equality_of_json() -> None:
    assert same({"a": [1, None]}, {"a": [1.0, None]})
    for one, other in (([], {}), ([1], [1, 2]), ({"a": 1}, {"b": 1}), (0, False), ("1", 1), (None, False)):
        assert not same(one, other)


def test_regopy_alone_judges_what_the_lock_names(tmp_path: Path) -> None:
    asked = program("package t\nimport rego.v1\ndeny contains 1 if input.a\n", "deny")
    entry = Entry(program_digest(asked), True, "sha256:" + "0" * 64, 1, 1, 0, 1, 1)
    engine = choose("auto", path_of(tmp_path), lambda: Lock("1.22.2", regopy_version(), 1, {"t": entry}))
    assert engine.evaluate(asked, [{"a": 1}, {}]) == [Values(([1],)), Values(([],))]
    deep: object = 1
    for _ in range(300):
        deep = [deep]
    [beyond] = engine.evaluate(asked, [{"a": deep}])
    assert isinstance(beyond, Broken) and beyond.kind == "unsupported", "inputs beyond the proven class are refused"
    [other] = engine.evaluate(program("package t\ndeny := 1\n", "deny"), [{}])
    assert isinstance(other, Broken) and other.kind == "unsupported"
    assert "maestro policy parity --write" in str(other.remedy) and "install conftest: " in str(other.remedy)


def test_the_lock_is_not_read_where_conftest_judges() -> None:
    def never() -> Lock:
        raise AssertionError

    environ = path_of(Path(tool("conftest")).parent)
    for choice in ("auto", "conftest", "both"):
        [answer] = choose(choice, environ, never).evaluate(program("package t\nx := 1\n", "x"), [{}])
        assert answer == Values((1,))
