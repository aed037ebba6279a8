from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.engines.engine import Program
from policy.preflight import types
from policy.preflight.argument_types import Taken, Uses, assumptions
from policy.preflight.parser import Refused
from policy.preflight.program import Objection, read
from policy.preflight.types import ANY, BOOLEAN, NULL, NUMBER, STRING, Type

X: Type = {"type": "any", "arguments": ["x"]}
KEYS = st.sampled_from(["a", "b"])
TYPES = st.recursive(
    st.sampled_from([ANY, X, STRING, NUMBER, BOOLEAN, NULL]),
    lambda inner: (
        st.builds(lambda of: {"type": "set", "of": of}, inner)
        | st.builds(lambda static: {"type": "array", "static": static}, st.lists(inner, max_size=2))
        | st.builds(lambda static, of: {"type": "array", "static": static, "dynamic": of}, st.lists(inner), inner)
        | st.builds(
            lambda static: {"type": "object", "static": [{"key": key, "value": of} for key, of in static.items()]},
            st.dictionaries(KEYS, inner),
        )
        | st.builds(
            lambda key, of: {"type": "object", "static": [], "dynamic": {"key": key, "value": of}}, inner, inner
        )
        | st.builds(lambda members: types.union(members), st.lists(inner, min_size=1, max_size=3))
    ),
    max_leaves=6,
)


def accepted(rego: str) -> Objection | None:
    found = read(Program({"t.rego": f"package t\n\n{rego}\n".encode()}, {}, ("data.t.x",)))
    return found if isinstance(found, Objection) else None


@given(TYPES, TYPES)
def test_what_is_noted_names_no_argument(of: Type, wanted: Type) -> None:
    uses = Uses()
    uses.note(of, wanted)
    for asked in uses.found.get("x", []):
        assert types.plain(asked) == asked
        assert types.alternatives(asked) is not None


@given(TYPES)
def test_without_names_a_type_is_as_wide(of: Type) -> None:
    plain = types.plain(of)
    assert "x" not in str(plain)
    assert types.kinds(plain) == types.kinds(of)
    assert types.plain(plain) == plain


@given(TYPES, TYPES)
def test_what_overlaps_does_so_both_ways(one: Type, other: Type) -> None:
    assert types.overlap(one, other) == types.overlap(other, one)
    assert types.overlap(one, ANY)


@given(TYPES)
def test_an_argument_alone_is_noted_as_what_is_wanted(wanted: Type) -> None:
    uses = Uses()
    uses.note(X, wanted)
    stated = types.stated(wanted)
    asked = None if stated is None else types.plain(types.union(stated), untyped=types.NOTHING)
    assert uses.found == ({} if asked is None else {"x": [asked]})


def test_a_union_with_an_argument_is_stated_without_it() -> None:
    found = types.union([STRING, X, NUMBER])
    assert (types.alternatives(found), types.stated(found)) == (None, [STRING, NUMBER])
    assert types.union([STRING, X, ANY]) == ANY
    assert not types.overlap(found, BOOLEAN)
    assert types.kinds(found) is None
    assert types.is_untyped(types.union([X, types.UNTYPED]))
    assert not types.is_untyped(found)


def test_what_a_comprehension_has_of_an_argument_is_nothing_else() -> None:
    closed = types.closed({"type": "array", "dynamic": X})
    assert types.overlap(closed, {"type": "array", "dynamic": ANY})
    assert not types.overlap(closed, {"type": "array", "dynamic": STRING})
    assert types.is_untyped(closed)


@pytest.mark.parametrize(
    ("of", "wanted"),
    [
        ({"type": "array", "static": [NUMBER, X]}, {"type": "array", "dynamic": STRING}),
        ({"type": "array", "dynamic": X}, {"type": "array", "static": [STRING]}),
        ({"type": "set", "of": X}, {"type": "set", "of": STRING}),
        ({"type": "object", "static": [{"key": "a", "value": X}]},
         {"type": "object", "static": [], "dynamic": {"key": STRING, "value": STRING}}),
        ({"type": "object", "static": [], "dynamic": {"key": X, "value": ANY}},
         {"type": "object", "static": [], "dynamic": {"key": STRING, "value": ANY}}),
        ({"type": "any", "of": [NUMBER, {"type": "set", "of": X}]}, {"type": "set", "of": STRING}),
    ],
)  # fmt: skip
def test_an_argument_within_is_found(of: Type, wanted: Type) -> None:
    uses = Uses()
    uses.note(of, wanted)
    assert STRING in uses.found["x"]


def test_each_combination_is_tried_and_too_many_are_refused() -> None:
    assert assumptions(Uses(), (1, 1)) == []
    two = Uses({"x": [STRING, NUMBER], "y": [NULL]})
    assert assumptions(two, (1, 1)) == [{"x": STRING, "y": NULL}, {"x": NUMBER, "y": NULL}]
    with pytest.raises(Refused, match="too many types"):
        assumptions(Uses({name: [STRING, NUMBER] for name in "abcde"}), (1, 1))


def test_a_function_takes_what_one_of_its_bodies_takes() -> None:
    taken = Taken()
    taken.add([STRING])
    assert taken.refuses(NUMBER)
    taken.add([NUMBER])
    assert not taken.refuses(NUMBER)
    assert taken.refuses(NULL)
    assert taken.unions((1, 1)) == [{"type": "any", "of": [STRING, NUMBER]}]
    taken.add([])
    assert not taken.refuses(NULL)
    assert taken.unions((1, 1)) == [ANY]


def test_a_body_with_several_possible_types_refuses_what_one_of_them_refuses() -> None:
    taken = Taken()
    taken.add([STRING, NUMBER])
    assert taken.refuses(STRING)
    assert taken.unions((1, 1)) == [STRING, NUMBER]
    for count in range(40):
        with_key: Any = {"type": "object", "static": [{"key": str(count), "value": ANY}]}
        taken.add([with_key, NULL])
        if count > 4:
            break
    with pytest.raises(Refused, match="too many types"):
        taken.unions((1, 1))


@pytest.mark.parametrize(
    "rego",
    [
        'f(y) if startswith(y, "a")\nx if f(input.a)',
        'f(y) := 1 if lower(y) == "a"\nelse := 2 if y + 1 == 2\nx := f(input.a)',
        'f("a", y) if y.b\nf("c", y) if y.d\nx if f(input.a, input)',
        'f(y) := {"said": concat(",", y)}\nx := f(input.a)',
        "f(y) := y.a\ng(y) := f(y) if y.b\nx := g(input)",
        'default f(y) := 1\nf(y) := 2 if lower(y) == "a"\nx := f([1])',
    ],
)
def test_what_people_write_is_read(rego: str) -> None:
    assert accepted(rego) is None


def test_the_message_says_where() -> None:
    assert str(accepted('f(y) if { y + 1 == 2; startswith(y, "a") }\nx if f(input.a)')) == (
        "t.rego:3:34: startswith cannot take this: OPA refuses to compile it"
    )
