"""What a registry asks for on 401: the WWW-Authenticate header (RFC 9110, section 11.6.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - a token of RFC 9110
_PARAMETER = re.compile(rf'[ \t]*({_TOKEN})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}))[ \t]*(?:,|$)')
_SCHEME = re.compile(rf"[ \t,]*({_TOKEN})(?:[ \t]+|[ \t]*(?:,|$))")
_TOKEN68 = re.compile(r"[0-9A-Za-z._~+/-]+=*[ \t]*(?:,|$)")
_ESCAPED = re.compile(r"\\(.)")
_LONGEST = 8192


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to be let in; ``scheme`` and the names of ``parameters`` in lower case."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(headers: Iterable[str]) -> tuple[Challenge, ...]:
    """Every challenge in the headers' values, in their order. What cannot be read, and what follows it, is none."""
    return tuple(one for header in headers for one in _in_one(header))


def _in_one(header: str) -> list[Challenge]:
    found: list[Challenge] = []
    if len(header) > _LONGEST:
        return found
    at = 0
    while at < len(header):
        scheme = _SCHEME.match(header, at)
        if scheme is None:
            break
        at = scheme.end()
        parameters: dict[str, str] = {}
        sound = True
        while (one := _PARAMETER.match(header, at)) is not None:
            name = one[1].lower()
            sound = sound and name not in parameters  # said twice, it has no single meaning
            parameters[name] = _ESCAPED.sub(r"\1", one[2]) if one[2] is not None else one[3]
            at = one.end()
        if not parameters and not scheme[0].rstrip(" \t").endswith(","):
            token = _TOKEN68.match(header, at)
            at = token.end() if token is not None else at
        if sound:
            found.append(Challenge(scheme[1].lower(), parameters))
    return found
