"""What a plain scalar means: YAML 1.2.2 core schema (10.3.2), and what YAML 1.1 (yaml.org/type) made of it."""

from __future__ import annotations

import re
from typing import Final

_WORDS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_FIRST = frozenset("-+.0123456789nNtTfF~")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")

_INF = float("inf")


class NumberTooBig(ValueError):
    """A number that no JSON reader would take: infinite, not a number, or with thousands of digits."""


def resolve(text: str) -> str | int | float | bool | None:
    """The value of a plain scalar in the core schema.

    Raises:
        NumberTooBig: ``.inf``, ``.nan``, a float beyond double range, or an integer too long to convert.
    """
    if not text:
        return None
    if text[0] not in _FIRST:
        return text
    if text in _WORDS:
        return _WORDS[text]
    try:
        if _INTEGER.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            number = float(text)
            if number in (_INF, -_INF):
                raise NumberTooBig(text)
            return number
        if _OCTAL.fullmatch(text):
            return int(text[2:], 8)
        if _HEX.fullmatch(text):
            return int(text[2:], 16)
    except NumberTooBig:
        raise
    except ValueError as error:  # Python's limit on the digits of an integer
        raise NumberTooBig(text) from error
    if _NOT_FINITE.fullmatch(text):
        raise NumberTooBig(text)
    return text


_BOOLEANS_1_1 = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "off", "Off", "OFF"), False),
}
_FIRST_1_1 = frozenset("-+0123456789yYnNoO=.")
_INTEGER_1_1 = re.compile(
    r"(?P<sign>[-+]?)(?:0b(?P<two>[01_]+)|0(?P<eight>[0-7_]+)|0x(?P<sixteen>[0-9a-fA-F_]+)"
    r"|(?P<sixty>[1-9][0-9_]*(?::[0-5]?[0-9])+)|(?P<ten>0|[1-9][0-9_]*))"
)
_FLOAT_1_1 = re.compile(
    r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?)"
    r"|(?P<sixty>[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*)"
)


def _base_sixty(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    total = 0
    for part in text.lstrip("+-").split(":"):
        total = total * 60 + int(part)
    return sign * total


def _number_1_1(text: str) -> int | float | None:
    """The number that YAML 1.1 reads, or None when it is no number there."""
    integer = _INTEGER_1_1.fullmatch(text)
    if integer:
        digits = {base: (integer[base] or "").replace("_", "") for base in ("two", "eight", "sixteen", "ten", "sixty")}
        sign = -1 if integer["sign"] == "-" else 1
        for base, radix in (("two", 2), ("eight", 8), ("sixteen", 16), ("ten", 10)):
            if digits[base]:
                return sign * int(digits[base], radix)
        return sign * _base_sixty(digits["sixty"]) if digits["sixty"] else None
    decimal = _FLOAT_1_1.fullmatch(text)
    if decimal is None:
        return None
    plain = text.replace("_", "")
    if decimal["sixty"]:
        whole, _, part = plain.rpartition(".")
        magnitude = abs(_base_sixty(whole)) + (float("0." + part) if part else 0.0)
        return -magnitude if plain.startswith("-") else magnitude
    return float(plain)


def differs_in_1_1(text: str) -> str | None:
    """What YAML 1.1 reads in a plain scalar, in words, when it is not what the core schema of 1.2 reads.

    Dates are left out: no engine is handed anything but their text.
    """
    if not text or text[0] not in _FIRST_1_1 or len(text) > 60:
        return None
    if text in _BOOLEANS_1_1:
        return f"the boolean {'true' if _BOOLEANS_1_1[text] else 'false'}"
    if text == "=":
        return "a default-value mark"
    if text[0] not in "-+.0123456789":
        return None
    try:
        now = resolve(text)
        then = _number_1_1(text)
    except ValueError:
        return None
    number = isinstance(now, int | float) and not isinstance(now, bool)
    if then is None:
        return "text" if number else None
    return None if number and now == then else f"the number {then!r}"


def resolve_1_1(text: str, value: str | int | float | bool | None) -> str | int | float | bool | None:
    """What YAML 1.1 reads in a plain scalar; ``value`` is what the core schema of 1.2 reads."""
    if differs_in_1_1(text) is None or text == "=":
        return value
    if text in _BOOLEANS_1_1:
        return _BOOLEANS_1_1[text]
    number = _number_1_1(text)
    return text if number is None else number


def describe(value: object) -> str:
    """A scalar's reading in words, for notes."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"the boolean {'true' if value else 'false'}"
    if isinstance(value, int | float):
        return f"the number {value!r}"
    return "text"
