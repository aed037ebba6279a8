"""What the fuzzer found, each closed in the preflight: regopy is not asked, or answers as conftest does."""

from __future__ import annotations

from typing import Any

import pytest

from policy.conformance.compare import compare
from policy.engines.engine import Program
from policy.engines.regopy_engine import RegopyEngine
from tests.policy.engines.conftest_here import conftest_engine

FOUND: dict[str, tuple[str, Any]] = {
    "an equality under not, its reference undefined": ('x if not input[1] == "a"', {"a": {}}),
    "an unused name of every": ("x if { every v in input.a { true } }", {}),
    "membership in what can never hold it": ("x if {[], input.b} in [1, 2]", {"b": 1}),
    "iteration within what stands under not": ("x if not input.b in input[_].b", {"b": {}}),
    "a body that reads as a set comprehension": (
        "x if { input.a | input.b <= [1]; some v; input.n[v].a }",
        {"n": "ab"},
    ),
    "a comprehension with not as an operand": (
        "x if { v := {1: [input.a]}; {input.n} >= [v | not count(v) > 1] }",
        {"a": 1, "n": 1},
    ),
    "an error in a function that iterates, before what fails": (
        'x if { [1, 2] != sum(input.s); is_object([v | some v in input.n["b"]]) }',
        {"s": {}},
    ),
    "an error while iterating, before what is undefined": (
        "x contains input.none.a if { v := object.keys(input[_]) }",
        {"a": "text"},
    ),
    "a call beside an undefined reference": ("x if input.none < array.concat([], input.b)", {"b": {}}),
    "a call whose value is wanted after an iteration": (
        "x := input[_] if { input.b + 1 in input.n[_] }",
        {"b": False, "n": {"c": False}},
    ),
    "a call beside an iteration in a list": ("x if { v := [input.a[_], sum(input.a)]; v == 1 }", {"a": "a b"}),
    "two iterations in one array": ("x := [[a, b] | some a in input.a; some b in input.b]", {"a": [2, 1], "b": [5, 4]}),
    "numbers as text": ("x := max(input.a)", {"a": [100000000, 100001]}),
    "text in a set": ('x := concat(",", {"a", "a b", "a!"})', {}),
    "comparison across types": ("x if input.a < 5", {"a": None}),
    "a failure under every": ("f(c) if c == 1\nx if { every c in input.a { not f(c) } }", {"a": [2, 1]}),
    "semantic versions": ('x := semver.compare("1.10.0", input.a)', {"a": "1.9.0"}),
    "a number from text": ("x := to_number(input.a)", {"a": "12abc"}),
    "an array that is none": ("x := array.slice(input.a, 0, 1)", {"a": True}),
    "a name of the body around, bound later": (
        "import future.keywords.not\nx := y if { not { y = 1 }; y = input.a }",
        {"a": 2},
    ),
    "a name within a comprehension, bound later outside": ("x := z if { z := [y | y = 1]; y = input.a }", {"a": 2}),
    "a computed call whose value is undefined": ("x := [1, max(input.a)]", {"a": []}),
    "a computed call under not": ("x if not max(input.a)", {"a": []}),
    "a wildcard in what not takes": ("x if { not count(input.n[_]) > 1 and input.a }", {"n": [[1]], "a": 1}),
    "a wildcard in an operand": ("x if { input.a and count(input.n[_]) > 1 }", {"n": [[1, 2]], "a": 1}),
    "a wildcard in an operand of or": ("x if { count(input.n[_]) > 1 or input.a }", {"n": [[1, 2]], "a": 1}),
    "a computed call that is false": ("x if not semver.is_valid(input.a)", {"a": "1"}),
    "an error in the second operand of or": ('x if { input.a or to_number("x") == 1 }', {"a": True}),
    "a glob that is none": ('x := glob.match("a[", [], input.a)', {"a": "a"}),
    "a set and an array in one call": ("x := [object.subset(input.a, input.a), sort({1}), sort([1])]", {"a": [1]}),
    "text that regopy holds escaped": ('x := [count(input.a), input.a == "\\"é\\n"]', {"a": '"é\n'}),
    "a sum of no numbers": ("x := sum(input.a)", {"a": [None, 0]}),
    "an argument that a builtin types, then a reference into it": (
        "f(y) if { to_number(y) >= y.c }\nx if true",
        {},
    ),
    "an argument that another function types": (
        'f(y) := y + 1\ng(z) if { f(z) == 2; startswith(z, "a") }\nx if true',
        {},
    ),
    "an argument of two types": ('f(y) if { y + 1 == 2; startswith(y, "a") }\nx if true', {}),
    "an argument typed by what it is compared with": ('f(y) if { y == "a"; y + 1 == 2 }\nx if true', {}),
    "what is derived from a typed argument": (
        'f(y) if { concat(",", y) == "a"; z := y[0]; z + 1 == 2 }\nx if true',
        {},
    ),
    "an argument within a set": ("f(y) if { {y, input[_]} in {0.5, y} }\nx if true", {}),
    "an argument typed outside of a comprehension": (
        'f(y) if { lower(y) == "a"; count([z | some z in y]) > 0 }\nx if true',
        {},
    ),
    "an argument typed under not": ('f(y) if { not lower(y) == "a"; y + 1 == 2 }\nx if true', {}),
    "an argument as a key": ('f(y) if { {"a": 1}[y] == 1; y + 1 == 2 }\nx if true', {}),
    "an argument taken apart": ("f(y) if { [a, b] := y; a == b; y + 1 == 2 }\nx if true", {}),
    "a result of a typed argument": (
        'f(y) := y if y + 1 == 2\nx if { input.none; startswith(f(input.a), "a") }',
        {"a": 1},
    ),
    "a constant in every head": ('f("a") := 1\nf("b") := 2\nx if { input.none; f(1) == 1 }', {}),
    "two empty sets": ("x if { input.none; set() == set() }", {}),
    "an empty set by another name": ("s := set()\nx if { input.none; s == set() }", {}),
    "sets of arguments": ("f(y) if { {y} == {y} }\nx if { input.none; f(input.a) }", {}),
    "a function compared with no set": ("f(y) if y == set()\nx if { input.none; f({1}) }", {}),
    "an array of an argument and a comprehension": (
        "f(y) if { [y | y] == [y] }\nx if { input.none; f(input.a) }",
        {},
    ),
    "an object of an argument and a comprehension": (
        'f(y) if { {k: y | k := "a"} == {"a": 1} }\nx if { input.none; f(input.a) }',
        {},
    ),
    "an object and a comprehension of others": (
        'x if { input.none; {"a": 1} == {k: "b" | some k in ["a"]} }',
        {},
    ),
    "objects of comprehensions": ('x if { input.none; {k: 1 | some k in ["a"]} == {k: "b" | some k in ["a"]} }', {}),
    "arrays of comprehensions": ('x if { input.none; [k | some k in [1]] == [k | some k in ["a"]] }', {}),
    "an array taken apart into fewer": ("x if { input.none; [a] := [input.a, input.b] }", {}),
    "sets of arguments and of an empty set": (
        "f(y, w) if { {y, w} == {set(), w} }\nx if { input.none; f(input.a, input.b) }",
        {},
    ),
    "a reference into what a comprehension made of an argument": (
        "f(y) if { w := {k: y | some k in input}; w.a != w }\nx if { input.none; f(input.a) }",
        {},
    ),
    "one element of a set for a builtin of others": ('x if { input.none; sum({"a", input[1]}) }', {}),
    "an argument beside what has a type": (
        'f(y, w) if { y in ["", w]; y + 1 == 2 }\nx if { input.none; f(input.a, 1) }',
        {},
    ),
    "a comprehension of an argument, taken apart": (
        "f(y) if { w := [y | some z in input]; [v] = w }\nx if { input.none; f(input.a) }",
        {},
    ),
    "iteration over what a comprehension made of an argument": (
        "f(y) if { some k, v in {y: w | some w in input}; k == v }\nx if { input.none; f(input.a) }",
        {},
    ),
    "a reference by what a comprehension beside it uses": (
        "x if { some v; input[v]; input[v] == [w | some w in input.n; w != v] }",
        {"n": [2]},
    ),
    "membership of a reference, beside such a comprehension": (
        "x if { some v; input[v]; input[v] in [[w | some w in input.n; w != v]] }",
        {"n": [2]},
    ),
    "an error before another iteration that has nothing": (
        'x if { [y, z] := input[_].a; y = concat("b", z); input.s[_] }',
        {"b": {"a": ["", 1]}},
    ),
    "an error before an element that is not there": (
        'x if { some y in input; concat("b", y.a) == "d"; y.b }',
        {"c": {"a": 1}},
    ),
    "an error before a comparison, after an array is taken apart": (
        'x if { [y, z] := input.b.a; concat("b", z) == "d"; y == 1 }',
        {"b": {"a": ["", 1]}},
    ),
    "an error under not, before what is not there": (
        'x if { some y in input; not concat("b", y.a) == "d"; y.b }',
        {"c": {"a": 1}},
    ),
    "an error in a function, before what is not there": (
        'f(z) if concat("b", z) == "d"\nx if { some y in input; f(y.a); y.b }',
        {"c": {"a": 1}},
    ),
    "an error in a function under not, before a rule that is undefined": (
        'f(z) if concat("b", z) == "d"\nr if input.r\nx if { some y in input; not f(y.a); r }',
        {"c": {"a": 1}},
    ),
    "an error in every, before what is not there": (
        'x if { some y in input; every z in y.a { concat("b", z) == "d" }; y.b }',
        {"c": {"a": [1]}},
    ),
    "an error before text that reads like a name": (
        'x if { some y in input; concat("b", y.a) == "d"; y.b == "the input" }',
        {"c": {"a": 1, "b": "an input"}},
    ),
    "a function's argument, beside such a comprehension": (
        "f(a, b) if a == b\nx if { some v; input[v]; f(input[v], [w | some w in input.n; w != v]) }",
        {"n": [2]},
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_no_silent_difference(name: str) -> None:
    rego, value = FOUND[name]
    logic = "import future.keywords\n" if " or " in rego or " and " in rego else ""
    program = Program({"t.rego": f"package t\n\n{logic}{rego}\n".encode()}, {}, ("data.t.x",))
    ((outcome, said),) = compare(program, [value], conftest_engine(), RegopyEngine(""))
    assert outcome not in ("wrong value", "error missed"), said
