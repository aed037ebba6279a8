"""Decisions about one thing at several times: which are compared, and what is said where they disagree."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.recorded_decision import Phase, RecordedDecision
from runner.audit.disagreements import Cause, compare

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
PLACE = {"c0": 0, "c1": 1, "c2": 2, "c3": 3}
INPUTS: dict[str, Any] = {
    "noon": {"manifest": {"name": "a"}, "now": "12:00"},
    "night": {"manifest": {"name": "a"}, "now": "23:00"},
    "other": {"manifest": {"name": "a", "pool": "b"}, "now": "12:00"},
    "list": [1],
}


def decided(phase: Phase, commit: str = "c1", **changes: object) -> RecordedDecision:
    """A decision that allows."""
    made = RecordedDecision(
        made_at=NOW,
        phase=phase,
        commit=commit,
        policy_revision="c0",
        pack="mc.placement",
        pack_digest="sha256:1",
        mode="enforce",
        engine="conftest",
        subject="Manifest/a",
        path="manifests/a.yaml",
        owner=None,
        input_digest="noon",
        allow=True,
        reasons=(),
        error=None,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "causes"),
    [
        ({"pack_digest": "sha256:2"}, ("pack",)),
        ({"mode": "warn"}, ("pack",)),
        ({"input_digest": "night"}, ("time",)),
        ({"input_digest": "other"}, ("input",)),
        ({"input_digest": "list"}, ("input",)),
        ({"input_digest": "gone"}, ("input-erased",)),
        ({"engine": "regopy"}, ("engine",)),
        ({"pack_digest": "sha256:2", "input_digest": "night", "engine": "regopy"}, ("pack", "time", "engine")),
        ({}, ("unexplained",)),
    ],
    ids=str,
)
def test_what_differs_is_said(changes: dict[str, object], causes: tuple[Cause, ...]) -> None:
    later = decided("execution", allow=False, **changes)  # type: ignore[arg-type]
    found = compare([later, decided("merge")], PLACE, INPUTS.get)
    (one,) = found.found
    assert (one.earlier.phase, one.later.phase, one.causes) == ("merge", "execution", causes)
    assert found.rate == 1.0
    assert found.counts == {("mc.placement", "merge", "execution", causes[0]): 1}


def test_those_that_agree_are_only_counted() -> None:
    found = compare([decided("check"), decided("merge"), decided("execution")], PLACE, INPUTS.get)
    assert found.found == ()
    assert found.rate == 0.0
    assert sum(found.compared.values()) == 3


def test_an_execution_is_measured_by_the_last_merge_before_it() -> None:
    before = decided("merge", "c1", allow=False, input_digest="x")
    at = decided("merge", "c2", input_digest="y")
    after = decided("merge", "c3", allow=False, input_digest="z")
    found = compare([after, at, decided("execution", "c2", input_digest="w"), before], PLACE, INPUTS.get)
    assert found.compared == {("mc.placement", "merge", "execution"): 1}
    assert found.found == ()
    (one,) = compare([before, decided("execution", "c3", input_digest="w")], PLACE, INPUTS.get).found
    assert one.earlier is before


def test_a_clock_that_was_set_back_changes_no_order() -> None:
    late = decided("merge", made_at=NOW + dt.timedelta(days=9))
    (one,) = compare([late, decided("execution", allow=False)], PLACE, INPUTS.get).found
    assert (one.earlier, one.clock_stepped_back) == (late, True)


def test_what_is_about_something_else_is_not_compared() -> None:
    several = [
        decided("merge"),
        decided("execution", subject="Manifest/b", allow=False),
        decided("execution", pack="mc.flags", allow=False),
        decided("execution", "nowhere", input_digest="else", allow=False),
    ]
    found = compare(several, PLACE, INPUTS.get)
    assert (found.found, found.compared, found.rate) == ((), {}, None)


MADE = st.builds(
    decided,
    st.sampled_from(["check", "merge", "execution"]),
    st.sampled_from([*PLACE, "nowhere"]),
    allow=st.booleans(),
    input_digest=st.sampled_from([*INPUTS, "gone"]),
    engine=st.sampled_from(["conftest", "regopy"]),
    subject=st.sampled_from(["Manifest/a", "Manifest/b"]),
)


@given(st.lists(MADE, max_size=12))
def test_pairs_are_of_one_thing_and_counts_add_up(several: list[RecordedDecision]) -> None:
    found = compare(several, PLACE, INPUTS.get)
    for one in found.found:
        assert (one.earlier.pack, one.earlier.subject) == (one.later.pack, one.later.subject)
        assert one.earlier.allow != one.later.allow
        assert ["check", "merge", "execution"].index(one.earlier.phase) < ["check", "merge", "execution"].index(
            one.later.phase
        )
        assert one.causes
    assert sum(found.counts.values()) == len(found.found) <= sum(found.compared.values())
