from __future__ import annotations

import datetime as dt
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from maestro.findings import Location
from policy.pack import InputKind, Pack
from policy.simulation import Outcome, Subject, allowed, inputs_of, overridden

NOW = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
MANIFEST = {"metadata": {"name": "a"}, "spec": {"command": ["x"], "residency": ["eu"]}}
FLAG = {"metadata": {"name": "f", "owner": "@acme/x"}, "spec": {"type": "release"}}

scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=3)
)
objects = st.dictionaries(st.text(max_size=2), values, max_size=3)


def pack(input: InputKind, match: tuple[str, ...] = ()) -> Pack:
    return Pack(
        name="p", path="p", mode="enforce", owner=None, input=input, match=match, rego_version="v1",
        builtin_errors="strict", title=None, rules=(), modules={}, data={}, digest="sha256:0", location=Location("p"),
    )  # fmt: skip


@given(values, objects)
def test_every_member_given_stands_in_the_result(value: Any, changes: dict[str, Any]) -> None:
    def holds(result: Any, wanted: Any) -> bool:
        if isinstance(wanted, dict):
            return isinstance(result, dict) and all(
                key in result and holds(result[key], inner) for key, inner in wanted.items()
            )
        return bool(result == wanted)

    result = overridden(value, changes)
    assert holds(result, changes)
    assert overridden(result, changes) == result
    for key in value if isinstance(value, dict) else ():
        assert key in result
        if key not in changes:
            assert result[key] == value[key]


def test_each_pack_is_given_what_it_asks_for() -> None:
    manifest = Subject("Manifest", (MANIFEST,), "manifests/a.yaml")
    [request] = inputs_of(pack("placement-request"), manifest, [], NOW, named=False)
    assert request["request"]["residency"] == ["eu"] and request["now"] == "2026-12-01T00:00:00Z"
    [change] = inputs_of(pack("manifest-change"), manifest, [], NOW, named=False)
    assert change["manifest"] == MANIFEST and change["before"] is None
    assert inputs_of(pack("flag-change"), manifest, [], NOW, named=True) == []
    flag = Subject("Flag", (FLAG,), None)
    [change] = inputs_of(pack("flag-change"), flag, [], NOW, named=False)
    assert change["flag"]["key"] == "f" and change["flag"]["add"] is True
    assert inputs_of(pack("placement-request"), flag, [], NOW, named=True) == []


def test_plain_documents_go_where_the_pattern_says_unless_the_pack_is_named() -> None:
    inside = Subject(None, ({"a": 1}, [{"b": 2}, {"c": 3}]), "k8s/a.yaml")
    outside = Subject(None, inside.documents, None)
    elements = [{"a": 1}, {"b": 2}, {"c": 3}]
    judging = pack("document", ("k8s/**",))
    assert inputs_of(judging, inside, [], NOW, named=False) == elements
    assert inputs_of(pack("document", ("charts/**",)), inside, [], NOW, named=False) == []
    assert inputs_of(judging, outside, [], NOW, named=False) == []
    assert inputs_of(judging, outside, [], NOW, named=True) == elements


def test_nothing_asked_is_not_allowed() -> None:
    nothing: list[Outcome] = []
    assert not allowed(nothing)
