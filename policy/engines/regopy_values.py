"""The worker's answers as values. It marks what is a set (``["s", …]``) and what an array (``["a", …]``): regopy writes
both alike, and a set in another order than OPA's (v1/ast/compare.go)."""

from __future__ import annotations

import functools
import json
from decimal import Decimal
from typing import Any

from policy.engines.conftest_output import number
from policy.preflight.text import decoded

_DECODER = json.JSONDecoder(parse_float=number)
_RANKS = {type(None): 0, bool: 1, int: 2, float: 2, Decimal: 2, str: 3, dict: 6}


def read(text: str) -> Any:  # noqa: ANN401
    """The value of a marked text; sets are sorted as OPA sorts them.

    Raises:
        ValueError: it is none.
    """
    return plain(_sorted(decoded(_DECODER.decode(text))))


def _sorted(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, list):
        if not value or value[0] not in ("a", "s"):
            raise ValueError("neither a set nor an array")
        members = [_sorted(member) for member in value[1:]]
        if value[0] == "s":
            members.sort(key=functools.cmp_to_key(compare))
        return [value[0], *members]
    if isinstance(value, dict):
        return {key: _sorted(member) for key, member in value.items()}
    return value


def plain(value: Any) -> Any:  # noqa: ANN401
    """A value without its marks."""
    if isinstance(value, list):
        return [plain(member) for member in value[1:]]
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    return value


def _rank(value: Any) -> int:  # noqa: ANN401
    if isinstance(value, list):
        return 5 if value[0] == "a" else 7
    return _RANKS[type(value)]


def compare(one: Any, other: Any) -> int:  # noqa: ANN401
    """OPA's total order of marked values: -1, 0 or 1."""
    ranks = _rank(one), _rank(other)
    if ranks[0] != ranks[1]:
        return -1 if ranks[0] < ranks[1] else 1
    if isinstance(one, list):
        return _in_turn(one[1:], other[1:])
    if isinstance(one, dict):
        left, right = sorted(one), sorted(other)
        for first, second in zip(left, right, strict=False):
            found = compare(first, second) or compare(one[first], other[second])
            if found:
                return found
        return (len(left) > len(right)) - (len(left) < len(right))
    if one is None:
        return 0
    return int(one > other) - int(one < other)


def _in_turn(one: list[Any], other: list[Any]) -> int:
    for first, second in zip(one, other, strict=False):
        found = compare(first, second)
        if found:
            return found
    return (len(one) > len(other)) - (len(one) < len(other))
