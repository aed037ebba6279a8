"""The smallest input that still shows something: delta debugging over JSON. Pure but for what it is given to ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from maestro import canonical_json

ROUNDS = 40
BATCH = 24
BATCHES = 12
"""So many questions in one round at most; what is smaller than what these find is not looked for."""


def smallest(value: Any, shows: Callable[[Sequence[Any]], Sequence[bool]]) -> Any:  # noqa: ANN401
    """Make ``value`` smaller as long as it shows what it shows.

    Args:
        value: a JSON value that shows it.
        shows: whether each of some values shows it, asked in batches, the smallest values first.
    """
    for _ in range(ROUNDS):
        next_one = _smaller(value, shows)
        if next_one is None:
            return value
        value = next_one[0]
    return value


def _smaller(value: Any, shows: Callable[[Sequence[Any]], Sequence[bool]]) -> tuple[Any] | None:  # noqa: ANN401
    size = len(canonical_json.dumps(value))
    sized = {canonical_json.dumps(one): one for one in reductions(value)}
    candidates = [one for text, one in sorted(sized.items(), key=lambda pair: (len(pair[0]), pair[0]))]
    candidates = [one for one in candidates if len(canonical_json.dumps(one)) < size]
    for start in range(0, min(len(candidates), BATCH * BATCHES), BATCH):
        batch = candidates[start : start + BATCH]
        for one, shown in zip(batch, shows(batch), strict=True):
            if shown:
                return (one,)
    return None


def reductions(value: Any) -> Iterator[Any]:  # noqa: ANN401
    """The value with one part of it left out, or replaced by the emptiest of its type."""
    if isinstance(value, dict):
        if len(value) > 1:
            yield {}
        for key in value:
            yield {name: member for name, member in value.items() if name != key}
        for key, member in value.items():
            yield from ({**value, key: less} for less in reductions(member))
    elif isinstance(value, list):
        if len(value) > 1:
            yield []
        half = len(value) // 2
        if half > 1:
            yield value[:half]
            yield value[half:]
        for index in range(len(value)):
            yield value[:index] + value[index + 1 :]
        for index, member in enumerate(value):
            yield from ([*value[:index], less, *value[index + 1 :]] for less in reductions(member))
    elif isinstance(value, str) and value:
        yield ""
        if len(value) > 1:
            yield value[: len(value) // 2]
            yield value[len(value) // 2 :]
            yield value[1:]
            yield value[:-1]
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield 0
