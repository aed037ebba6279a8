"""JSON and archives that are made to hurt whoever reads them, handed to every parser: huge, deep, in two meanings."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from maestro.errors import MaestroError
from tests.fuzz.targets import Target, targets

pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")  # in-toto recording


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> tuple[Target, ...]:
    return targets(tmp_path_factory.mktemp("targets"))


def _twice(data: bytes) -> bytes:
    """The same key a second time, at the very beginning of a JSON object."""
    return b'{"mediaType":1,"_type":1,"signed":1,"schema":1,"run":1,' + data[1:] if data[:1] == b"{" else data + data


HUGE = 100 << 20
HOSTILE: dict[str, Callable[[bytes], bytes]] = {
    "deep lists": lambda data: b"[" * 20_000 + b"\n",
    "deep objects": lambda data: b'{"a":' * 20_000 + b"\n",
    "deep and whole": lambda data: b'{"a":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "a number of a million digits": lambda data: b'{"a":' + b"9" * 1_000_000 + b"}",
    "not UTF-8": lambda data: data[:1] + b"\xff\xfe" + data[1:],
    "UTF-16": lambda data: data.decode("latin-1").encode("utf-16"),
    "a byte order mark": lambda data: b"\xef\xbb\xbf" + data,
    "half a surrogate": lambda data: b'{"a":"\\ud800"}',
    "nothing": lambda data: b"",
    "a key twice": _twice,
}


def _answer(target: Target, data: bytes) -> None:
    try:
        meaning = target.read(data)
    except MaestroError:
        return
    except Exception as error:
        raise AssertionError(f"{target.name}: {type(error).__name__}") from error
    assert not target.sealed or meaning in [target.read(one) for one in target.seeds], target.name


@pytest.mark.parametrize("kind", HOSTILE)
def test_it_is_refused_or_means_the_same(every: tuple[Target, ...], kind: str) -> None:
    for target in every:
        _answer(target, HOSTILE[kind](target.seeds[0]))


@pytest.mark.parametrize("data", [b"{" + b" " * HUGE + b"}", b'{"a":"' + b"x" * HUGE + b'"}'], ids=["space", "text"])
def test_a_hundred_megabytes(every: tuple[Target, ...], data: bytes) -> None:
    for target in every:
        if " that " not in target.name:  # those lie within another file, which is refused for its size
            _answer(target, data)
