from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.engines.conftest_output import Failure, embedded_opa, number, read_answers, read_failure
from policy.engines.engine import UNDEFINED, Values


def said(message: str, **more: object) -> bytes:
    return json.dumps([{"namespace": "a", "failures": [{"msg": message}], **more}]).encode()


def test_answers_in_the_order_of_the_inputs() -> None:
    assert read_answers(said("[[1, [[2], []]], [0, [[], [null]]]]"), "a", 2, 2) == [
        Values((UNDEFINED, None)),
        Values((2, UNDEFINED)),
    ]


@pytest.mark.parametrize(
    "stdout",
    [
        said("[[0, [[1]]]]"),
        said("[]"),
        said("[[0, [[1]]], [1, [[1]]]]", warnings=[{"msg": "x"}]),
        said("[[0, [[1]]], [1, [[1]]]]", exceptions=[{"msg": "x"}]),
        said("[[0, [[1]]], [1, [[1]]]]").replace(b'"a"', b'"b"'),
        said("[[0, [[1]]], [1, [[1]]]]")[:-1],
        b"",
    ],
)
def test_anything_else_is_believed_by_nobody(stdout: bytes) -> None:
    failure = read_answers(stdout, "a", 2, 1)
    assert isinstance(failure, Failure)
    assert failure.kind == "missing"


@given(st.binary(max_size=200), st.integers(0, 2), st.integers(0, 2))
def test_garbage_is_never_an_answer(stdout: bytes, count: int, entrypoints: int) -> None:
    assert isinstance(read_answers(stdout, "a", count, entrypoints), Failure)


@given(st.binary(max_size=300), st.integers(-20, 255))
def test_every_failure_is_some_failure(stderr: bytes, code: int) -> None:
    assert read_failure(stderr, code, {"pack/m0.rego": "a.rego"}).message


def test_names_of_private_files_are_not_shown() -> None:
    stderr = b"Error: running test: load: loading policies: get compiler: pack/m0.rego:3: rego_type_error: x"
    failure = read_failure(stderr, 1, {"pack/m0.rego": "flags.rego"})
    assert failure == Failure("get compiler: flags.rego:3: rego_type_error: x", "compile", whole=True)


def test_versions() -> None:
    assert embedded_opa(b"Conftest: dev\nOPA: 1.22.2\n") == ("dev", "1.22.2")
    assert embedded_opa(b"Conftest: 0.71.1\n") is None
    assert embedded_opa(b"") is None


def test_numbers_beyond_a_double_stay_exact_or_are_refused() -> None:
    assert number("1e400") == 10**400
    assert number("-1.5e401") == -15 * 10**400
    assert number("1.5") == 1.5
    for text in ("1e9999", "1e-400000000e"):
        with pytest.raises(ValueError):
            number(text)
