from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro.documents.second_reading import agreed, same
from maestro.documents.writing import written


@pytest.mark.parametrize(
    "text",
    [
        "ttl: 2027-01-31\n",
        "{a: 1, b: [true, null, 1.5, 'x']}\n",
        "a: no\nb: 0o14\nc: '1'\n",
        "# nothing but a comment before\na: |\n  text\n---\nb: 2\n",
    ],
)
def test_two_parsers_agree_on_sound_text(text: str) -> None:
    assert agreed("a.yaml", text)


@pytest.mark.parametrize("text", ["a: [\n", "a: 1\na: 2\n", "a: !!python/object:x {}\n"])
def test_what_cannot_be_read_is_not_agreed_on(text: str) -> None:
    assert not agreed("a.yaml", text)


@given(st.text(max_size=20))
def test_texts_that_we_write_are_agreed_on(text: str) -> None:
    try:
        scalar = written(text)
    except ValueError:
        return
    assert agreed("a.yaml", f"key: {scalar}\n")


def test_types_are_told_apart() -> None:
    assert same({"a": [1, "x"]}, {"a": [1, "x"]})
    assert not same(1, True)
    assert not same(1, 1.0)
    assert not same("1", 1)
    assert not same([1], [1, 2])
    assert not same({"a": 1}, {"b": 1})
