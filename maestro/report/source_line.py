"""A source line with its finding underlined, as compilers show it: pure text in, two lines of text out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import NamedTuple

from maestro.findings import Location
from maestro.report.visible_text import TAB_WIDTH, visible_character

ReadSource = Callable[[str], bytes | None]
"""The bytes of a file at the judged revision, or None when there is no such file."""

_BREAK = re.compile(rb"\r\n|\n|\r")
_COMMAND_BEFORE = re.compile(r"##[A-Za-z]*$")


class Excerpt(NamedTuple):
    """A line as shown, and the columns (from 0, on screen) of its underline."""

    text: str
    start: int
    width: int


class Sources:
    """Lines of files, each file read and split once."""

    def __init__(self, read: ReadSource) -> None:
        self._read = read
        self._lines: dict[str, list[bytes]] = {}

    def line(self, path: str, number: int) -> str | None:
        """Line ``number`` (from 1) without its line break; None when there is none."""
        if path not in self._lines:
            data = self._read(path)
            self._lines[path] = [] if data is None else _BREAK.split(data.removeprefix(b"\xef\xbb\xbf"))
        lines = self._lines[path]
        return lines[number - 1].decode("utf-8", "surrogateescape") if 0 < number <= len(lines) else None


def excerpt(line: str, location: Location, width: int) -> Excerpt:
    """``line`` cut to ``width`` columns around the finding, which is underlined as far as it is seen.

    Columns are code points; on screen a tab fills up to its stop, a wide character takes two columns, a combining
    mark none, and an escape as many as it has characters. What is cut away is marked by ``…``.
    """
    first = min(location.column - 1, len(line))
    last = _end(line, location, first)
    whole = _fits(line, width)
    begin = 0 if whole else _window_start(line, first, width // 3)
    parts = ["…"] if begin else []
    column = len(parts)
    start = end = None
    for position in range(begin, len(line)):
        start = column if position == first else start
        end = column if position == last else end
        piece = _piece(line, position, column)
        if not whole and column + _width(piece) > width - 1:
            parts.append("…")
            column += 1
            break
        parts.append(piece)
        column += _width(piece)
    start = column if start is None else start
    end = column if end is None else end
    return Excerpt("".join(parts), start, max(1, end - start))


def _window_start(line: str, first: int, lead: int) -> int:
    begin = first
    while begin > 0 and (lead := lead - _width(_shown(line[begin - 1], 0))) >= 0:
        begin -= 1
    return begin


def _piece(line: str, position: int, column: int) -> str:
    """The character as shown; a bracket that would make a build log obey the line is held back (see visible_text)."""
    character = line[position]
    if character == "[" and _COMMAND_BEFORE.search(line, max(0, position - 40), position):
        return "\\["
    return _shown(character, column)


def _end(line: str, location: Location, first: int) -> int:
    if location.end_line is not None and location.end_line > location.line:
        return len(line)
    if location.end_column is None:
        return first + 1
    return max(first + 1, min(location.end_column - 1, len(line)))


def _fits(line: str, width: int) -> bool:
    if len(line) > 4 * width:
        return False
    column = 0
    for character in line:
        column += _width(_shown(character, column))
    return column <= width


def _shown(character: str, column: int) -> str:
    return " " * (TAB_WIDTH - column % TAB_WIDTH) if character == "\t" else visible_character(character)


def _width(text: str) -> int:
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
