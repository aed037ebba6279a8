from __future__ import annotations

import datetime as dt
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from maestro import canonical_json
from policy.inputs import document_input, flag_change_input, manifest_change_input, placement_request, time_text

NOW = dt.datetime(2026, 12, 1, 10, 30, 5, 999, tzinfo=dt.timezone(dt.timedelta(hours=2)))
FLAG = {
    "kind": "Flag",
    "metadata": {"name": "checkout-v2", "owner": "@acme/checkout"},
    "spec": {"type": "release", "ttl": "2027-02-01", "key": "not this"},
}
POOLS = [
    {
        "metadata": {"name": "b"},
        "spec": {"cloud": "gcp", "region": "r", "classes": ["batch"], "size": 2, "drained": True},
    },
    {"metadata": {"name": "a", "owner": "@acme/x"}, "spec": {"cloud": "aws", "residency": ["eu"]}},
]


def test_a_flag_and_what_it_was() -> None:
    assert time_text(NOW) == "2026-12-01T08:30:05Z"
    flag = {"key": "checkout-v2", "owner": "@acme/checkout", "type": "release", "ttl": "2027-02-01"}
    assert flag_change_input(None, FLAG, NOW) == {"flag": {**flag, "add": True}, "before": None, "now": time_text(NOW)}
    changed = flag_change_input(FLAG, FLAG, NOW)
    assert changed["flag"]["add"] is False
    assert changed["before"] == flag
    assert flag_change_input(FLAG, None, NOW)["flag"] is None


def test_a_manifest_and_what_it_was() -> None:
    assert manifest_change_input(None, {"spec": 1}, NOW) == {
        "manifest": {"spec": 1},
        "before": None,
        "now": "2026-12-01T08:30:05Z",
    }
    assert document_input([1]) == [1]


def test_a_placement_request() -> None:
    manifest = {"spec": {"region": "eu-1", "residency": ["eu"], "command": ["x"]}}
    asked = placement_request(manifest, POOLS, NOW)
    assert asked["request"] == {"class": "batch", "region": "eu-1", "residency": ["eu"]}
    assert asked["manifest"] == manifest
    assert [pool["name"] for pool in asked["pools"]] == ["a", "b"]
    assert asked["pools"][0] == {
        "name": "a",
        "owner": "@acme/x",
        "cloud": "aws",
        "residency": ["eu"],
        "export_control": [],
        "drained": False,
    }
    assert asked["pools"][1]["drained"] is True
    assert placement_request(manifest, POOLS[::-1], NOW) == asked, "the order of files decides nothing"


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=2),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(st.sampled_from(["metadata", "spec", "name", "owner", "class"]), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_odd_documents_are_passed_on(value: Any) -> None:
    for made in (
        flag_change_input(value, value, NOW),
        manifest_change_input(value, value, NOW),
        placement_request(value, [value, *POOLS], NOW),
    ):
        assert made["now"] == "2026-12-01T08:30:05Z"
        canonical_json.dumps(made)
