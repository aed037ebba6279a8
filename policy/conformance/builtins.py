"""Random arguments for every builtin that the embedded engine answers, asked of both engines:
``python -m policy.conformance.builtins [--inputs N] [--seed N] [NAME …]``.

A builtin enters ``policy.preflight.builtins`` or ``policy.preflight.computed`` after this gave no difference. Arguments
are drawn from what the builtin looks at (addresses, versions, paths, …), mutated, and now and then from anything.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from policy.conformance.compare import Outcome, compare
from policy.engines.choose import trusted_conftest
from policy.engines.engine import Engine, Program
from policy.engines.regopy_engine import RegopyEngine
from policy.preflight.builtins import ALLOWED, declared
from policy.preflight.computed.table import COMPUTED

_AT_ONCE = 50
_CHARACTERS = 'abcABC019 .-_/:+~%&=?#,;"\\\n\t\x00\x7fßéèĀ€😀\u2028\u0301\u00a0<>{}[]()*`|'
_SEEDS: dict[str, Sequence[str]] = {
    "net": ("10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "10.1.2.3/32", "0.0.0.0/0", "192.168.1.7/24", "192.168.0.0/23",
            "2001:db8::/32", "2001:db8::1", "2001:db8:0:0:1::/80", "fe80::1%eth0", "::/0", "::1", "::ffff:10.0.0.1",
            "10.0.0.0/33", "10.0.0/8", "010.0.0.0/8", "1.2.3.4/08", "2001:DB8::/129", "224.0.0.1", "172.16.0.0/12",
            "172.24.0.0/13", "172.16.0.0/13", "10.0.0.1/8"),
    "net.cidr_expand": ("10.0.0.0/30", "192.168.1.7/29", "2001:db8::/126", "10.1.2.3/32", "10.1.2.3"),
    "semver": ("1.0.0", "1.10.0", "1.9.0", "v1.2.3", "1.2.3-a.1", "1.2.3-a.b", "1.2.3-1", "1.2.3-a.10", "1.2.3-a.2+x",
               "1.2.3+b.1", "01.2.3", "1.2", "1.2.3-01", "1.2.3-", "1.2.3+", "1.2.3-a..b", "vv1.2.3", "1.2.3-0a"),
    "uri": ("https://a.example:8443/x/y?a=b&c=d#f", "http://a/", "/x/y", "a/b", "mailto:a@b", "http://[::1]/",
            "https://a.b", "?a", "#f", "//a/b", "HTTP://A.B/C", "http://a:b/", "http://a//b", "a:b", ":a", "%zz"),
    "units": ("5Mi", "5m", "1.5Gi", "0.1k", "10", "5 Mi", '"5"', "1e3", "5E", "1.2.3", ".5Ki", "5.k", "5kb", "5KIB",
              "99999999999999999999", "0.30000000000000004M", "-5", "+5k", "1e", "5eib", "x"),
    "uuid": ("6ba7b810-9dad-11d1-80b4-00c04fd430c8", "urn:uuid:6ba7b810-9dad-21d1-00b4-02c04fd430c8",
             "{6ba7b810-9dad-41d1-80b4-00c04fd430c8}", "6ba7b8109dad11d180b400c04fd430c8", "6ba7b810", "é" * 18),
    "base64": ("YWI=", "YWI", "YQ==", "////", "4oKs", "YW\nI=", "YWI==", "_-8", "Zm9v", "=", "YR=="),
    "hex": ("6162", "616", "e282ac", "ff", "zz", "6A"),
    "urlquery": ("a+b", "a%20b", "a=b&c=d", "a=b&a=c", "a;b", "%", "%e2%82%ac", "a&&b", "=", "a=%zz"),
    "json": ('{"a": 1}', '[1, 2.5, "x"]', "1.50", "1e3", "null", "nul", '"\\u00e9"', '{"a": 1, "a": 2}', " 1 ", "[1,]",
             "/a/b", "a/b", "a", "xs/0", "a~1b", "", "/", "xs"),
    "time": ("2024-02-29T12:00:00Z", "2023-02-29T12:00:00Z", "2024-01-01T00:00:00.5+02:00", "2024-01-01", "1h30m",
             "100ms", "5s3h", "1.5h", "-1h", "2024-01-01T24:00:00Z", "1700-01-01T00:00:00Z", "0", "1d"),
}  # fmt: skip


class Arguments:
    """Draws arguments; ``kind``: a builtin's name, or the first part of it."""

    def __init__(self, seed: int, kind: str) -> None:
        self.random = random.Random(seed)  # noqa: S311
        self.kind = kind

    def text(self) -> str:
        one = self.random
        known = _SEEDS.get(self.kind, ())
        if known and one.random() < 0.75:
            found = one.choice(known)
            if one.random() < 0.25 and found and self.kind != "net.cidr_expand":
                at = one.randrange(len(found))
                found = found[:at] + one.choice(("", one.choice(_CHARACTERS))) + found[at + 1 :]
            return found
        return "".join(one.choice(_CHARACTERS) for _ in range(one.randrange(6)))

    def number(self) -> Any:
        if self.kind == "bits":  # OPA itself runs out of memory on others
            return self.random.choice((0, 1, 2, 7, 64, 100, -1, 0.5))
        return self.random.choice((0, 1, 2, 3, 5, 7, 8, 10, 16, -1, -2, 100, 2**53 + 1, 0.5, 10**20, 15.5))

    def value(self, depth: int = 0) -> Any:
        one = self.random
        kind = one.randrange(8 if depth < 3 else 5)
        if kind <= 1:
            return self.text()
        if kind <= 3:
            return self.number()
        if kind == 4:
            return one.choice((None, True, False))
        if kind <= 6:
            return [self.value(depth + 1) for _ in range(one.randrange(4))]
        return {one.choice(("a", "b", "xs", "é", self.text())): self.value(depth + 1) for _ in range(one.randrange(4))}

    def of(self, wanted: dict[str, Any]) -> Any:
        """A value of a type, as the capabilities write it; now and then any."""
        one = self.random
        if one.random() < 0.06:
            return self.value()
        kind = wanted["type"]
        if kind == "any" and "of" in wanted:
            return self.of(one.choice(wanted["of"]))
        if kind == "string":
            return self.text()
        if kind == "number":
            return self.number()
        if kind in ("boolean", "null"):
            return one.choice((True, False)) if kind == "boolean" else None
        if kind == "array" and "static" in wanted:
            return [self.of(each) for each in wanted["static"]]
        if kind in ("array", "set"):
            inner = wanted.get("dynamic", wanted.get("of", {"type": "any"}))
            return [self.of(inner) for _ in range(one.randrange(4))]
        if kind == "object":
            inner = wanted.get("dynamic", {}).get("value", {"type": "any"})
            found = {self.text(): self.of(inner) for _ in range(one.randrange(4))}
            return found | {
                each["key"]: self.of(each["value"]) for each in wanted.get("static", ()) if one.random() < 0.5
            }
        return self.value()


_OPERATORS = {"plus": "+", "minus": "-", "mul": "*", "div": "/", "rem": "%", "and": "&", "or": "|", "equal": "==",
              "neq": "!=", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}  # fmt: skip
_CONSTANT = {"sprintf": 'sprintf("é\\"%s|%v|%d", [input.a0, input.a1, input.a0])',
             "regex.match": 'regex.match(`^[a-c]+(1|\\.)?$`, input.a1)', "internal.template_string": '$"é{input.a0}"',
             "internal.member_2": "input.a0 in input.a1", "internal.member_3": "(input.a0, input.a1 in input.a2)",
             "walk": "[v | walk(input.a0, v)]"}  # fmt: skip


def program(name: str) -> Program:
    """The call with the input's members as arguments, in a set where one is wanted. conftest is asked for undefined
    instead of errors: it would have to look for the culprits, and regopy breaks either way."""
    wanted = declared()[name].get("args", [])
    names = [f"input.a{at}" for at in range(len(wanted))]
    for at, of in enumerate(wanted):
        if of["type"] == "set":
            names[at] = f"{{e | some e in input.a{at}}}"
    if name in _CONSTANT:
        call = _CONSTANT[name]
    elif name in _OPERATORS:
        call = f"{names[0]} {_OPERATORS[name]} {names[1]}"
    else:
        call = f"{name}({', '.join(names)})"
    return Program({"t.rego": f"package t\n\nx := {call}\n".encode()}, {}, ("data.t.x",), "v1", False)


def prove(name: str, seed: int, inputs: int, conftest: Engine, regopy: Engine) -> tuple[Counter[Outcome], list[str]]:
    """Outcomes for so many inputs, and what both engines said where they differ silently."""
    drawn = Arguments(seed, name if name in _SEEDS else name.split(".", maxsplit=1)[0])
    wanted = declared()[name].get("args", [])
    tally: Counter[Outcome] = Counter()
    different = []
    for _ in range(0, inputs, _AT_ONCE):
        values = [{f"a{at}": drawn.of(of) for at, of in enumerate(wanted)} for _ in range(_AT_ONCE)]
        for value, (outcome, said) in zip(values, compare(program(name), values, conftest, regopy), strict=True):
            tally[outcome] += 1
            if outcome in ("wrong value", "error missed"):
                different.append(f"{name} of {value!r}\n{said}")
    return tally, different


def names() -> list[str]:
    """Every builtin that the embedded engine answers."""
    return sorted((ALLOWED | COMPUTED.keys()) & declared().keys())


def main(arguments: Sequence[str]) -> int:
    """1 when a difference was found."""
    parser = argparse.ArgumentParser(prog="python -m policy.conformance.builtins")
    parser.add_argument("--inputs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("names", nargs="*")
    options = parser.parse_args(arguments)
    conftest, regopy = trusted_conftest(os.environ), RegopyEngine("")
    found = 0
    for name in options.names or names():
        tally, different = prove(name, options.seed, options.inputs, conftest, regopy)
        found += len(different)
        pairs = ", ".join(f"{count} {outcome}" for outcome, count in sorted(tally.items()))
        sys.stdout.write("\n".join([f"{name}: {pairs}", *different]) + "\n")
        sys.stdout.flush()
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
