"""JSON files (RFC 8259) as other tools write them."""

from __future__ import annotations

import json
import re
from typing import NoReturn

from maestro.documents import rules
from maestro.documents.compose import Limits
from maestro.documents.json_value import Json
from maestro.documents.problem import Problem
from maestro.documents.scalars import NumberTooBig
from maestro.documents.show import show_text
from maestro.documents.source import Source
from maestro.findings import Location, Rule

_DUPLICATE = Rule(rules.DUPLICATE_KEY.id, rules.DUPLICATE_KEY.title, rules.DUPLICATE_KEY.remedy, mode="warn")
_SURROGATE = re.compile(r"\\(?:u[dD][89a-fA-F][0-9a-fA-F]{2}|.)", re.DOTALL)


def without_surrogate_escapes(text: str) -> str:
    """The same text at the same places for a YAML parser, which knows no UTF-16 escapes."""
    return _SURROGATE.sub(lambda found: "\\u0041" if len(found[0]) == 6 else found[0], text)


def _depth_beyond(text: str, most: int) -> int | None:
    """Offset of the first bracket nested deeper than ``most``; strings are passed over."""
    depth = 0
    for found in re.finditer(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', text, re.DOTALL):
        if found[0] in "[{":
            depth += 1
            if depth > most:
                return found.start()
        elif found[0] in "]}":
            depth -= 1
    return None


def _number(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise NumberTooBig(text)
    return number


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise NumberTooBig(text) from error


def _refuse(text: str) -> NoReturn:
    raise NumberTooBig(text)


def read_json(source: Source, start: int, limits: Limits) -> tuple[Json, tuple[Problem, ...]]:
    """The value of a JSON text that begins at offset ``start``, and what is wrong with it; never raises."""
    text = source.text[start:]
    deep = _depth_beyond(text, limits.depth)
    if deep is not None:
        place = source.location(deep + start)
        return None, (Problem(rules.TOO_DEEP, f"nested deeper than {limits.depth} levels", place),)
    doubles: list[str] = []

    def take(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        value = dict(pairs)
        if len(value) < len(pairs):
            seen: set[str] = set()
            for key, _ in pairs:
                if key in seen:
                    doubles.append(key)
                seen.add(key)
        return value

    try:
        value: Json = json.loads(
            text, object_pairs_hook=take, parse_float=_number, parse_int=_integer, parse_constant=_refuse
        )
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except NumberTooBig as error:
        message = f"{show_text(str(error))} is not a number that JSON can hold"
        at = text.find(str(error))
        return None, (Problem(rules.NUMBER, message, source.location(max(at, 0) + start)),)
    except json.JSONDecodeError as error:
        message = f"this is not valid JSON: {error.msg}"
        return None, (Problem(rules.SYNTAX, message, source.location(error.pos + start), remedy="repair the JSON"),)
    except UnicodeEncodeError:
        message = "a text holds half of a surrogate pair, which is no character"
        return None, (Problem(rules.SYNTAX, message, Location(source.path)),)
    problems = tuple(
        Problem(_DUPLICATE, f"the key {show_text(key)} stands more than once in one object", Location(source.path))
        for key in doubles
    )
    return value, problems
