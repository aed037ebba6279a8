"""Whether a check binds: what CODEOWNERS leaves open, what a branch's rules require."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gates.binding import required, uncovered
from maestro.codeowners import parse

STATUS = {
    "type": "required_status_checks",
    "parameters": {"required_status_checks": [{"context": "maestro check"}, {"context": "build"}]},
}
REVIEW = {"type": "pull_request", "parameters": {"require_code_owner_review": True}}
WORKFLOW = {"type": "workflows", "parameters": {"workflows": [{"path": ".github/workflows/maestro.yml"}]}}


def test_what_nobody_owns() -> None:
    owners = parse(b"* @acme/all\n/policy/ @acme/platform\n/maestro.yaml\n")
    assert uncovered(owners, ["policy/a/b.rego", "maestro.yaml", "waivers/a.yaml"]) == ("maestro.yaml",)


@pytest.mark.parametrize(
    ("rules", "binds", "missing"),
    [
        ([WORKFLOW], True, 0),
        ([STATUS, REVIEW], True, 0),
        ([STATUS], False, 1),
        ([REVIEW], False, 1),
        ([], False, 2),
        ([{"type": "pull_request", "parameters": {"require_code_owner_review": False}}, STATUS], False, 1),
        ([{"type": "workflows", "parameters": {"workflows": [{"path": ".github/workflows/build.yml"}]}}], False, 2),
    ],
)
def test_what_the_rules_require(rules: list[dict[str, Any]], binds: bool, missing: int) -> None:
    answer, said = required(rules)
    assert (answer, len(said)) == (binds, missing)


json = st.recursive(
    st.none() | st.booleans() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
kinds = st.sampled_from(["workflows", "required_status_checks", "pull_request", "other"])


@given(st.lists(st.fixed_dictionaries({"type": kinds | json, "parameters": json | st.dictionaries(kinds, json)})))
def test_any_answer_is_understood_and_garbage_never_binds(rules: list[dict[str, Any]]) -> None:
    binds, missing = required(rules)
    assert not binds
    assert missing
