"""CODEOWNERS as GitHub reads it: who owns a path.

Source: GitHub Docs, "About code owners" (syntax, precedence, size), which differs from gitignore: the last entry
that matches wins, an entry without owners clears, paths are case-sensitive, ``!`` and ``[…]`` do not work, and a
line with invalid syntax is skipped as a whole. Matching walks segments instead of building regular expressions, so
a pattern of a pull request cannot make it slow.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

LOCATIONS = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
"""Where GitHub looks, in its order; the first file that exists is the only one that counts."""

SIZE_LIMIT = 3 * 1024 * 1024
"""Bytes; GitHub does not load a larger file at all."""

_OWNER = re.compile(
    r"@[A-Za-z0-9][A-Za-z0-9_-]*(?:/[A-Za-z0-9_.-]+)?"  # @user, @org/team
    r"|[^\s@,<>()\"]+@[A-Za-z0-9][A-Za-z0-9.-]*"  # an address
)
_SECTION = re.compile(r"\^?\[[^\]]+\](?:\[\d+\])?(?:\s|$)")
_TOKEN = re.compile(r"(?:\\.|[^\s\\])+|\\(?=\s|$)")


@dataclass(frozen=True, slots=True)
class CodeownersProblem:
    """A line GitHub skips, and why. Line and column count from 1; line 1 also stands for the whole file."""

    line: int
    column: int
    message: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One line that counts: the pattern as written, its owners as written (none: it clears), its line from 1."""

    pattern: str
    owners: tuple[str, ...]
    line: int
    matcher: _Matcher


@dataclass(frozen=True)
class Codeowners:
    """A CODEOWNERS file, read."""

    entries: tuple[Entry, ...] = ()
    problems: tuple[CodeownersProblem, ...] = ()

    def entry_of(self, path: str) -> Entry | None:
        """The entry that decides about ``path`` (relative to the repository's root): the last that matches."""
        segments = path.split("/")
        for entry in reversed(self.entries):
            if entry.matcher.matches(segments):
                return entry
        return None

    def owners_of(self, path: str) -> tuple[str, ...]:
        """The owners of ``path`` as written; empty where nobody owns it or the last match clears."""
        entry = self.entry_of(path)
        return entry.owners if entry else ()

    @cached_property
    def all_owners(self) -> frozenset[str]:
        """Every owner that occurs in an entry that counts."""
        return frozenset(owner for entry in self.entries for owner in entry.owners)


def canonical_owner(owner: str) -> str:
    """The form in which owners compare: GitHub's handles do not distinguish case.

    Only A-Z are folded. Unicode folding would make other signs equal to ASCII letters, and a stranger's address
    equal to an owner's.
    """
    return owner.translate(_LOWER)


_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def parse(data: bytes) -> Codeowners:
    """Read a CODEOWNERS file. Never raises for its content: what GitHub skips is skipped here, and named."""
    if len(data) > SIZE_LIMIT:
        message = f"the file has {len(data)} bytes; GitHub ignores a CODEOWNERS file above {SIZE_LIMIT}"
        return Codeowners(problems=(CodeownersProblem(1, 1, message),))
    entries: list[Entry] = []
    problems: list[CodeownersProblem] = []
    for number, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            problems.append(CodeownersProblem(number, error.start + 1, "the line is not UTF-8"))
            continue
        found = _read_line(line, number)
        if isinstance(found, Entry):
            entries.append(found)
        elif found is not None:
            problems.append(found)
    return Codeowners(tuple(entries), tuple(problems))


def _read_line(line: str, number: int) -> Entry | CodeownersProblem | None:
    tokens = [(match.start() + 1, match.group()) for match in _TOKEN.finditer(line)]
    for index, (_, token) in enumerate(tokens):
        if token.startswith("#"):
            del tokens[index:]
            break
    if not tokens:
        return None
    column, pattern = tokens[0]
    if _SECTION.match(line.lstrip()):
        return CodeownersProblem(number, column, "sections are GitLab's; GitHub skips the line")
    fault = _fault_of(pattern)
    if fault:
        return CodeownersProblem(number, column, fault)
    for column, owner in tokens[1:]:
        if not _OWNER.fullmatch(owner):
            return CodeownersProblem(
                number, column, f"{owner!r} is neither @user, @org/team nor an address; GitHub skips the line"
            )
    return Entry(pattern, tuple(owner for _, owner in tokens[1:]), number, _Matcher.of(pattern))


def _fault_of(pattern: str) -> str | None:
    if pattern.startswith("!"):
        return "`!` does not negate in CODEOWNERS; GitHub skips the line (an entry without owners clears)"
    if pattern.startswith("\\#"):
        return "`\\#` does not escape in CODEOWNERS; GitHub skips the line"
    if re.search(r"(?<!\\)(?:\\\\)*\[", pattern):
        return "`[…]` is no character class in CODEOWNERS; GitHub skips the line"
    if re.search(r"(?<!\\)(?:\\\\)*\\$", pattern):
        return "the pattern ends in a backslash that escapes nothing"
    if not pattern.strip("/") or "//" in pattern:
        return "the pattern matches nothing"
    return None


class _Star:
    """The token for ``*`` within a segment."""


class _AnyOne:
    """The token for ``?`` within a segment."""


_STAR = _Star()
_ANY_ONE = _AnyOne()
_Segment = tuple["str | _Star | _AnyOne", ...]
_ANY_FOLDERS = None
"""The segment ``**``: any number of folders, none included."""


@dataclass(frozen=True, slots=True)
class _Matcher:
    """A pattern as segments. ``tail``: what may follow the last one: nothing, anything below it, or something must."""

    segments: tuple[_Segment | None, ...]
    tail: str  # "none" | "optional" | "required"

    @staticmethod
    def of(pattern: str) -> _Matcher:
        parts = pattern.split("/")
        anchored = len([part for part in parts if part]) > 1 or not parts[0]
        tail = "optional"
        if not parts[0]:
            parts = parts[1:]
        if parts and parts[-1] in ("", "**"):
            # `dir/` and `dir/**` are what is inside of dir, never a file of that name.
            parts, tail = parts[:-1], "required"
            if not parts:
                return _Matcher((), "required")
        elif parts[-1] == "*" and anchored:
            tail = "none"  # GitHub: `docs/*` does not reach into folders of docs
        segments: list[_Segment | None] = [] if anchored else [_ANY_FOLDERS]
        segments.extend(_ANY_FOLDERS if part == "**" else _segment(part) for part in parts)
        return _Matcher(tuple(segments), tail)

    def matches(self, path: Sequence[str]) -> bool:
        """Whether the path, split at ``/``, is matched."""
        # The set of positions in the pattern that the path read so far may have reached.
        positions = self._closure({0})
        end = len(self.segments)
        for index, name in enumerate(path):
            if end in positions and index > 0 and self.tail != "none":
                return True
            if end in positions and end == 0 and self.tail == "required":
                return True
            reached = set()
            for position in positions:
                if position == end:
                    continue
                segment = self.segments[position]
                if segment is None:
                    reached.add(position)
                elif _fits(segment, name):
                    reached.add(position + 1)
            positions = self._closure(reached)
            if not positions:
                return False
        return end in positions and self.tail != "required"

    def _closure(self, positions: set[int]) -> set[int]:
        out = set(positions)
        for position in positions:
            while position < len(self.segments) and self.segments[position] is None:
                position += 1
                out.add(position)
        return out


def _segment(text: str) -> _Segment:
    out: list[str | _Star | _AnyOne] = []
    escaped = False
    for sign in text:
        if escaped:
            out.append(sign)
            escaped = False
        elif sign == "\\":
            escaped = True
        elif sign == "*":
            if not out or out[-1] is not _STAR:
                out.append(_STAR)
        elif sign == "?":
            out.append(_ANY_ONE)
        else:
            out.append(sign)
    return tuple(out)


def _fits(segment: _Segment, name: str) -> bool:
    """Match one name; on a mismatch only the last star is tried again, which is enough and stays quadratic."""
    at = 0
    star = restart = -1
    index = 0
    while index < len(name):
        token = segment[at] if at < len(segment) else None
        if token is _STAR:
            star, restart = at, index
            at += 1
        elif token is not None and (token is _ANY_ONE or token == name[index]):
            at += 1
            index += 1
        elif star >= 0:
            restart += 1
            at, index = star + 1, restart
        else:
            return False
    return all(token is _STAR for token in segment[at:])
