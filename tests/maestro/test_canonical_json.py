"""Canonical JSON: equal values, equal bytes; nothing that is not JSON gets a digest."""

from __future__ import annotations

import enum
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rfc8785 import dumps as jcs

from maestro.canonical_json import digest, digest_of_bytes, dumps

BMP_TEXT = st.text(st.characters(exclude_categories=["Cs"], max_codepoint=0xFFFF))
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SAFE = st.integers(-(2**53) + 1, 2**53 - 1)


def json_values(text: st.SearchStrategy[str], number: st.SearchStrategy[int]) -> st.SearchStrategy[object]:
    scalars = st.none() | st.booleans() | number | text
    return st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=20)


@given(json_values(BMP_TEXT, SAFE))
def test_agrees_with_rfc_8785_where_the_module_says_so(value: object) -> None:
    assert dumps(value) == jcs(value)  # type: ignore[arg-type]


@given(json_values(TEXT, st.integers()) | st.floats(allow_nan=False, allow_infinity=False))
def test_reads_back_as_the_same_value(value: object) -> None:
    again = json.loads(dumps(value))
    assert again == value
    assert type(again) is type(value)


@given(st.dictionaries(TEXT, SAFE))
def test_the_order_of_keys_does_not_matter(value: dict[str, int]) -> None:
    assert dumps(dict(reversed(value.items()))) == dumps(value)


def test_sorts_by_code_point_not_by_utf16_unit() -> None:
    assert dumps({"\U0001f600": 1, "\uff5e": 2}) == '{"\uff5e":2,"\U0001f600":1}'.encode()


def test_numbers_keep_their_digits_and_their_kind() -> None:
    assert dumps([2**70, 1, 1.0, 0.1, True, None]) == b"[1180591620717411303424,1,1.0,0.1,true,null]"


def test_digest_is_sha256_of_the_bytes() -> None:
    expected = "sha256:" + hashlib.sha256(b'{"a":[]}').hexdigest()
    assert digest({"a": []}) == digest_of_bytes(b'{"a":[]}') == expected


def _circle() -> list[object]:
    circle: list[object] = []
    circle.append(circle)
    return circle


def _deep() -> list[object]:
    deep: list[object] = []
    for _ in range(200_000):
        deep = [deep]
    return deep


class Colour(enum.Enum):
    RED = 1


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), "\ud800", {"\udfff": 1}, {1: 2}, {None: 2}, [{"a": {True: 1}}], b"x", {1}, Colour.RED],
    ids=repr,
)
def test_refuses_what_is_not_json(value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        dumps(value)


@pytest.mark.parametrize("make", [_circle, _deep])
def test_refuses_what_never_ends(make: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        dumps(make())  # type: ignore[operator]
