from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro.findings import Mode
from policy.decide import Decision, Reason
from policy.placement import CLOUDS, Placement, Refusal, place, read_placement

ALLOW = {"allow": True, "cloud": "gcp", "region": "europe-west1", "class": "batch", "pool": "gcp-europe"}
EUROPE = Placement("gcp", "europe-west1", "batch", "gcp-europe")
DENY: dict[str, Any] = {
    "allow": False,
    "reason": "residency",
    "message": "no pool keeps data within eu",
    "remedy": "nearest is pool gcp-europe: ask for region europe-west1",
    "nearest": {**ALLOW, "relax": ["region"]},
    "considered": [],
}


def decision(value: Any, *, mode: Mode = "enforce", allow: bool | None = None, **more: Any) -> Decision:
    said = value.get("allow") if isinstance(value, dict) else False
    return Decision(
        pack="mc.placement",
        mode=mode,
        engine="test",
        allow=bool(said) if allow is None else allow,
        value=value,
        reasons=more.pop("reasons", ()),
        pack_digest="sha256:0",
        input_digest="sha256:0",
        **more,
    )


def test_an_allow_becomes_a_placement() -> None:
    assert read_placement(ALLOW) == EUROPE
    assert str(EUROPE) == "gcp europe-west1, class batch (pool gcp-europe)"
    assert EUROPE.as_json() == {key: ALLOW[key] for key in ("cloud", "region", "class", "pool")}


def test_the_sprint_plans_answer_has_capitals_and_no_pool() -> None:
    value = {"allow": True, "cloud": "AWS", "region": "us-west-2", "class": "batch"}
    assert read_placement(value) == Placement("aws", "us-west-2", "batch", None)


def test_a_deny_keeps_its_explanation() -> None:
    assert read_placement(DENY) == Refusal(
        "residency", DENY["message"], DENY["remedy"], nearest=EUROPE, relax=("region",)
    )
    assert read_placement({"allow": False, "reason": "no_match"}) == Refusal(
        "no_match", "no placement is allowed: no_match"
    )


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        [],
        {},
        {"allow": "true"},
        {"allow": 1, **{key: ALLOW[key] for key in ("cloud", "region", "class")}},
        {**ALLOW, "cloud": "azure"},
        {**ALLOW, "region": ""},
        {**ALLOW, "class": None},
        {**ALLOW, "pool": 7},
    ],
)
def test_what_is_not_an_allow_is_malformed(value: Any) -> None:
    answer = read_placement(value)
    assert isinstance(answer, Refusal)
    assert answer.reason == "malformed"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "allow": json_values | st.just(True),
            "cloud": json_values | st.sampled_from(["aws", "GCP", "local"]),
            "region": json_values | st.just("us-west-2"),
            "class": json_values | st.just("batch"),
            "pool": json_values,
            "reason": json_values,
            "message": json_values,
            "nearest": json_values | st.just({**ALLOW, "relax": [1, "region"]}),
        },
    )
    | json_values
)
def test_nothing_but_a_whole_allow_places(value: Any) -> None:
    answer = read_placement(value)
    if isinstance(answer, Placement):
        assert value["allow"] is True
        assert answer.cloud in CLOUDS
        assert answer.region == value["region"] and answer.class_ == value["class"]
    else:
        assert answer.reason and answer.message


def test_no_enforced_pack_is_no_placement() -> None:
    for decisions in ([], [decision(ALLOW, mode="warn")], [decision(ALLOW, mode="shadow")]):
        answer = place(decisions)
        assert isinstance(answer, Refusal) and answer.reason == "no_pack"


def test_a_pack_that_only_watches_changes_nothing() -> None:
    assert (
        place([decision(ALLOW), decision(DENY, mode="shadow"), decision(None, mode="warn", error="broken")]) == EUROPE
    )


def test_an_error_is_no_placement_even_beside_an_allow() -> None:
    answer = place([decision(ALLOW), decision(ALLOW, error="killed", allow=False)])
    assert isinstance(answer, Refusal) and answer.reason == "errored" and "killed" in answer.message


def test_one_deny_is_enough() -> None:
    answer = place([decision(ALLOW), decision(DENY)])
    assert isinstance(answer, Refusal) and answer.reason == "residency"


def test_a_rule_beside_the_decision_denies_too() -> None:
    reasons = (Reason("mc.placement/hint", "warn", "hm"), Reason("mc.placement/freeze", "enforce", "no runs today"))
    answer = place([decision(ALLOW, allow=False, reasons=reasons)])
    assert answer == Refusal("freeze", "no runs today")


def test_packs_must_agree() -> None:
    answer = place([decision(ALLOW), decision({**ALLOW, "region": "us-central1"})])
    assert isinstance(answer, Refusal) and answer.reason == "disagreement"
    assert place([decision(ALLOW), decision(dict(ALLOW))]) == EUROPE
