"""Builtins that are computed here against OPA: arguments at random, few of each.

`python -m policy.conformance.builtins` asks for as many as wanted."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.conformance.builtins import names, prove
from policy.engines.regopy_calls import Calls
from policy.engines.regopy_engine import RegopyEngine
from policy.preflight.builtins import ALLOWED, declared
from policy.preflight.computed.table import COMPUTED
from policy.preflight.computed.values import a_set, array, read, write
from policy.preflight.text import reserved
from tests.policy.engines.conftest_here import conftest_engine


@pytest.mark.parametrize("name", sorted(COMPUTED))
def test_computed_as_opa_does(name: str) -> None:
    tally, different = prove(name, 20261202, 20, conftest_engine(), RegopyEngine(""))
    assert different == []
    assert sum(tally.values()) >= 20


def test_nothing_is_both_regopys_and_ours() -> None:
    assert not ALLOWED & COMPUTED.keys()
    assert COMPUTED.keys() <= declared().keys()
    assert set(names()) >= COMPUTED.keys()


TEXT = st.text(st.characters(exclude_categories=["Cs"])).filter(lambda text: not reserved(text))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: (
        st.lists(inner, max_size=4).map(array)
        | st.lists(inner, max_size=4).map(a_set)
        | st.dictionaries(TEXT, inner, max_size=4)
    ),
    max_leaves=12,
)


@given(VALUES)
def test_a_value_is_read_as_it_was_written(value: object) -> None:
    assert read(write(value)) == value


@given(st.text())
def test_what_is_no_value_is_an_error(text: str) -> None:
    try:
        read(text)
    except ValueError:
        return
    assert read(write(read(text))) == read(text)


def test_a_question_that_is_none_and_one_asked_twice_break_the_input() -> None:
    calls = Calls()
    line = json.dumps(["0" * 32, ["max", [[1]]]])
    assert calls.learn([line], 10) is None
    assert calls.beside(b"{}") == b'{"input":{},"00":{"' + b"0" * 32 + b'":[["max", [[1]]],1]}}'
    for wrong in (line, "garbage", '["k"]', json.dumps(["0" * 32, ["max", [[2]]]])):
        broken = calls.learn([wrong], 10)
        assert broken is not None
        assert broken.kind == "unsupported"
    assert calls.learn([json.dumps(["1" * 32, ["max", [1]]])], 10).kind == "builtin"  # type: ignore[union-attr]
