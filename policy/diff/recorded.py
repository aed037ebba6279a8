"""Recorded decision inputs, one JSON object a line: ours, or events of OPA's decision log.

Ours is ``{"input": …, "pack"?: "mc.flags"}``; without ``pack`` every pack is asked. An event of OPA
(https://www.openpolicyagent.org/docs/management-decision-logs) has ``path`` (``mc/flags/deny``) or ``query``, and says
in ``erased`` and ``masked`` which parts of it (JSON pointers, ``/input/password``) are not what they were when OPA
decided.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, NoReturn

from maestro.errors import UsageError
from policy.engines.conftest_output import number

LINE_LIMIT = 16 << 20
"""Bytes of one line."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded input. ``pack`` names who decided; ``path`` is OPA's, split; neither means that all are asked.
    ``altered`` are the parts of the input that were erased or masked, as keys."""

    line: int
    value: Any
    pack: str | None = None
    path: tuple[str, ...] | None = None
    altered: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Unusable:
    """A line that is in order and cannot be asked: why, in words that lines have in common."""

    line: int
    why: str


def read_recorded(stream: BinaryIO, name: str) -> Iterator[Recorded | Unusable]:
    """The lines of a corpus, one at a time; empty ones are passed over.

    Raises:
        UsageError: a line is no JSON object, or not of either shape; it names ``name``, line and column.
    """
    number_of_line = 0
    while True:
        data = stream.readline(LINE_LIMIT + 1)
        number_of_line += 1
        if not data:
            return
        if len(data) > LINE_LIMIT:
            raise _wrong(name, number_of_line, 1, f"the line is longer than {LINE_LIMIT} bytes")
        if number_of_line == 1:
            data = data.removeprefix(b"\xef\xbb\xbf")
        if data.strip():
            yield _line(name, number_of_line, data)


def pack_of(path: tuple[str, ...], names: frozenset[str]) -> str | None:
    """The pack that OPA was asked about: the longest namespace at the beginning of the path."""
    for length in range(len(path), 0, -1):
        name = ".".join(path[:length])
        if name in names:
            return name
    return None


def _line(name: str, line: int, data: bytes) -> Recorded | Unusable:
    try:
        text = data.decode("utf-8").rstrip("\r\n")
        value = _DECODER.decode(text)
        if "\\u" in text:  # a lone surrogate is text that no engine could be given
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise _wrong(name, line, 1, "text with half of a surrogate pair is no Unicode") from None
    except UnicodeDecodeError as error:
        raise _wrong(name, line, error.start + 1, f"byte {error.start + 1} is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise _wrong(name, line, error.colno, f"not JSON: {error.msg}") from None
    except ValueError as error:
        raise _wrong(name, line, 1, f"not JSON: {error}") from None
    except RecursionError:
        raise _wrong(name, line, 1, "nested too deeply") from None
    if not isinstance(value, dict):
        raise _wrong(name, line, 1, "a line holds one JSON object with `input`")
    if "decision_id" in value or "path" in value or "query" in value:
        return _event(name, line, value)
    unknown = sorted(value.keys() - {"input", "pack"})
    if "input" not in value or unknown:
        what = f"has {unknown[0]!r}, which is none of input, pack" if unknown else "has no `input`"
        raise _wrong(name, line, 1, f"the object {what}, and it is no event of OPA's decision log")
    pack = value.get("pack")
    if pack is not None and not isinstance(pack, str):
        raise _wrong(name, line, 1, "`pack` is the name of a pack, a text")
    return Recorded(line, value["input"], pack)


def _event(name: str, line: int, event: dict[str, Any]) -> Recorded | Unusable:
    altered = [*_pointers(name, line, event, "erased"), *_pointers(name, line, event, "masked")]
    if "input" not in event or any(not pointer for pointer in altered):
        return Unusable(line, "the input was left out or erased")
    path = event.get("path")
    if not isinstance(path, str) or not path.strip("/"):
        return Unusable(line, "a query of no rule: the event has no `path`")
    return Recorded(line, event["input"], None, tuple(path.strip("/").split("/")), tuple(altered))


def _pointers(name: str, line: int, event: dict[str, Any], member: str) -> Iterator[tuple[str, ...]]:
    """The altered parts of the input; parts of the result concern nobody here."""
    pointers = event.get(member) or []
    if not isinstance(pointers, list) or not all(isinstance(pointer, str) for pointer in pointers):
        raise _wrong(name, line, 1, f"`{member}` is a list of JSON pointers")
    for pointer in pointers:
        first, *rest = (part.replace("~1", "/").replace("~0", "~") for part in pointer.lstrip("/").split("/"))
        if first == "input":
            yield tuple(rest)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return value


def _constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant, parse_float=number)


def _wrong(name: str, line: int, column: int, message: str) -> UsageError:
    remedy = 'one object a line: {"input": …, "pack": "mc.flags"}, or events of OPA\'s decision log'
    return UsageError(message, where=f"{name}:{line}:{column}", remedy=remedy)
