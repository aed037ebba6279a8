"""Versions, identifiers and times: after ``internal/semver``, ``internal/uuid`` and ``v1/topdown/time.go``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from policy.engines.engine import UNDEFINED
from policy.preflight.computed.values import Fails, Unsure, Value, text

_NAMES = re.compile(r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*")
_NUMBER = re.compile(r"0|[1-9][0-9]*")
_UUID = re.compile(r"([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})", re.IGNORECASE)
_RFC3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_DURATION = re.compile(r"(?:[0-9]+(?:h|ms|m|s|us|ns))+")
_PART = re.compile(r"([0-9]+)(h|ms|m|s|us|ns)")
_LENGTHS = {"h": 3600 * 10**9, "m": 60 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_GREGORIAN = 0x01B21DD213814000
_LARGEST = (1 << 63) - 1

Version = tuple[tuple[int, int, int], str]


def _semver(value: Value) -> Version:
    rest, plus, metadata = text(value).removeprefix("v").partition("+")
    rest, minus, before = rest.partition("-")
    names = [name for name, there in ((metadata, plus), (before, minus)) if there]
    if not all(_NAMES.fullmatch(name) for name in names):
        raise Fails("no semantic version")
    if minus and any(part.isdecimal() and len(part) > 1 and part[0] == "0" for part in before.split(".")):
        raise Fails("no semantic version")
    parts = rest.split(".")
    if len(parts) != 3 or not all(_NUMBER.fullmatch(part) and int(part) <= _LARGEST for part in parts):
        raise Fails("no semantic version")
    return (int(parts[0]), int(parts[1]), int(parts[2])), before


def semver_compare(value: Value, other: Value) -> Value:
    """semver.compare"""
    (one, before), (two, before_other) = _semver(value), _semver(other)
    if one != two:
        return 1 if one > two else -1
    if before == before_other:
        return 0
    if not before or not before_other:
        return -1 if before else 1
    left, right = before.split("."), before_other.split(".")
    for first, second in zip(left, right, strict=False):
        if len(first) > 18 and len(second) > 18:
            raise Unsure("a part of many digits")
        if first != second:
            if first.isdecimal() and second.isdecimal():
                return 1 if int(first) > int(second) else -1
            if first.isdecimal() != second.isdecimal():
                return -1 if first.isdecimal() else 1
            return 1 if first > second else -1
    return 1 if len(left) > len(right) else -1


def semver_is_valid(value: Value) -> Value:
    """semver.is_valid"""
    try:
        _semver(value)
    except Fails:
        return False
    return True


def uuid_parse(value: Value) -> Value:
    """uuid.parse"""
    given = text(value)
    if len(given) == 45 and given[:9].lower() == "urn:uuid:":
        given = given[9:]
    elif len(given) == 38:
        given = given[1:-1]
    elif len(given) == 32:
        given = f"{given[:8]}-{given[8:12]}-{given[12:16]}-{given[16:20]}-{given[20:]}"
    if not given.isascii():
        raise Unsure("an identifier beyond ASCII")
    found = _UUID.fullmatch(given)
    if found is None:
        return UNDEFINED
    low, middle, high, clock = (int(found[at], 16) for at in range(1, 5))
    version, top = high >> 12, clock >> 8
    variant = ("RFC4122" if top & 0xC0 == 0x80 else "Microsoft" if top & 0xE0 == 0xC0
               else "Future" if top & 0xE0 == 0xE0 else "Reserved")  # fmt: skip
    parts: dict[str, Value] = {"version": version, "variant": variant}
    if version in (1, 2):
        node = found[5].lower()
        first = int(node[:2], 16)
        parts["nodeid"] = "-".join(node[at : at + 2] for at in range(0, 12, 2))
        parts["macvariables"] = ("local:" if first & 2 else "global:") + ("multicast" if first & 1 else "unicast")
        parts["clocksequence"] = clock & 0x3FFF
        parts["time"] = (((high & 0xFFF) << 48 | middle << 32 | low) - _GREGORIAN) * 100
    if version == 2:
        domain = clock & 0xFF
        parts["id"] = low
        parts["domain"] = ("Person", "Group", "Org")[domain] if domain < 3 else f"Domain{domain}"
    return parts


def parse_rfc3339(value: Value) -> Value:
    """time.parse_rfc3339_ns, of what is written plainly."""
    found = _RFC3339.fullmatch(text(value))
    if found is None:
        raise Unsure("a time that is not written plainly")
    zone: tzinfo = UTC
    if found[8] != "Z":
        hours, minutes = int(found[8][1:3]), int(found[8][4:])
        if hours > 23 or minutes > 59:
            raise Unsure("a zone that does not exist")
        zone = timezone(timedelta(hours=hours, minutes=minutes) * (-1 if found[8][0] == "-" else 1))
    try:
        year, month, day, hour, minute, second = (int(found[at]) for at in range(1, 7))
        moment = datetime(year, month, day, hour, minute, second, tzinfo=zone)
    except ValueError as error:
        raise Fails("no time") from error
    seconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    if not 1700 < moment.year < 2250:
        raise Unsure("a time that nanoseconds cannot hold")
    return seconds * 10**9 + int((found[7] or "0").ljust(9, "0"))


def parse_duration(value: Value) -> Value:
    """time.parse_duration_ns, of whole parts."""
    if not _DURATION.fullmatch(text(value)):
        raise Unsure("a duration that is not written plainly")
    found = sum(int(amount) * _LENGTHS[unit] for amount, unit in _PART.findall(value))
    if found > _LARGEST:
        raise Unsure("a duration beyond 292 years")
    return found
