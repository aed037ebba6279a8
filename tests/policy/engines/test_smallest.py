from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from maestro import canonical_json
from policy.engines.smallest import reductions, smallest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


def size(value: Any) -> int:
    return len(canonical_json.dumps(value))


def holds(value: Any, needle: Any) -> bool:
    if value == needle and type(value) is type(needle):
        return True
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(holds(member, needle) for member in members)


@settings(deadline=None)
@given(JSON, JSON)
def test_what_shows_it_is_kept_and_nothing_else(left: Any, right: Any) -> None:
    asked: list[int] = []

    def shows(values: Sequence[Any]) -> list[bool]:
        asked.append(len(values))
        return [holds(value, "needle") for value in values]

    found = smallest({"left": left, "deep": [[{"k": ["needle", right]}]], "right": right}, shows)
    assert found == {"deep": [[{"k": ["needle"]}]]}
    assert max(asked) <= 24


@given(JSON)
def test_an_input_that_nothing_smaller_shows_stays(value: Any) -> None:
    assert smallest(value, lambda values: [False] * len(values)) == value


@given(JSON)
def test_everything_shows_it(value: Any) -> None:
    assert size(smallest(value, lambda values: [True] * len(values))) <= 5


@given(JSON)
def test_reductions_of_json_are_json_and_other_values(value: Any) -> None:
    for less in reductions(value):
        assert canonical_json.dumps(less) != b"" and type(less) is type(value)


def test_it_ends() -> None:
    """Half of what is asked shows it, at random places: at most so many rounds and questions."""
    count = 0

    def shows(values: Sequence[Any]) -> list[bool]:
        nonlocal count
        count += len(values)
        return [index % 2 == 0 for index in range(len(values))]

    smallest({str(number): list(range(40)) for number in range(40)}, shows)
    assert count <= 40 * 24 * 12
