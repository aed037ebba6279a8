"""What somebody probably meant by a value that is refused: what to write instead, and whether that is certain."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from maestro.documents import fields
from maestro.documents.json_value import Json


class Meant(NamedTuple):
    """``text`` is YAML. Only what is ``certain`` may be written by a tool; the rest is a proposal to a person."""

    text: str
    certain: bool = False


_DAY_FIRST = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", re.ASCII)
_YEAR_FIRST = re.compile(r"(\d{4})[-/. ]?(\d{1,2})[-/. ]?(\d{1,2})(?:[T ].*)?", re.ASCII)
_AMOUNT = re.compile(r"(\d{1,9}) ?([kKmMgGtT])(i?)[bB]?(?:ytes?)?", re.ASCII)
_TIME = re.compile(r"(\d{1,5}) ?(s|m|h|d)(?:ec|ecs|econds?|in|ins|inutes?|rs?|ours?|ays?)?", re.IGNORECASE | re.ASCII)
_TEAM = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_]*/[A-Za-z0-9][-A-Za-z0-9_.]*")


def meant(value: Json, node: Mapping[str, Any]) -> Meant | None:
    """A proposal for a scalar of the JSON Schema ``node``, or None where there is no good guess."""
    words = node.get("errorMessage")
    if words == fields.DURATION_WORDS and isinstance(value, int) and not isinstance(value, bool):
        return Meant(f"{value}s") if 0 < value < 100_000 else None
    if not isinstance(value, str):
        return None
    guess = {
        fields.DATE_WORDS: _date,
        fields.MEMORY_WORDS: _memory,
        fields.DURATION_WORDS: _duration,
        fields.CPU_WORDS: _cores,
        fields.OWNER_WORDS: _owner,
        fields.NAME_WORDS: _name,
    }.get(str(words))
    return guess(value.strip()) if guess else None


def _date(value: str) -> Meant | None:
    if found := _DAY_FIRST.fullmatch(value):
        day, month, year = found.groups()
    elif found := _YEAR_FIRST.fullmatch(value):
        year, month, day = found.groups()
    else:
        return None
    try:
        return Meant(dt.date(int(year), int(month), int(day)).isoformat(), certain=True)
    except ValueError:
        return None


def _memory(value: str) -> Meant | None:
    found = _AMOUNT.fullmatch(value)
    if found is None or int(found[1]) == 0:
        return None
    unit = found[2].upper()
    if found[3] or unit == "K":
        return Meant(f"{int(found[1])}{unit}i")
    return Meant(f"{int(found[1])}{unit}i` or `{int(found[1])}{unit}")


def _duration(value: str) -> Meant | None:
    found = _TIME.fullmatch(value)
    return Meant(f"{int(found[1])}{found[2].lower()}") if found and int(found[1]) else None


def _cores(value: str) -> Meant | None:
    sound = re.fullmatch(r"[1-9]\d{0,3}|\d{1,4}\.\d{1,3}", value, re.ASCII) and float(value) > 0
    return Meant(value, certain=True) if sound else None


def _owner(value: str) -> Meant | None:
    return Meant(f'"@{value}"', certain=True) if _TEAM.fullmatch(value) else None


def _name(value: str) -> Meant | None:
    """No certain one: other documents may use the name."""
    if re.fullmatch(r"[-A-Za-z0-9_. ]{1,63}", value) is None:
        return None
    name = re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-")
    return Meant(name) if name else None
