"""A few changed files for every parser; ``python -m tests.fuzz --minutes 10`` makes many."""

from __future__ import annotations

from pathlib import Path

import pytest

from maestro.errors import UsageError
from tests.fuzz.campaign import run
from tests.fuzz.targets import Target, targets

pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")  # in-toto recording


def test_every_parser_refuses_or_means_the_same(tmp_path: Path) -> None:
    outcomes = run(targets(tmp_path), 1, seconds=60, rounds=12)
    assert {name: list(one.found) for name, one in outcomes.items() if one.found} == {}
    assert all(one.tried == 12 for one in outcomes.values())
    assert sum(one.refused for one in outcomes.values()) > 200


def _crash(data: bytes) -> object:
    if data != b'{"a": 1}':
        raise KeyError("b")
    return 1


def _forgiving(data: bytes) -> object:
    return data


def _strict(data: bytes) -> object:
    if data != b'{"a": 1}':
        raise UsageError("no")
    return 1


@pytest.mark.parametrize(
    ("read", "sealed", "found"),
    [
        (_crash, False, ["KeyError at test_fuzz.py:_crash"]),
        (_forgiving, True, ["another meaning"]),
        (_forgiving, False, []),
        (_strict, True, []),
    ],
)
def test_what_it_finds(read: object, sealed: bool, found: list[str]) -> None:
    target = Target("t", (b'{"a": 1}',), read, sealed)  # type: ignore[arg-type]
    assert list(run([target], 1, seconds=10, rounds=30)["t"].found) == found
