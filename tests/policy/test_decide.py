from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.decide import Decision, Reason, decide, exception_name
from policy.engines.engine import UNDEFINED, Answer, Broken, Program, Values
from policy.pack import Pack
from tests.policy.engines.conftest_here import conftest_engine
from tests.policy.memory_files import pack_of


@dataclass(frozen=True)
class Fixed:
    """An engine that gives the same answer to everything."""

    answers: tuple[Answer, ...]
    name: str = "fixed"
    version: str = "1"

    def evaluate(self, program: Program, inputs: Sequence[Any]) -> list[Answer]:
        return list(self.answers)


OWN = pack_of("package p\ndeny_a contains 1\nwarn_b contains 1\n")
CONFTEST = pack_of(
    "package main\ndeny_a contains 1\nwarn_b contains 1\n", "[{path: 'policy/packs/p', namespace: main, match: ['**']}]"
)
PLACEMENT = pack_of('# METADATA\n# custom: {input: placement-request}\npackage place\ndecision := {"allow": true}')


def one(pack: Pack, *values: Any, judged: Any = None) -> Decision:
    (decision,) = decide(pack, [judged], Fixed((Values(values),)))
    return decision


def test_reasons_have_the_mode_and_the_id_of_their_rule() -> None:
    item = {"msg": "m", "path": ["spec", 0, "x"], "remedy": "do", "fix": {"a": 1}, "rule": "own-name"}
    decision = one(OWN, ["text", item], ["careful"])
    assert decision.reasons == (
        Reason("p/a", "enforce", "text"),
        Reason("p/own-name", "enforce", "m", "do", ("spec", 0, "x"), {"a": 1}),
        Reason("p/b", "warn", "careful"),
    )
    assert not decision.allow
    assert decision.error is None
    assert decision.passes == 0


@pytest.mark.parametrize("nothing", [UNDEFINED, [], {}, False])
def test_nothing_to_say(nothing: Any) -> None:
    decision = one(OWN, nothing, [])
    assert (decision.allow, decision.reasons, decision.passes, decision.error) == (True, (), 2, None)


@pytest.mark.parametrize("pack", [OWN, CONFTEST])
@pytest.mark.parametrize(
    "value", [True, None, 0, 1.5, "text", {"a": []}, [""], [1], [None], [["x"]], [{}], [{"msg": ""}], [{"msg": 1}]]
)
def test_what_conftest_would_drop_is_an_error(pack: Pack, value: Any) -> None:
    pairs: list[tuple[Any, Any]] = [(value, []), ([], value)]
    for values in pairs:
        decision = one(pack, *values)
        assert not decision.allow, "in a warn rule as well: nobody knows what it meant to say"
        assert decision.error


@pytest.mark.parametrize("member", [{"rule": "a b"}, {"rule": 1}, {"path": 1}, {"path": "a"}, {"path": [True]}])
def test_members_that_do_not_fit(member: dict[str, Any]) -> None:
    item = {"msg": "m", **member}
    assert one(OWN, [item], []).error is not None
    free = one(CONFTEST, [item], [])
    assert free.error is None, "other members are free in a pack written for conftest"
    assert free.reasons == (Reason("main/a", "enforce", "m"),)


def test_json_pointers() -> None:
    judged = {"a/b": [{"~": 1}], "0": {"1": 2}}

    def at(path: str) -> Any:
        return one(OWN, [{"msg": "m", "path": path}], [], judged=judged).reasons[0].pointer

    assert at("/a~1b/0/~0") == ("a/b", 0, "~")
    assert at("/0/1") == ("0", "1")
    assert at("/absent/3") == ("absent", 3)
    assert at("") == ()


@pytest.mark.parametrize("kind", ["builtin", "timeout", "unsupported", "disagreement"])
def test_no_answer_is_never_an_allow(kind: Any) -> None:
    for mode in ("enforce", "warn", "shadow"):
        pack = pack_of(f"# METADATA\n# custom: {{mode: {mode}}}\npackage p\ndeny contains 1")
        (decision,) = decide(pack, [{}], Fixed((Broken("it broke", kind, "mend it"),)))
        assert (decision.allow, decision.error, decision.remedy) == (False, "it broke", "mend it")


def test_an_engine_that_answers_too_little() -> None:
    decisions = decide(OWN, [{}, {}], Fixed((Values(([], [])),)))
    assert [decision.allow for decision in decisions] == [False, False]


def test_an_input_that_is_not_json() -> None:
    decision = one(OWN, [], [], judged=float("nan"))
    assert not decision.allow
    assert str(decision.error).startswith("the input is not JSON")


@pytest.mark.parametrize(
    ("rule", "name"),
    [("deny", ""), ("warn", ""), ("deny_a_b", "a_b"), ("violation_deny_x", "x"), ("warn_deny", "deny")],
)
def test_the_names_by_which_exceptions_silence(rule: str, name: str) -> None:
    assert exception_name(rule) == name


@pytest.mark.parametrize("value", [[["a"]], [["x"], ["a", 1]], {"k": ["a"]}, [{"k": "a"}], {"k": {"j": "a"}}])
def test_exceptions(value: Any) -> None:
    pack = pack_of("package p\ndeny_a contains 1\ndeny contains 2\nexception contains [1]")
    decision = one(pack, ["no"], [], value)
    assert (decision.allow, decision.excepted, decision.passes) == (True, ("p/a",), 1)
    decision = one(pack, ["no"], ["no"], [[""]])
    assert [reason.rule for reason in decision.reasons] == ["p/a"]
    assert decision.excepted == ("p/deny",)


@pytest.mark.parametrize("value", [UNDEFINED, [], ["a"], "a", None, 7, [[1]], [[["a"]]]])
def test_what_excepts_nothing(value: Any) -> None:
    pack = pack_of("package p\ndeny_a contains 1\nexception contains [1]")
    assert not one(pack, ["no"], value).allow


def test_placement() -> None:
    value = {"allow": True, "cloud": "aws", "region": "x", "class": "batch"}
    assert one(PLACEMENT, value).value == value
    assert one(PLACEMENT, value).allow
    undefined = one(PLACEMENT, UNDEFINED)
    assert not undefined.allow
    assert undefined.reasons[0].rule == "place/decision"
    assert undefined.reasons[0].message.startswith("no decision")


@pytest.mark.parametrize(
    ("given", "rule", "message"),
    [
        ({"reason": "residency", "message": "nowhere", "remedy": "r"}, "place/residency", "nowhere"),
        ({"reason": "no pool is left"}, "place/decision", "no pool is left"),
        ({"reasons": ["a"]}, "place/decision", "a"),
        ({"reasons": [{"msg": "a", "rule": "x"}]}, "place/x", "a"),
        ({"message": "m"}, "place/decision", "m"),
        ({}, "place/decision", "denied; the pack gives no reason"),
        ({"reasons": 7}, "place/decision", "denied; the pack gives no reason"),
    ],
)
def test_a_placement_denied(given: dict[str, Any], rule: str, message: str) -> None:
    decision = one(PLACEMENT, {"allow": False, **given})
    assert not decision.allow
    assert [(reason.rule, reason.message) for reason in decision.reasons] == [(rule, message)]


@pytest.mark.parametrize("value", [None, True, [], {}, {"allow": "true"}, {"allow": 1}, "allow"])
def test_a_placement_that_says_nothing_clear(value: Any) -> None:
    decision = one(PLACEMENT, value)
    assert not decision.allow
    assert decision.error


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["msg", "rule", "path", "k"]), inner)
        ),
        max_leaves=6,
    )
)
def test_whatever_a_rule_answers_only_nothing_is_an_allow(value: Any) -> None:
    for pack in (OWN, CONFTEST):
        decision = one(pack, value, [])
        assert decision.allow == (value in ([], {}) or value is False)


def test_decisions_cite_what_was_decided_about_what() -> None:
    (one_decision, other) = decide(OWN, [{"a": 1}, {"a": 2}], conftest_engine())
    assert one_decision.pack_digest == OWN.digest
    assert one_decision.engine == "conftest"
    assert one_decision.input_digest.startswith("sha256:")
    assert one_decision.input_digest != other.input_digest
