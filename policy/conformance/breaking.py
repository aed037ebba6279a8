"""Packs whose calls break on some inputs, between iterations and what is not there: is the break told?"""

from __future__ import annotations

import random

from policy.engines.engine import Program

_KEYS = ("a", "b", "c", "xs", "n", "s")
_RULES = """\
f(x) if lower(x) == "a"

f(x) if x.b

g(x) := concat("b", x)

r := input.b if input.a

s contains x if some x in input.xs

t[k] := v if some k, v in input.c
"""


def breaking(seed: int) -> Program:
    """One rule of a body that iterates, of statements in random order."""
    drawn = random.Random(seed)  # noqa: S311
    names: list[str] = []

    def one(*choices: str) -> str:
        return drawn.choice(choices)

    def term() -> str:
        base = one("input", *names, *names, *names)
        return base if base != "input" and drawn.random() < 0.4 else f"{base}.{one(*_KEYS)}"

    def call() -> str:
        return one(f"lower({term()})", f"upper({term()})", f'concat("b", {term()})', f"count({term()})",
                   f"sum({term()})", f"g({term()})", f'trim({term()}, "a")', f"({term()} + 1)",
                   f'split({term()}, "b")', f"array.concat({term()}, [])", f"{{1 | some x in {term()}; lower(x)}}",
                   f"[x | x := {term()}; lower(x) == {term()}]")  # fmt: skip

    def named(text: str) -> str:
        name = f"v{len(names)}"
        text = text.replace("@", name)
        names.append(name)
        return text

    def statement() -> str:
        kind = drawn.randrange(14)
        if kind < 2:
            return named(one(f"some @ in {term()}", f"some _, @ in {term()}", f"@ := {term()}[_]"))
        if kind < 4:
            return named(one(f"@ := {call()}", f"@ := {term()}"))
        if kind == 4:
            return named(f"[@, _] := {term()}")
        if kind == 5:
            return one(f"not {call()} == {term()}", f"not f({term()})", f"not {term()}", f"not g({term()})")
        if kind == 6:
            return f"every x in {term()} {{ {one(f'lower(x) == {term()}', 'f(x)', f'x != {call()}')} }}"
        if kind == 7:
            return one("r", "count(s) > 0", f"t[{term()}]", f"{term()} in s", "s", "not r", f"r == {term()}")
        if kind < 10:
            return one(term(), f"{term()} == {term()}", f'{term()} == "a"', f"f({term()})", f"g({term()}) == {term()}")
        return one(f"{call()} == {term()}", f"{call()} != {term()}", call(), f"startswith({term()}, {call()})",
                   f"{term()} < {term()}", f"{term()} in {call()}", f"{call()} == {call()}")  # fmt: skip

    first = named(
        one("some @ in input", "some _, @ in input", "@ := input[_]", "some @ in input.xs", "[@, _] := input.xs")
    )
    statements = "; ".join([first, *(statement() for _ in range(drawn.randrange(2, 6)))])
    head = one("out if", "out contains v0 if", f"out := {term()} if")
    return Program({"t.rego": f"package t\n\n{_RULES}\n{head} {{ {statements} }}\n".encode()}, {}, ("data.t.out",))
