"""WWW-Authenticate: as registries send it, as RFC 9110 allows it, as nobody should send it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro.oci.challenge import Challenge, parse_challenges

REALM = "https://auth.docker.io/token"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (f'Bearer realm="{REALM}",service="x y"', [("bearer", {"realm": REALM, "service": "x y"})]),
        ('BASIC realm="a, b=\\"c\\""', [("basic", {"realm": 'a, b="c"'})]),
        ("Basic realm=x, Bearer realm = y", [("basic", {"realm": "x"}), ("bearer", {"realm": "y"})]),
        ("Negotiate, Basic realm=x", [("negotiate", {}), ("basic", {"realm": "x"})]),
        ("Negotiate YWJj==, Basic realm=x", [("negotiate", {}), ("basic", {"realm": "x"})]),
        ("Bearer realm=a, realm=b", []),
        ('Bearer realm="never closed', [("bearer", {})]),
        ("", []),
        ("=", []),
    ],
)  # fmt: skip
def test_headers(header: str, expected: list[tuple[str, dict[str, str]]]) -> None:
    assert parse_challenges([header]) == tuple(Challenge(*one) for one in expected)


TOKEN = st.text(alphabet="abcXYZ019!#$%&'*+.^_`|~-", min_size=1, max_size=8)
TEXT = st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


@given(st.lists(st.tuples(TOKEN, st.dictionaries(TOKEN.map(str.lower), TEXT, min_size=1, max_size=3)), max_size=3))
def test_what_is_written_is_read(challenges: list[tuple[str, dict[str, str]]]) -> None:
    def quoted(value: str) -> str:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

    header = ", ".join(
        f"{scheme} " + ", ".join(f"{name}={quoted(value)}" for name, value in parameters.items())
        for scheme, parameters in challenges
    )
    assert parse_challenges([header]) == tuple(Challenge(scheme.lower(), one) for scheme, one in challenges)


@given(st.text(max_size=200) | st.text(alphabet='aB=", \\\t', max_size=200))
def test_nothing_crashes(header: str) -> None:
    parse_challenges([header, header])


def test_a_long_header_does_not_hang() -> None:
    for header in ("a " * 4000, 'a="' * 2000, "a=" + "b" * 8000, "," * 8000, "\\" * 8000, "x" * 100_000):
        parse_challenges([header])  # worse than quadratic would be minutes
