"""Arguments and results of computed builtins, and how they travel.

regopy has no builtins of ours. So a call is looked up in a table that stands beside the input; what the table lacks
is printed, breaks the evaluation, is computed, and the same input is asked again with the longer table
(``policy.engines.regopy_engine``). A value here is as JSON has it, an array begins with ``"a"``, a set with
``"s"`` and is sorted (as in ``policy.engines.regopy_values``), a number with a fraction is a Decimal.
"""

from __future__ import annotations

import functools
import json
import re
from decimal import Decimal
from typing import Any

from policy.engines.regopy_values import compare
from policy.preflight.text import decode, encode, reserved

Value = Any
_SPACE = re.compile(r"[ \t]*")
_STRING = re.compile(r'"([^"\\]*)"')
_WORD = re.compile(r"true|false|null|set\(\)")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?")
_WORDS: dict[str, Value] = {"true": True, "false": False, "null": None}
DEPTH = 200


class Fails(Exception):
    """OPA's builtin says it is an error."""


class Unsure(Exception):
    """Arguments for which nobody has shown what OPA answers."""


def array(members: list[Value]) -> Value:
    """An array of these."""
    return ["a", *members]


def a_set(members: list[Value]) -> Value:
    """A set of these, sorted, each once."""
    found: list[Value] = []
    for member in sorted(members, key=functools.cmp_to_key(compare)):
        if not found or compare(found[-1], member):
            found.append(member)
    return ["s", *found]


def is_array(value: Value) -> bool:
    """Whether it is an array."""
    return isinstance(value, list) and value[0] == "a"


def is_set(value: Value) -> bool:
    """Whether it is a set."""
    return isinstance(value, list) and value[0] == "s"


def text(value: Value) -> str:
    """The argument, which has to be text."""
    if not isinstance(value, str):
        raise Fails("an argument that is no text")
    return value


def whole(value: Value) -> int:
    """The argument, which has to be a whole number."""
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise Fails("an argument that is no number")
    if not isinstance(value, int):
        raise Unsure("a number with a fraction")
    return value


def members(value: Value) -> list[Value]:
    """Of an array, or of a set in OPA's order."""
    if not isinstance(value, list):
        raise Fails("an argument that is neither an array nor a set")
    return value[1:]


def read(printed: str) -> Value:
    """A value as regopy prints it: its text needs no escapes.

    Raises:
        ValueError: it is none.
    """
    value, at = _read(printed, 0, 0)
    if at != len(printed):
        raise ValueError("something after a value")
    return value


def _read(printed: str, at: int, depth: int) -> tuple[Value, int]:
    if depth > DEPTH:
        raise ValueError("nested too deeply")
    at = _skip(printed, at)
    if found := _STRING.match(printed, at):
        return decode(found[1]), found.end()
    if found := _WORD.match(printed, at):
        return ["s"] if found[0] == "set()" else _WORDS[found[0]], found.end()
    if found := _NUMBER.match(printed, at):
        return Decimal(found[0]) if found[1] else int(found[0]), found.end()
    if printed[at : at + 1] == "[":
        found_members, at = _row(printed, at + 1, "]", depth)
        return array(found_members), at
    if printed[at : at + 1] == "{":
        return _braces(printed, at + 1, depth)
    raise ValueError("no value")


def _skip(printed: str, at: int) -> int:
    found = _SPACE.match(printed, at)
    return found.end() if found else at


def _row(printed: str, at: int, closing: str, depth: int) -> tuple[list[Value], int]:
    found: list[Value] = []
    at = _skip(printed, at)
    while printed[at : at + 1] != closing:
        member, at = _read(printed, at, depth + 1)
        found.append(member)
        at = _skip(printed, at)
        if printed[at : at + 1] == ",":
            at += 1
        elif printed[at : at + 1] != closing:
            raise ValueError("no end")
    return found, at + 1


def _braces(printed: str, at: int, depth: int) -> tuple[Value, int]:
    start = _skip(printed, at)
    if printed[start : start + 1] == "}":
        return {}, start + 1
    _, after = _read(printed, start, depth + 1)
    if printed[_skip(printed, after) : _skip(printed, after) + 1] != ":":
        found, at = _row(printed, start, "}", depth)
        return a_set(found), at
    pairs: dict[str, Value] = {}
    at = start
    while True:
        key, at = _read(printed, at, depth + 1)
        at = _skip(printed, at)
        if not isinstance(key, str) or printed[at : at + 1] != ":" or key in pairs:
            raise ValueError("a key that is no text, or stands there twice")
        pairs[key], at = _read(printed, at + 1, depth + 1)
        at = _skip(printed, at)
        if printed[at : at + 1] == "}":
            return pairs, at + 1
        if printed[at : at + 1] != ",":
            raise ValueError("no end")
        at += 1


def write(value: Value) -> str:
    """A value as a Rego term for regopy."""
    if isinstance(value, str):
        if reserved(value):
            raise Unsure("text with characters that are kept for the engine")
        return f'"{encode(value)}"'
    if isinstance(value, list):
        inner = ", ".join(write(member) for member in value[1:])
        if is_array(value):
            return f"[{inner}]"
        return f"{{{inner}}}" if inner else "set()"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{write(key)}: {write(member)}" for key, member in sorted(value.items())) + "}"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)
