from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.conformance.fuzz import Grammar, single
from policy.engines.engine import Program
from policy.preflight.parser import Refused, parse
from policy.preflight.program import Objection, Readable, read

ROOT = Path(__file__).parents[3]


def program(rego: str, **data: bytes) -> Program:
    return Program({"t.rego": ("package t\n\n" + rego + "\n").encode()}, data, ("data.t.x",))


def objection(rego: str) -> str:
    found = read(program(rego))
    assert isinstance(found, Objection), rego
    return str(found)


@pytest.mark.parametrize("pack", ["flags/flags", "images/images", "placement/placement"])
def test_every_construct_of_our_packs_is_supported(pack: str) -> None:
    source = (ROOT / f"policy/packs/{pack}.rego").read_bytes()
    assert isinstance(read(Program({"p.rego": source}, {}, ())), Readable)


@pytest.mark.parametrize(
    ("rego", "said"),
    [
        ("x if y > 1", "3:6: y is unsafe"),
        ("x if { some y; input.a }", "y is declared and not used"),
        ("x if { every y in input.a { true } }", "y is declared and not used"),
        ("f(y) := y\nx := f(1, 2)", "f takes 1 arguments, not 2"),
        ("x := nothing(1)", "nothing is no builtin"),
        ("x := http.send({})", "http.send is no builtin that a pack may use"),
        ("x := opa.runtime()", "opa.runtime is no builtin"),
        ("x := y\ny := x", "recursion"),
        ("x { true }", "without `if`"),
        ("x", "neither a value nor `if`"),
        ("x := 1\nx contains 2", "defined in two ways"),
        ("default x := 1\ndefault x := 2", "two defaults"),
        ('x if 1 == "a"', "can never be equal"),
        ('x := 1 + "a"', "plus cannot take this"),
        ("x if { y := 1; y := 2; y }", "declared twice"),
        ("x if { y > 1; y := input.a; y }", "used before it is declared"),
        ("x if { y > 1; y = input.a }", None),
        ('x := regex.match("(?i)a", input.s)', "a regular expression with more"),
        ('x := "\U000f0022"', "kept for the engine"),
        ('x := $"a{input.b"', "`"),
        ('x := $"a}"', "a brace"),
        ("x := io.jwt.decode(input.a)", "io.jwt.decode is not proven"),
        ("x := object.subset(y, {})\ny := {k: 1 | some k in input.a}", "an object whose keys may be numbers"),
        ("x := sort([input.a, 1.50])", "3:21: a fraction with 0 at its end"),
        ("x := z if { z := [y | y = 1]; y > 2 }", "belongs to the body"),
        ("x := low\nlow.a contains 1", "is all rules below it"),
        ("x := low.a\nlow.a contains 1\nlow.a.b := 1", "is another"),
        ("x if input.a with input as {}", "`with` is not supported"),
        ("x := [[a, b] | some a in input.a; some b in input.b]", "iterates twice"),
        ("x if not input.a[_]", "unsafe"),
        ("x if not input.s in input[_].b", "unsafe"),
        ("x if { input.a | some b in input.b }", "reads like a comprehension"),
        ('x if { some v in input.a; startswith(v, "a"); data.b.c }', None),
    ],
)
def test_what_is_refused_and_where(rego: str, said: str | None) -> None:
    if said is None:
        assert isinstance(read(program(rego)), Readable)
    else:
        assert said in objection(rego)


def test_the_place_is_the_modules_own() -> None:
    assert objection("x := 1\n\n  y := trace(input)").startswith("t.rego:5:8: ")


def test_the_engines_own_names_are_kept_from_packs() -> None:
    assert "kept for the engine" in objection("x := mc__text(1)")
    assert "data under the name of a package" in str(read(program("x := 1", d=b'{"t": {}}')))


def test_references_leave_calls_and_not() -> None:
    found = read(program('x if not startswith(input.a[0], "b")'))
    assert isinstance(found, Readable)
    text = found.modules["t.rego"].decode()
    assert 'mc__t1 := input["a"][0]\nnot startswith(mc__t1, "b")' in text


def test_a_body_behind_a_constant_argument_is_a_function_of_the_others() -> None:
    """With names of its own in it, every call of the function would pay for it (`benchmarks/parity.py`)."""
    found = read(program('f("a", v) if v == input.b\nf(w, v) if v == w\nf("c", "d") := true\nx if f(input.a, 1)'))
    assert isinstance(found, Readable)
    text = found.modules["t.rego"].decode()
    assert re.search(r'f\("a", (\w+)\) := true if \{\nmc__of_f_0\(\1\)\n\}\n\nmc__of_f_0\(\1\) := true if \{\n', text)
    assert text.count("mc__of_") == 2


@given(st.binary(max_size=80))
def test_nothing_crashes_the_parser(source: bytes) -> None:
    try:
        parse(b"package t\n" + source)
    except Refused as refused:
        assert refused.place >= (1, 1)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 40))
def test_what_is_written_can_be_read_again(seed: int) -> None:
    found = read(single(Grammar(seed)))
    if isinstance(found, Readable):
        parse(found.modules["t.rego"])


def test_nesting_is_bounded() -> None:
    assert "nesting deeper" in objection("x := " + "[" * 5000 + "]" * 5000)
    assert "nesting deeper" in objection("x := " + "(" * 500 + "1" + ")" * 500)
