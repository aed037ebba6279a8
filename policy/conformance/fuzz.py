"""Random packs and inputs, asked of both engines: ``python -m policy.conformance.fuzz --minutes 10 [--seed N]``.

Programs are drawn from a grammar of what people write in packs, mistakes included; inputs are made of the names and
values the programs use, so that rules fire. A program that the embedded engine answers otherwise than conftest does is
printed as it is; it belongs into ``tests/policy/conformance/found.py``, and its cause into the preflight.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from policy.conformance.breaking import breaking
from policy.conformance.compare import Outcome, compare
from policy.engines.choose import trusted_conftest
from policy.engines.engine import Engine, Program
from policy.engines.regopy_engine import RegopyEngine

_KEYS = ("a", "b", "c", "xs", "n", "s")
_TEXTS = ("", "a", "b", "ab", "a b", "a!", "A", "abc", "10", "9", "é", 'a"', "a\\", "a\nb", "\x00", "😀", "1.2.0",
          "10.0.0.0/8", "10.1.2.3", "5Mi", "a/b", "v1.0.0-a.1")  # fmt: skip
_QUOTED = ('"a"', '"b"')
_NUMBERS = (0, 1, 2, 9, 10, -1, 3, 0.5, 2**53 + 1)
_HEADS = ("value", "table", "deny", "pick", "allow", "low")
_ENTRYPOINTS = ("deny", "allow", "value", "table", "pick", "low.not", "low.set")


class Grammar:
    """Draws programs; ``names`` are the variables in scope."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311
        self.counter = 0
        self.within_m = False

    def one(self, *choices: Any) -> Any:
        return self.random.choice(choices)

    def fresh(self) -> str:
        self.counter += 1
        return f"v{self.counter}"

    def value(self, depth: int = 0) -> Any:
        """A JSON value."""
        kind = self.random.randrange(9 if depth < 3 else 5)
        if kind == 0:
            return self.one(None, True, False)
        if kind <= 2:
            return self.one(*_TEXTS)
        if kind <= 4:
            return self.one(*_NUMBERS)
        if kind <= 6:
            return [self.value(depth + 1) for _ in range(self.random.randrange(4))]
        return {self.one(*_KEYS): self.value(depth + 1) for _ in range(self.random.randrange(4))}

    def input(self) -> Any:
        """An input: mostly an object with the keys that programs look at."""
        if self.random.random() < 0.05:
            return self.value()
        return {key: self.value(1) for key in _KEYS if self.random.random() < 0.8}

    def constant(self) -> str:
        return str(
            self.one(
                '"é"',
                '"a\\""',
                '"a\\\\"',
                '"\\n"',
                '"1.2.0"',
                '"10.0.0.0/8"',
                "0.5",
                "set()",
                '"a"',
                '"ab"',
                '"b"',
                "1",
                "2",
                "10",
                "true",
                "false",
                "null",
                '""',
                "[]",
                '"a b"',
                "[1, 2]",
            )
        )

    def reference(self, names: list[str], *, wild: bool = True) -> str:
        base = self.one("input", "input", *(names or ["input"]))
        if base not in names and self.random.random() < 0.2:
            base = self.one("data.base", "value", "table", "deny")
        steps = self.random.randrange(1, 3)
        text = str(base)
        for _ in range(steps if base not in names or self.random.random() < 0.5 else 0):
            step = self.random.randrange(7)
            if step <= 3:
                text += f".{self.one(*_KEYS)}"
            elif step == 4 and wild:
                text += "[_]"
            elif step == 5 and names:
                text += f"[{self.one(*names)}]"
            else:
                text += f"[{self.one('0', '1', *_QUOTED)}]"
        return text

    def term(self, names: list[str], depth: int = 0) -> str:
        kind = self.random.randrange(13 if depth < 2 else 6)
        if kind <= 1:
            return self.constant()
        if kind <= 4 or (kind == 5 and not names):
            return self.reference(names)
        if kind == 5:
            return str(self.one(*names))
        inner = [self.term(names, depth + 1) for _ in range(3)]
        if kind == 6:
            return f"[{inner[0]}, {inner[1]}]"
        if kind == 7:
            return f'{{"a": {inner[0]}, "b": {inner[1]}}}'
        if kind == 8:
            return f"{{{inner[0]}, {inner[1]}}}"
        if kind == 9:
            return self.comprehension(names)
        return self.call(names, inner)

    def call(self, names: list[str], inner: list[str]) -> str:  # noqa: ARG002
        return str(
            self.one(
                f"count({inner[0]})",
                f"f({inner[0]})",
                f"g({inner[0]}, {inner[1]})",
                f"concat({self.one(*_QUOTED)}, {inner[0]})",
                f'sprintf("%s %v", [{inner[0]}, {inner[1]}])',
                f'sprintf("%d", [{inner[0]}])',
                f"lower({inner[0]})",
                f"object.get({inner[0]}, {self.one(*_QUOTED)}, {inner[1]})",
                f"{inner[0]} + 1",
                f"{inner[0]} - {inner[1]}",
                f"split({inner[0]}, {self.one(*_QUOTED)})",
                f"substring({inner[0]}, 0, 1)",
                f"object.keys({inner[0]})",
                f"array.concat({inner[0]}, {inner[1]})",
                f"{inner[0]} | {inner[1]}",
                f"sum({inner[0]})",
                f"({inner[0]} == {inner[1]})",
                f"to_number({inner[0]})",
                f"upper({inner[0]})",
                f"indexof({inner[0]}, {self.one(*_QUOTED)})",
                f"replace({inner[0]}, {self.one(*_QUOTED)}, {inner[1]})",
                f"trim({inner[0]}, {self.one(*_QUOTED)})",
                f"strings.reverse({inner[0]})",
                f"base64.encode({inner[0]})",
                *self.computed(inner),
            )
        )

    def computed(self, inner: list[str]) -> tuple[str, ...]:
        """Calls that are not regopy's to answer."""
        first, second = inner[0], inner[1]
        options = (
            f"max({first})", f"min({first})", f"sort({first})", f"json.marshal({first})",
            f"object.subset({first}, {second})", f"semver.is_valid({first})", f'semver.compare({first}, "1.1.0")',
            f"net.cidr_contains({first}, {second})", f'net.cidr_contains("10.0.0.0/8", {first})',
            f"net.cidr_is_valid({first})", f"net.cidr_merge({first})", f"units.parse_bytes({first})",
            f"format_int({first}, 16)", f"strings.split_n({first}, {second}, 2)",
            f"strings.replace_n({first}, {second})", f"indexof_n({first}, {second})",
            f"json.remove({first}, {second})", f'json.filter({first}, ["a/b", "xs"])', f"base64.decode({first})",
            f"urlquery.encode({first})", f"urlquery.decode({first})", f"uri.parse({first})", f"uuid.parse({first})",
            f"{first} / 2", f"bits.lsh({first}, 2)", f"json.unmarshal({first})", f"hex.decode({first})",
            f"time.parse_duration_ns({first})", f"({first}, {second} in {inner[2]})",
            f'$"a{{{first}}}b{{{second}}}"', f'$"{{{first}}}"',
        )  # fmt: skip
        return tuple(self.random.sample(options, 8))

    def comprehension(self, names: list[str]) -> str:
        inner = list(names)
        body = self.body(inner, self.random.randrange(1, 3), depth=1)
        head = self.term(inner, 2) if self.random.random() < 0.3 or not inner else self.one(*inner)
        shape = self.random.randrange(3)
        if shape == 0:
            return f"[{head} | {body}]"
        if shape == 1:
            return f"{{{head} | {body}}}"
        return f"{{{self.one(*inner or _QUOTED)}: {head} | {body}}}"

    def statement(self, names: list[str], depth: int) -> str:
        kind = self.random.randrange(21)
        if kind == 19 and names:
            return self.typed(names)
        if kind == 20 and names:
            reference = f"{self.reference(names, wild=False)}[{self.one(*names)}]"
            return f"{reference} {self.one('==', '!=', 'in', '<', '=')} {self.comprehension(names)}"
        if kind == 16:
            path, value = self.fresh(), self.fresh()
            text = f"walk({self.reference(names, wild=False)}, [{path}, {value}])"
            names += [path, value]
            return text
        if kind == 17:
            name = self.one(*(names or ["w1"]), "w1", "w2")
            text = f"{name} = {self.term([each for each in names if each != name], 1)}"
            if name not in names:
                names.append(name)
            return text
        if kind == 18:
            return f"{self.operand(names, depth)} {self.one('and', 'or')} {self.operand(names, depth)}"
        if kind <= 2:
            text = self.term(names, depth)
            name = self.fresh()
            names.append(name)
            return f"{name} := {text}"
        if kind <= 4:
            domain = self.one(self.reference(names), self.term(names, 1))
            name = self.fresh()
            if self.random.random() < 0.4:
                key = self.fresh()
                names += [key, name]
                return f"some {key}, {name} in {domain}"
            names.append(name)
            return f"some {name} in {domain}"
        if kind == 5:
            name = self.fresh()
            text = f"some {name}; {self.reference(names, wild=False)}[{name}]{self.one('', '.a', ' == ' + self.constant())}"  # noqa: E501
            names.append(name)
            return text
        if kind <= 8:
            operator = self.one("==", "!=", "<", ">", "<=", ">=", "==")
            return f"{self.term(names, 1)} {operator} {self.term(names, 1)}"
        if kind == 9:
            return f"not {self.negatable(names)}"
        if kind == 10:
            return f"{self.term(names, 1)} in {self.term(names, 1)}"
        if kind == 11 and depth == 0:
            name = self.fresh()
            inner = [*names, name]
            return (
                f"every {name} in {self.term(names, 1)} {{ {self.body(inner, self.random.randrange(1, 3), depth=1)} }}"
            )
        if kind == 12:
            return (
                str(self.one("is_string", "is_number", "is_array", "is_object", "is_null", "p", "is_set"))
                + f"({self.term(names, 1)})"
            )
        if kind == 13:
            return f"startswith({self.term(names, 1)}, {self.one(*_QUOTED)})"
        if kind == 14:
            one, other = self.fresh(), self.fresh()
            text = f"[{one}, {other}] := {self.term(names, 1)}"
            names += [one, other]
            return text
        return self.reference(names)

    def typed(self, names: list[str]) -> str:
        """What says of a name which type it has: of a function's argument nothing else does."""
        name, other = self.one(*names), self.one(*names)
        return str(
            self.one(
                f"{name} + 1 == 2",
                f"lower({name}) == {other}",
                f'concat(",", {name}) == {other}',
                f"{name} == {self.constant()}",
                f"{name} == {other}",
                f"{name} in [{self.constant()}, {other}]",
                f"{{{name}, {other}}} == {{{self.constant()}, {other}}}",
                f"object.keys({name}) == {{{other}}}",
                f"[{name}, {other}] = {self.term(names, 1)}",
                f"f({name}) == {other}",
                *([] if self.within_m else [f"m({name}, {other})", f"not m({name}, {other})"]),
                f"{self.one('[1, 2]', '{1: 2}', 'input')}[{name}] == {other}",
                f"{name}[0] == {other}",
                f"{name}.a == {other}",
                f"count([1 | lower({name}) == {other}]) > 0",
            )
        )

    def typed_function(self) -> Iterator[str]:
        """Bodies of ``m`` that say what its arguments are."""
        self.within_m = True
        for arguments in ("x, y", self.one("x, y", '"a", y', "x, 1"))[: self.random.randrange(1, 3)]:
            held = [name for name in ("x", "y") if name in arguments]
            count = self.random.randrange(1, 4)
            body = "; ".join(self.one(self.typed, lambda names: self.statement(names, 0))(held) for _ in range(count))
            yield f"\nm({arguments}) := {self.term(held, 2)} if {{ {body} }}"
        self.within_m = False

    def operand(self, names: list[str], depth: int) -> str:
        kind = self.random.randrange(5)
        if kind == 0:
            return f"{{ {self.body(list(names), self.random.randrange(1, 3), depth + 1)} }}"
        if kind == 1:
            return f"not {{ {self.body(list(names), self.random.randrange(1, 3), depth + 1)} }}"
        if kind == 2 and depth < 2:
            return f"({self.operand(names, depth + 1)} {self.one('and', 'or')} {self.operand(names, depth + 1)})"
        return f"{self.one('', 'not ')}{self.negatable(names)}"

    def negatable(self, names: list[str]) -> str:
        return str(
            self.one(
                self.reference(names, wild=False),
                f"p({self.term(names, 1)})",
                f"h({self.one(*_QUOTED, *names)}, {self.term(names, 1)})",
                f"f({self.term(names, 1)}) == {self.constant()}",
                f"{self.term(names, 1)} in {self.term(names, 1)}",
                f"count({self.term(names, 1)}) > 1",
                f"{self.term(names, 1)} == {self.term(names, 1)}",
                "allow",
            )
        )

    def body(self, names: list[str], statements: int, depth: int = 0) -> str:
        return "; ".join(self.statement(names, depth) for _ in range(statements))

    def rules(self) -> Iterator[str]:
        """Rules that refer to those above them only: few are recursive."""
        some = self.random.randrange
        yield f"f(x) := {self.term(['x'])} if {{ {self.body(['x'], some(1, 3))} }}"
        if some(2):
            yield f"else := {self.term(['x'], 2)}"
        yield f"\ng(x, y) := {self.term(['x', 'y'], 1)}"
        yield f"\np(x) if {{ {self.body(['x'], some(1, 3))} }}"
        yield f'\nh("a", x) if {{ {self.body(["x"], some(1, 3))} }}'
        yield f"\nh(y, x) if {{ {self.body(['x', 'y'], some(1, 3))} }}"
        yield from self.typed_function()
        names: list[str] = []
        if some(2):
            yield f"\ndefault value := {self.constant()}"
        yield f"\nvalue := {self.term([], 0)} if {{ {self.body(names, some(1, 3))} }}"
        names = []
        body = self.body(names, some(1, 3))
        yield f"\nlow.set contains {self.term(names, 1)} if {{ {body} }}"
        names = []
        body = self.body(names, some(1, 3))
        yield f"\nlow.not := {self.term(names, 1)} if {{ {body} }}"
        names = []
        body = self.body(names, some(1, 4))
        yield f"\ntable[{self.one(*names or _QUOTED)}] := {self.term(names, 1)} if {{ {body} }}"
        names = []
        body = self.body(names, some(1, 4))
        yield f"\ndeny contains {self.term(names, 1)} if {{ {body} }}"
        names = []
        body = self.body(names, some(1, 3))
        yield f"\ndeny contains {self.one(*names or _QUOTED)} if {{ {body} }}"
        yield f"\nallow if {{ {self.body([], some(1, 4))} }}"
        names = []
        body = self.body(names, some(1, 3))
        yield f"\npick := {self.term(names, 1)} if {{ {body} }} else := {self.term([], 1)} if {{ {self.body([], 1)} }}"

    def imports(self) -> str:
        """With `not` imported it means something else."""
        words = ("and", "or", "not") if self.random.random() < 0.4 else ("and", "or")
        return "".join(f"import future.keywords.{word}\n" for word in words) + "\n"

    def program(self) -> Program:
        """A pack of one module; each rule alone would be refused less often, together they meet."""
        source = f"package t\n\n{self.imports()}" + "\n".join(self.rules()) + "\n"
        wanted = [name for name in _ENTRYPOINTS if f"\n{name}" in source]
        return Program({"t.rego": source.encode()}, {}, tuple(f"data.t.{name}" for name in wanted))


class Typed:
    """Draws packs that are right but for one type, seldom two. Their rule has no value: what there is to see is whether
    OPA compiles it. ``names``: each with the type it is meant to have."""

    TYPES = ("text", "number", "[text]", "[number]", "{text}", "{number}", "a: text", "a: number", "{}", "[]")

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311
        self.counter = 0
        self.known: dict[str, str] = {}
        self.calls: dict[str, str] = {}

    def one(self, *choices: str) -> str:
        return self.random.choice(choices)

    def fresh(self) -> str:
        self.counter += 1
        return f"v{self.counter}"

    def term(self, of: str, names: dict[str, str], depth: int = 0) -> str:
        """Something of a type, in general."""
        if self.random.random() < 0.02:
            of = self.one(*self.TYPES)
        if self.random.random() < 0.03:
            return "input.a"
        ready = [name for name, has in (self.known | names).items() if has == of]
        if ready and self.random.random() < 0.6:
            return self.one(*ready)
        within = of.strip("[]{}") or self.one("text", "number")
        leaf = {"text": '"b"', "number": "3"}.get(within, "{}" if within else "[]")
        inner = [self.term(within, names, depth + 1) for _ in range(2)] if depth < 3 else [leaf, leaf]
        name = self.fresh()
        source = self.term(self.one(f"[{within}]", f"{{{within}}}"), names, depth + 1) if depth < 3 else f"[{leaf}]"
        array = self.term(f"[{within}]", names, depth + 1) if depth < 3 else f"[{leaf}]"
        body = self.one(f"some {name} in {source}", f"{name} := {inner[0]}", f"{name} := {inner[0]}")
        calls = [call.replace("@", one) for call, has in self.calls.items() for one in (inner[0],) if has == of]
        if of == "text":
            return self.one('"a"', '"b"', f"lower({inner[0]})", f'sprintf("%v", [{inner[1]}])', *calls)
        if of == "number":
            return self.one(
                "1", "2", f"({inner[0]} + 1)" if not self.random.randrange(4) else "3", f"count({source})", *calls
            )
        if of == "[]":
            return self.one("[]", f"[{inner[0]}]", *calls)
        if of == "{}":
            return self.one("set()", f"{{{inner[0]}}}", *calls)
        if of.startswith("["):
            return self.one(f"[{inner[0]}]", f"[{inner[0]}, {inner[1]}]", f"[{name} | {body}]",
                            f"array.concat([{inner[0]}], {array})", f"[{inner[0]} | {body}]",
                            *calls)  # fmt: skip
        if of.startswith("{"):
            return self.one(f"{{{inner[0]}}}", f"{{{inner[0]}, {inner[1]}}}", f"{{{name} | {body}}}",
                            f"({{{inner[0]}}} | {{{inner[1]}}})", f"{{{inner[0]} | {body}}}",
                            *calls)  # fmt: skip
        if depth > 2:
            return "{}"
        value = self.term(of.removeprefix("a: "), names, depth + 1)
        texts = self.term(self.one("[text]", "{text}"), names, depth + 1)
        keys = self.one(f"some {name} in {texts}", f'{name} := "a"')
        return self.one(f'{{"a": {value}}}', f'{{"a": {value}}}', f"{{{name}: {value} | {keys}}}",
                        f'object.union({{"a": {value}}}, {{"a": {value}}})', *calls)  # fmt: skip

    def statement(self, names: dict[str, str]) -> str:
        of = self.one(*self.TYPES)
        first, second = self.term(of, names), self.term(of, names)
        kind = self.random.randrange(12)
        if kind == 0:
            names[name := self.fresh()] = of
            return f"{name} := {first}"
        if kind == 1:
            within = of.strip("[]{}") or "text"
            text = f"some @ in {self.term(f'[{within}]', names)}"
            names[name := self.fresh()] = within
            return text.replace("@", name)
        if kind == 2:
            texts = self.term("text", names), self.term("text", names)
            return self.one(f"startswith({texts[0]}, {texts[1]})", f"concat({texts[0]}, {self.term('[text]', names)})")
        if kind == 3:
            within = of.strip("[]{}") or "number"
            whole = self.term(f"[{within}]", names)
            names[name := self.fresh()] = within
            return f"[{name}] {self.one(':=', '=')} {whole}"
        if kind == 4:
            text = self.term("a: text", names)
            whole = text if text.isidentifier() else f'{{"a": {first}}}'
            return f"{whole}.a {self.one('==', '!=')} {second}"
        if kind == 5:
            within = of.strip("[]{}") or "number"
            return f"{self.term(within, names)} in {self.term(self.one(f'[{within}]', f'{{{within}}}'), names)}"
        if kind == 6:
            return self.one(f"not {first} == {second}", f"{first} != {second}", f"{first} < {second}")
        return f"{first} {self.one('==', '=')} {second}"

    def body(self, names: dict[str, str]) -> str:
        return "; ".join(self.statement(names) for _ in range(self.random.randrange(1, 4)))

    def program(self) -> Program:
        rules = []
        for name in ("r", "s"):
            of = self.one(*self.TYPES)
            rules.append(f"{name} := {self.term(of, {})}")
            self.known[name] = of
        for function in ("f", "g"):
            takes, gives = self.one(*self.TYPES), self.one(*self.TYPES)
            for _ in range(self.random.randrange(3)):
                held = {"x": takes, "z": self.one("text", takes)} if function == "g" else {"x": takes}
                head = f"{function}({', '.join(held)})"
                body = self.body(held)
                rules.append(f"{head} := {self.term(gives, held)} if {{ {body} }}")
            if rules[-1].startswith(function):
                self.calls["f(@)" if function == "f" else "g(@, @)"] = gives
        rules.append(f"out if {{ input.none; {self.body({})} }}")
        return Program({"t.rego": ("package t\n\n" + "\n\n".join(rules) + "\n").encode()}, {}, ("data.t.out",))


def single(grammar: Grammar) -> Program:
    """A pack of one rule and the functions it may call."""
    rules = list(grammar.rules())
    base = [
        "f(x) := x.a if x.b\n",
        "f(x) := count(x) if is_array(x)\n",
        "g(x, y) := [x, y]\n",
        'p(x) if x == "a"\n',
        "p(x) if x.a\n",
        grammar.one(f'h("a", x) if {{ {grammar.body(["x"], 1)} }}\n', 'h("a", x) if not p(x)\n'),
        'h("b", x) if x.a == input.a\n',
        "h(y, x) if y in x\n",
        *(grammar.typed_function() if grammar.random.random() < 0.4 else ["m(x, y) if lower(x) == y.a\n"]),
    ]
    heads = [rule for rule in rules if rule.lstrip("\n").startswith(_HEADS)]
    heads.append(f"allow if {{ {grammar.one('', 'not ')}h({grammar.one(*_QUOTED)}, {grammar.term([], 1)}) }}")
    heads.append(
        f"deny contains v if {{ some v in input.xs; {grammar.one('', 'not ')}h(v, input.{grammar.one(*_KEYS)}) }}"
    )
    rule = grammar.one(*heads).lstrip("\n")
    name = rule.split(" ")[0].split("[")[0]
    others = ["value := input.n\n", "table[k] := v if some k, v in input.c\n", "deny contains x if some x in input.xs\n",  # noqa: E501
              "allow if input.a == input.b\n"]  # fmt: skip
    source = (
        f"package t\n\n{grammar.imports()}"
        + "\n".join([*base, *(text for text in others if not text.startswith(name)), rule])
        + "\n"
    )
    return Program({"t.rego": source.encode()}, {}, (f"data.t.{name}",))


@dataclass
class Tally:
    """What came out. ``different``: program and input of each silent difference."""

    programs: int = 0
    pairs: Counter[Outcome] = field(default_factory=Counter)
    different: list[tuple[Program, Any, str]] = field(default_factory=list)


def fuzz(seed: int, programs: int, conftest: Engine, regopy: Engine, *, until: float | None = None) -> Tally:
    """Ask about so many programs with up to six inputs each, or until ``time.monotonic()`` says ``until``."""
    tally = Tally()
    for number in range(programs):
        if until is not None and time.monotonic() > until:
            break
        grammar = Grammar(seed * 1_000_003 + number)
        if number % 3 == 0:
            program = Typed(seed * 1_000_003 + number).program()
        elif number % 3 == 1:
            program = breaking(seed * 1_000_003 + number)
        else:
            program = grammar.program() if number % 8 == 0 else single(grammar)
        inputs: Sequence[Any] = [grammar.input() for _ in range(1 if number % 3 == 0 else 6)]
        tally.programs += 1
        for value, (outcome, said) in zip(inputs, compare(program, inputs, conftest, regopy), strict=True):
            tally.pairs[outcome] += 1
            if outcome in ("wrong value", "error missed"):
                tally.different.append((program, value, said))
    return tally


def main(arguments: Sequence[str]) -> int:
    """1 when a difference was found."""
    parser = argparse.ArgumentParser(prog="python -m policy.conformance.fuzz")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args(arguments)
    conftest = trusted_conftest(os.environ)
    regopy = RegopyEngine("")
    tally = fuzz(options.seed, 1 << 40, conftest, regopy, until=time.monotonic() + options.minutes * 60)
    for program, value, said in tally.different:
        sys.stdout.write(f"=== {value!r}\n{said}\n{program.modules['t.rego'].decode()}\n")
    pairs = ", ".join(f"{count} {outcome}" for outcome, count in sorted(tally.pairs.items()))
    sys.stdout.write(f"seed {options.seed}: {tally.programs} programs: {pairs}\n")
    return 1 if tally.different else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
