"""The text of one file, and the way between offsets and lines and columns."""

from __future__ import annotations

import re
from bisect import bisect_right

from maestro.findings import Location

BOM = "\ufeff"
_LINE_END = re.compile(r"\r\n|\n|\r")


class Source:
    """Text with a line table. Offsets are code points from 0; lines and columns count from 1.

    Lines end at LF, CRLF or a lone CR (YAML 1.2.2, 5.4). A byte order mark takes no column.
    """

    __slots__ = ("_starts", "path", "text")

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self._starts = [1 if text.startswith(BOM) else 0, *(match.end() for match in _LINE_END.finditer(text))]

    def line_and_column(self, offset: int) -> tuple[int, int]:
        """Where ``offset`` stands; beyond the text is its end."""
        offset = min(max(offset, self._starts[0]), len(self.text))
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def location(self, start: int, end: int | None = None) -> Location:
        """The span from ``start`` to ``end`` (exclusive); without an end just the place."""
        line, column = self.line_and_column(start)
        if end is None:
            return Location(self.path, line, column)
        end_line, end_column = self.line_and_column(max(start, end))
        return Location(self.path, line, column, end_line, end_column)

    def offset(self, line: int, column: int) -> int:
        """The offset of a line and column.

        Raises:
            ValueError: the text has no such place.
        """
        if not 1 <= line <= len(self._starts):
            raise ValueError(f"there is no line {line}")
        start = self._starts[line - 1]
        end = self._starts[line] if line < len(self._starts) else len(self.text) + 1
        if not 1 <= column <= end - start:
            raise ValueError(f"line {line} has no column {column}")
        return start + column - 1
