"""What an entry of trust.yaml gives up, as every report shows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from maestro.report.markdown import cell
from maestro.report.visible_text import visible, without_log_commands

RED: Final = "31;1"
YELLOW: Final = "33"
FOR_EVERYBODY: Final = "loosen.anyone"
ANYBODY: Final = "ANYBODY MAY SIGN: this proves that nothing was changed since, not where it comes from"


@dataclass(frozen=True, slots=True)
class Loosened:
    """An entry of trust.yaml and the fields by which it lets more through than the strict default."""

    entry: str
    fields: tuple[str, ...]

    @property
    def for_everybody(self) -> bool:
        """Whether anybody may sign; said loudly."""
        return any(one.rpartition(": ")[2] == FOR_EVERYBODY for one in self.fields)

    def words(self) -> str:
        """In one line, without the entry's name."""
        return visible(", ".join(self.fields))


def paint(text: str, style: str, *, colour: bool) -> str:
    """``text`` in an ANSI style, where colour is welcome."""
    return f"\x1b[{style}m{text}\x1b[0m" if colour else text


def loosened_lines(one: Loosened, *, colour: bool) -> Iterator[str]:
    """For the terminal; none where nothing is loosened."""
    if one.for_everybody:
        yield f"    {paint(ANYBODY, RED, colour=colour)}"
    if one.fields:
        marked = paint("loosened", YELLOW, colour=colour)
        yield f"    {marked} by trust.yaml ({one.entry}): {one.words()}"


def loosened_texts(some: Iterable[Loosened]) -> Iterator[str]:
    """Each loosening by itself, with the entry it stands in: for a page, where a long line would be cut."""
    for one in some:
        if one.for_everybody:
            yield ANYBODY
        yield from (f"{one.entry}: {field}" for field in one.fields)


def markdown_row(mark: str, name: str, said: str, loosened: Iterable[Loosened]) -> str:
    """A row of :func:`markdown_table`; every text is only text."""
    given_up = "<br>".join(f"**{ANYBODY}**" if text == ANYBODY else cell(text) for text in loosened_texts(loosened))
    return f"| {mark} | {cell(name)} | {cell(said)} | {given_up} |"


def markdown_table(title: str, what: str, rows: Iterable[str], closing: str, *, good: bool) -> str:
    """Verdicts for a step summary: what was judged, the verdict, what was loosened."""
    head = [f"### {'✅' if good else '❌'} {title}", "", f"| | {what} | verdict | loosened |", "|---|---|---|---|"]
    return without_log_commands("\n".join([*head, *rows, "", closing]) + "\n")
