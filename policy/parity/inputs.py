"""What is asked about a pack to find out whether two engines read it alike. Pure; the same files, the same inputs.

Every fixture, and fixtures with one place changed: absent, null, of another type, empty, at its boundary, in letters
beyond ASCII, beyond 2^53. Changed is each place that the rules can look at, and each that they refer to and a fixture
does not have. Where that gives more than ``MOST`` inputs, each kind of change of each place is taken once before any is
taken twice.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from maestro import canonical_json
from maestro.config import CONFIG_PATH, load_config
from policy.diff.fixtures import fixture_inputs
from policy.diff.references import input_paths, looked_at
from policy.folder import Folder
from policy.pack import Files, Pack, load_packs
from policy.rego_text import read_text

MOST = 600
"""Inputs of one pack, unless it has more fixtures."""
METHOD = 1
"""Grows when the same files give other inputs than before."""

_OURS = b"apiVersion: maestro-conductor/v1\npacks: ['packs/*']\n"
_Place = tuple[str | int, ...]
_BEYOND = (2**53 + 1, -(2**53) - 1)
_OTHERS: tuple[Any, ...] = (True, 7, "x", ["x"], {"x": "y"})
_NON_ASCII = ("\u00e9", "\u4f60\u597d", "a\u0301")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOST_CONSTANTS = 24
_GONE = object()
_LONGEST_CONSTANT = 60


@dataclass(frozen=True)
class Constants:
    """What the rules compare with: their numbers, dates and short texts."""

    numbers: tuple[int | float, ...]
    texts: tuple[str, ...]


def inputs_of(files: Files, pack: Pack) -> list[Any]:
    """Everything that is asked about a pack, each input once; empty without fixtures.

    A pack that came with this tool is copied without its fixtures; until it has some of its own, ours are asked about.
    """
    fixtures = fixture_inputs(files, pack)[0]
    if not fixtures:
        ours = next((one for one in shipped_packs() if one.name == pack.name), None)
        fixtures = fixture_inputs(shipped_files(), ours)[0] if ours is not None else []
    return derived([fixture.value for fixture in fixtures], pack.modules)


def shipped_files() -> Folder:
    """The folder of this tool in which ``packs`` lies."""
    return Folder(Path(__file__).parents[1])


@cache
def shipped_packs() -> tuple[Pack, ...]:
    """The packs that come with this tool."""
    return load_packs(shipped_files(), load_config(CONFIG_PATH, _OURS)).packs


def digest_of(inputs: Sequence[Any]) -> str:
    """One digest of all inputs."""
    return canonical_json.digest([canonical_json.digest(value) for value in inputs])


def derived(fixtures: Sequence[Any], modules: Mapping[str, bytes]) -> list[Any]:
    """The fixtures that are JSON, and what is derived from them."""
    known: dict[bytes, Any] = {}
    for value in fixtures:
        written = _written(value)
        if written is not None:
            known.setdefault(written, value)
    originals = list(known.values())
    references, constants = input_paths(modules), constants_of(modules)
    ranks: Counter[tuple[_Place, str]] = Counter()
    planned: list[tuple[int, Any, _Place, Any]] = []
    for value in originals:
        for place in _places(value, references):
            general = tuple("*" if isinstance(part, int) else part for part in place)
            for kind, other in _instead(value, place, constants):
                planned.append((ranks[general, kind], value, place, other))
                ranks[general, kind] += 1
    planned.sort(key=lambda one: one[0])
    out = list(originals)
    for _, value, place, other in planned:
        if len(out) >= MOST:
            break
        made = changed(value, place, remove=True) if other is _GONE else changed(value, place, other)
        written = _written(made)
        if written is not None and written not in known:
            known[written] = made
            out.append(made)
    return out


def constants_of(modules: Mapping[str, bytes]) -> Constants:
    """The constants of some modules, sorted."""
    numbers: set[int | float] = set()
    texts: set[str] = set()
    for source in modules.values():
        for token in read_text(source.decode("utf-8", "replace")).tokens:
            if token.kind == "number":
                numbers.update(_number(token.text))
            elif token.kind in ("string", "raw") and len(token.text) <= _LONGEST_CONSTANT and "\\" not in token.text:
                texts.add(token.text[1:-1])
    short = sorted(texts, key=lambda text: (len(text), text))
    return Constants(tuple(sorted(numbers)[:_MOST_CONSTANTS]), tuple(short[:_MOST_CONSTANTS]))


def _number(text: str) -> Iterator[int | float]:
    if re.fullmatch(r"[0-9]{1,18}", text):
        yield int(text)
    elif re.fullmatch(r"[0-9]{1,15}\.[0-9]{1,15}", text):
        yield float(text)


def _written(value: Any) -> bytes | None:  # noqa: ANN401
    try:
        return canonical_json.dumps(value)
    except ValueError:
        return None


def _places(value: Any, references: frozenset[tuple[str, ...]]) -> Iterator[_Place]:  # noqa: ANN401
    """Places of ``value`` that the rules can look at, then those they refer to and it has not."""
    yield from (place for place in _all(value) if looked_at(references, [str(part) for part in place]))
    for path in sorted(references):
        for length in range(1, len(path) + 1):
            holder = _at(value, path[: length - 1])
            if not isinstance(holder, dict):
                break
            if path[length - 1] not in holder:
                yield path[:length]
                break


def _all(value: Any, prefix: _Place = ()) -> Iterator[_Place]:  # noqa: ANN401
    pending: list[tuple[_Place, Any]] = [(prefix, value)]
    while pending:
        place, item = pending.pop(0)
        yield place
        if isinstance(item, dict):
            pending += [((*place, key), member) for key, member in item.items()]
        elif isinstance(item, list):
            pending += [((*place, index), member) for index, member in enumerate(item)]


def _at(value: Any, place: Sequence[str | int]) -> Any:  # noqa: ANN401
    for part in place:
        if not isinstance(value, dict) or part not in value:
            return None
        value = value[part]
    return value


def _instead(whole: Any, place: _Place, constants: Constants) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    """What to put at ``place``, each with the kind of change; ``_GONE`` for nothing at all."""
    value = whole
    for part in place:
        if isinstance(value, dict) and part not in value:
            value = _GONE
            break
        value = value[part]
    if place and value is not _GONE:
        yield "absent", _GONE
    yield "null", None
    for number, other in enumerate(_OTHERS):
        yield f"another type {number}", other
    empties: tuple[Any, ...] = ("", 0, [], {})
    for empty in empties:
        yield f"empty {type(empty).__name__}", empty
    for number, beyond in enumerate(_BEYOND):
        yield f"beyond 2^53 {number}", beyond
    for number, text in enumerate(_NON_ASCII):
        yield f"unicode {number}", text
    if isinstance(value, bool):
        yield "the other", not value
    elif isinstance(value, (int, float)):
        for near in (value - 1, value + 1, -value, *_near(constants.numbers)):
            yield f"boundary {near}", near
    elif isinstance(value, str):
        yield "unicode in it", value + "\u00e9"
        yield "longer", value + "x"
        yield "shorter", value[:-1]
        for text in _days(value):
            yield "another day", text
        for text in constants.texts:
            yield f"constant {text}", text
    elif isinstance(value, list):
        yield "one element", value[:1]
        yield "one more", [*value, *value[:1]]
        yield "the other way round", value[::-1]
    elif isinstance(value, dict):
        yield "one member", dict(list(value.items())[:1])
        yield "one more", {**value, "x": None}
    if value is None or value is _GONE:
        for near in _near(constants.numbers):
            yield f"boundary {near}", near
        for text in constants.texts:
            yield f"constant {text}", text


def _near(numbers: Sequence[int | float]) -> Iterator[int | float]:
    for number in numbers:
        yield from (number - 1, number, number + 1)


def _days(text: str) -> Iterator[str]:
    """A date or time a day earlier, later, and as nobody writes one."""
    found = _DATE.match(text)
    if found is None:
        return
    try:
        day = dt.date.fromisoformat(found[0])
        near = [(day - dt.timedelta(1)).isoformat(), (day + dt.timedelta(1)).isoformat()]
    except (ValueError, OverflowError):
        near = []
    for other in [*near, "2026-02-30", "0000-00-00"]:
        yield other + text[found.end() :]


def changed(whole: Any, place: _Place, other: Any = None, *, remove: bool = False) -> Any:  # noqa: ANN401
    """A copy of ``whole`` in which ``place`` is ``other``, or gone. Members that are missing on the way are made."""
    if not place:
        return other
    key: Any = place[0]
    copy: Any = dict(whole) if isinstance(whole, dict) else {}
    if isinstance(whole, list) and isinstance(key, int):
        copy = list(whole)
    if remove and len(place) == 1:
        del copy[key]
    else:
        inner = copy[key] if isinstance(copy, list) else copy.get(key)
        copy[key] = changed(inner, place[1:], other, remove=remove)
    return copy
