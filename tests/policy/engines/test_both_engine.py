"""A disagreement is a deny that shows both answers and the smallest input."""

from __future__ import annotations

import json
from typing import Any

import pytest

from policy.decide import decide
from policy.engines.both_engine import BothEngines
from policy.engines.engine import Answer, Broken, Values
from policy.simulation import Outcome, allowed, as_json, as_text
from tests.policy.engines.conftest_here import conftest_engine
from tests.policy.engines.lying import Lying, loses_deny
from tests.policy.memory_files import pack_of

RULE = """\
# METADATA
# custom: {mode: MODE, match: ["**"]}
package p

import rego.v1

deny_large contains msg if {
	input.spec.size > 3
	msg := sprintf("%v is too large", [input.spec.size])
}
"""
DOCUMENT = {"kind": "Thing", "spec": {"size": 7, "more": ["x", "y"]}, "labels": {"a": "b"}}


def both(second: Any) -> BothEngines:
    return BothEngines(conftest_engine(), second)


@pytest.mark.parametrize("mode", ["enforce", "warn", "shadow"])
def test_a_deny_that_one_engine_loses(mode: str) -> None:
    engine = both(loses_deny(lambda value: value.get("kind") == "Thing"))
    fine, disputed = decide(pack_of(RULE.replace("MODE", mode)), [{"spec": {"size": 7}}, DOCUMENT], engine)
    assert fine.disagreement is None and [reason.message for reason in fine.reasons] == ["7 is too large"]
    assert not disputed.allow, "whatever the mode"
    assert disputed.error is None
    [reason] = disputed.reasons
    assert (reason.rule, reason.mode) == ("mc.policy/engines_disagree", "enforce")
    assert 'conftest: {"value": ["7 is too large"]}; regopy: {"value": []}' in reason.message
    assert disputed.disagreement is not None
    assert disputed.disagreement.smallest == {"kind": "Thing", "spec": {"size": 7}}
    assert json.dumps(disputed.disagreement.smallest) in reason.message
    outcome = Outcome(disputed, places=False)
    assert not allowed([outcome])
    [shown] = json.loads(as_json([outcome]))["decisions"]
    assert shown["disagreement"] == {
        "entrypoint": "data.p.deny_large",
        "answers": {"conftest": {"value": ["7 is too large"]}, "regopy": {"value": []}},
        "smallest_input": {"kind": "Thing", "spec": {"size": 7}},
    }
    assert "error" not in shown
    text = as_text([outcome], colour=False)
    assert text.startswith("DENY ") and "engines_disagree" in text and "denied by 1 of 1" in text


def test_an_error_that_one_engine_misses() -> None:
    """Rego says that this breaks; an engine that goes on answers something else."""
    rego = "package p\nimport rego.v1\ndeny contains x if x := to_number(input.n)\n"
    engine = both(Lying(lambda value: Values(([],)) if "n" in value else None))
    broken, fine = engine.evaluate(pack_of(rego).program(), [{"n": "x", "m": 1}, {}])
    assert fine == Values(([],))
    assert isinstance(broken, Broken) and broken.seen is not None
    assert broken.kind == "disagreement"
    assert broken.seen.smallest == {"n": ""}
    assert "to_number" in broken.seen.answers["conftest"]["error"]
    assert broken.seen.answers["regopy"] == {"value": []}


@pytest.mark.parametrize("kind", ["unsupported", "builtin", "crash", "timeout", "memory"])
def test_no_second_opinion_is_no_disagreement(kind: Any) -> None:
    engine = both(Lying(lambda value: Broken("no", kind)))
    [decision] = decide(pack_of(RULE.replace("MODE", "enforce")), [DOCUMENT], engine)
    assert (decision.allow, decision.error, decision.error_kind) == (False, "regopy: no", kind)
    assert decision.disagreement is None


def test_the_smallest_is_the_smallest_of_all_that_show_it() -> None:
    asked: list[int] = []

    def instead(value: Any) -> Answer | None:
        asked.append(1)
        spec = value.get("spec")
        return Values(([],)) if isinstance(spec, dict) and spec.get("size", 0) > 5 else None

    engine = both(Lying(instead))
    documents = [{"spec": {"size": number}, "padding": "x" * number} for number in range(4, 40)]
    found = engine.evaluate(pack_of(RULE.replace("MODE", "enforce")).program(), documents)
    seen = [answer.seen for answer in found if isinstance(answer, Broken) and answer.seen is not None]
    assert len(seen) == 34
    assert {json.dumps(one.smallest) for one in seen} == {'{"spec": {"size": 6}}'}
    assert len(asked) < 36 + 200, "one search, not one per document"
