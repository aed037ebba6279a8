"""What stands after a call that may break is evaluated after it, in the order that regopy makes of a body."""

from __future__ import annotations

import itertools
import re

from hypothesis import given
from hypothesis import strategies as st

from policy.preflight.ordering import Texts, in_order, names_in

BREAKING = ("data.mc__.text(", "lower(", "f(")


def ordered(*lines: str) -> list[str]:
    numbers = itertools.count(90)
    raising = [call for line in lines for call in re.findall(r"(?:data\.mc__\.text|lower|\bf)\([^)]*\)", line)]
    strict = [call for call in raising if not call.startswith("f(")]
    texts = Texts(raising, strict, looping=[], total=["all"], root="input")
    return in_order(lines, texts, lambda: f"mc__t{next(numbers)}")


def test_where_nothing_iterates_the_order_is_kept() -> None:
    lines = ["mc__t1 := data.mc__.text(input)", 'mc__t2 := input["a"]']
    assert ordered(*lines) == lines


def test_what_may_fail_is_taken_through_what_may_break() -> None:
    assert ordered(
        "some mc__v1 in input",
        "mc__t2 := data.mc__.text(mc__v1)",
        'mc__t3 := mc__v1["input"]',
        "mc__t4 := [mc__v1, 1]",
        'mc__t3 == "mc__v1"',
        'mc__t5 := input["a"]',
        "mc__t6 := r",
        "mc__t7 := all",
    ) == [
        "some mc__v1 in input",
        "mc__t2 := data.mc__.text(mc__v1)",
        "mc__t90 := [mc__v1, mc__t2]",
        "mc__t91 := mc__t90[0]",
        'mc__t3 := mc__t91["input"]',
        "mc__t4 := [mc__t91, 1]",
        'mc__t3 == "mc__v1"',
        "mc__t92 := [input, mc__t2]",
        "mc__t93 := mc__t92[0]",
        'mc__t5 := mc__t93["a"]',
        "mc__t94 := [r, mc__t2]",
        "mc__t95 := mc__t94[0]",
        "mc__t6 := mc__t95",
        "mc__t7 := all",
    ]


def test_what_may_break_without_a_name_gets_one() -> None:
    assert ordered("some mc__v1 in input", "f(mc__v1)", "not f(mc__v1)") == [
        "some mc__v1 in input",
        "mc__t90 := f(mc__v1)",
        "mc__t90",
        "mc__t91 := [mc__v1, mc__t90]",
        "mc__t92 := mc__t91[0]",
        "mc__t93 := {1 |\nnot f(mc__t92)\n}",
        "mc__t93 == {1}",
    ]


KINDS = ("ref", "text", "lower", "some", "keyed", "apart", "is", "f", "not f", "root")
BODIES = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 30)), min_size=1, max_size=12)


def body(drawn: list[tuple[str, int]]) -> list[str]:
    lines, names = ["some mc__v0 in input"], ["mc__v0"]
    for number, (kind, choice) in enumerate(drawn, 1):
        one, name = names[choice % len(names)], f"mc__t{number}"
        line = {
            "ref": f'{name} := {one}["k{number}"]', "text": f"{name} := data.mc__.text({one})",
            "lower": f"{name} := lower({one})", "some": f"some {name} in {one}",
            "keyed": f"some mc__k{number}\n{name} := {one}[mc__k{number}]",
            "apart": f"[{name}, mc__w{number}] := {one}",
            "is": f"{one} == {number}", "f": f"f({one}, {number})", "not f": f"not f({one}, {number})",
            "root": f'{name} := input["k{number}"]',
        }[kind]  # fmt: skip
        names += [] if kind in ("is", "f", "not f") else [name]
        lines.append(line)
    return lines


def evaluated(lines: list[str]) -> list[int]:
    """The lines as regopy sorts them (topological_sort): breadth first, once all that a line needs has been visited."""
    heads = [line.rpartition(" := ")[0] if " := " in line else line.partition(" in ")[0] * line.startswith("some ")
             for line in lines]  # fmt: skip
    made = [set(names_in(head)) for head in heads]
    everything = set().union(*made)
    needs = [(set(names_in(line)) - own) & everything for line, own in zip(lines, made, strict=True)]
    frontier = [at for at, need in enumerate(needs) if not need]
    done: list[int] = []
    while frontier:
        at = frontier.pop(0)
        if at not in done:
            done.append(at)
            visited = set().union(*(made[one] for one in done))
            frontier += [then for then, need in enumerate(needs) if need & made[at] and need <= visited]
    return done


@given(BODIES)
def test_no_break_is_missed(drawn: list[tuple[str, int]]) -> None:
    """Of a line that may fail: everything that may break and stood before it has been evaluated before it."""
    lines = ordered(*body(drawn))
    order = evaluated(lines)
    assert sorted(order) == list(range(len(lines)))
    breaks = [at for at, line in enumerate(lines) if any(text in line for text in BREAKING)]
    for at, line in enumerate(lines):
        fails = '["' in line or ":= f(" in line or " == " in line or line.startswith(("some ", "["))
        if fails:
            assert all(order.index(one) < order.index(at) for one in breaks if one < at), "\n".join(lines)
