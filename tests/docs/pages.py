"""Reading our own pages: README and everything below docs/."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parents[2]

_FENCE = re.compile(r"^(```+|~~~+)(.*?)\n(.*?)^\1[ \t]*$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6} +(.*?)[ \t]*$", re.MULTILINE)
_MARK = re.compile(r"^<!-- *(file|run|demo)\b[: ]*(.*?)-->[ \t]*\n", re.MULTILINE | re.DOTALL)

StepKind = Literal["file", "run", "demo", "console"]


@dataclass(frozen=True)
class Step:
    """Something a page does, in the order of the page. ``span`` is where its fenced text stands in the page.

    ``file``: write ``text`` to ``argument``. ``run``: run ``text``, unseen. ``console``: run its lines that begin with
    ``$ `` and show what they say. ``demo``: show what ``make demo`` says.
    """

    kind: StepKind
    argument: str
    text: str
    span: tuple[int, int]


def pages() -> list[Path]:
    """README and every page of docs/, sorted."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def name_of(page: Path) -> str:
    """A page as a test's id."""
    return page.relative_to(ROOT).as_posix()


def fences(text: str) -> Iterator[tuple[str, str, tuple[int, int]]]:
    """(language, content, span of the content) of every fenced block."""
    for found in _FENCE.finditer(text):
        yield found[2].strip(), found[3], found.span(3)


def without_fences(text: str) -> str:
    """The prose: fenced blocks and comments blanked, so that offsets and lines stay."""

    def blank(found: re.Match[str]) -> str:
        return re.sub(r"[^\n]", " ", found[0])

    return re.sub(r"<!--.*?-->", blank, _FENCE.sub(blank, text), flags=re.DOTALL)


def anchors(text: str) -> set[str]:
    """The names that GitHub gives a page's headings."""
    found: set[str] = set()
    for heading in _HEADING.finditer(without_fences(text)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1]).lower()
        name = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        count = 0
        while (f"{name}-{count}" if count else name) in found:
            count += 1
        found.add(f"{name}-{count}" if count else name)
    return found


def steps(text: str) -> list[Step]:
    """What the page does. A marked block is the fenced block right after its mark."""
    marks = {found.end(): found for found in _MARK.finditer(text) if found[1] != "run"}
    out = [Step("run", "", found[2], found.span(2)) for found in _MARK.finditer(text) if found[1] == "run"]
    for found in _FENCE.finditer(text):
        mark = marks.pop(found.start(), None)
        if mark is not None:
            out.append(Step("file" if mark[1] == "file" else "demo", mark[2].strip(), found[3], found.span(3)))
        elif found[2].strip() == "console":
            out.append(Step("console", "", found[3], found.span(3)))
    if marks:
        raise ValueError("a mark stands before no fenced block: " + ", ".join(mark[0] for mark in marks.values()))
    return sorted(out, key=lambda step: step.span)
