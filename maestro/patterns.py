"""Which paths a pattern means. The subset of git's ``:(glob)`` that people use, always from the root of the repository.

``*`` and ``?`` stay within a folder, ``**`` as a whole segment is any number of folders, ``[a-z]`` and ``[!a-z]`` one
character, a pattern ending in ``/`` everything below that folder. Names beginning with a dot are like any other.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable


class PatternError(ValueError):
    """A pattern that cannot mean what its author thinks; the text says why, to follow ``must``."""


def check(pattern: str) -> None:
    """Refuse what could never match a path in a repository.

    Raises:
        PatternError: absolute, ``..``, ``.`` or empty segments, backslashes, control characters, an unclosed ``[``.
    """
    if not pattern:
        raise PatternError("not be empty")
    if pattern.startswith(("/", "~")) or re.match(r"[A-Za-z]:", pattern):
        raise PatternError("be relative to the root of the repository")
    if "\\" in pattern:
        raise PatternError("use / between folders; a backslash has no meaning")
    if any(ord(char) < 32 or ord(char) == 127 for char in pattern):
        raise PatternError("hold no control characters")
    segments = pattern.removesuffix("/").split("/")
    if ".." in segments:
        raise PatternError("not hold `..`: only files of the repository are governed")
    if "." in segments or "" in segments:
        raise PatternError("not hold `.` or empty segments")
    for segment in segments:
        _segment(segment)


def matches(pattern: str, path: str) -> bool:
    """Whether ``pattern`` means ``path`` (relative, ``/`` between folders).

    Raises:
        PatternError: see :func:`check`.
    """
    return _compiled((pattern,)).fullmatch(path) is not None


def compile_patterns(patterns: Iterable[str]) -> Callable[[str], bool]:
    """A test for many paths: whether any of ``patterns`` means one.

    Raises:
        PatternError: see :func:`check`.
    """
    whole = _compiled(tuple(patterns)).fullmatch
    return lambda path: whole(path) is not None


@functools.lru_cache(maxsize=256)
def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(_expression(pattern) for pattern in patterns) if patterns else r"(?!)", re.DOTALL)


def _expression(pattern: str) -> str:
    """A regular expression that takes time in proportion to the path, whatever the pattern (see :func:`_segment`)."""
    check(pattern)
    segments = (pattern + "**" if pattern.endswith("/") else pattern).split("/")
    runs: list[list[str]] = [[]]  # what stands between the `**`
    for segment in segments:
        if segment == "**":
            runs.append([])
        else:
            runs[-1].append(_segment(segment))
    if len(runs) == 1:
        return "/".join(runs[0])
    first, *middle, last = runs
    # Of a run between two `**`, the leftmost place is as good as any: what follows can reach at least as far. So it is
    # never tried again (an atomic group).
    expression = "".join(segment + "/" for segment in first)
    for run in middle:
        if run:
            expression += "(?>(?:[^/]+/)*?" + "".join(segment + "/" for segment in run) + ")"
    return expression + ("(?:[^/]+/)*" + "/".join(last) if last else ".+")


def _segment(segment: str) -> str:
    pieces: list[str] = [""]  # what stands between the `*`
    at = 0
    while at < len(segment):
        char = segment[at]
        at += 1
        if char == "*":
            if pieces[-1] or len(pieces) == 1:
                pieces.append("")
        elif char == "?":
            pieces[-1] += "[^/]"
        elif char == "[":
            found, at = _one_of(segment, at)
            pieces[-1] += found
        else:
            pieces[-1] += re.escape(char)
    if len(pieces) == 1:
        return pieces[0]
    first, *middle, last = pieces
    return first + "".join(f"(?>[^/]*?{piece})" for piece in middle) + "[^/]*" + last


def _one_of(segment: str, at: int) -> tuple[str, int]:
    """``[…]`` from after the bracket: its expression, and where it ends."""
    start = at
    negated = segment[at : at + 1] in ("!", "^")
    at += negated
    members = ""
    while True:
        if at >= len(segment):
            raise PatternError(f"close the `[` of {segment[start - 1 :]!r}")
        char = segment[at]
        if char == "]" and members:
            break
        if char == "[" and segment[at + 1 : at + 2] == ":":
            raise PatternError("name characters themselves instead of classes like `[:alpha:]`")
        low, at = char, at + 1
        if segment[at : at + 1] == "-" and segment[at + 1 : at + 2] not in ("", "]"):
            high = segment[at + 1]
            at += 2
            if high < low:
                raise PatternError(f"have the lower end first in `{low}-{high}`")
            members += f"{re.escape(low)}-{re.escape(high)}"
        else:
            members += re.escape(low)
    return (f"[^/{members}]" if negated else f"(?!/)[{members}]"), at + 1
