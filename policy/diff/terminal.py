"""The decision diff for a terminal: the answer first, then pack by pack what moves and whose it is."""

from __future__ import annotations

from collections.abc import Iterator

from maestro.report.visible_text import shorten, visible, without_log_commands
from policy.diff.changes import Kind
from policy.diff.result import Example, PackDiff, PolicyDiff, Row
from policy.diff.words import approval_of, asides, change_of, corpus_of, headline, of_origins, state_of, whose

_TEXT_LIMIT = 300
_STYLES: dict[Kind, str] = {
    "allow-to-deny": "1;31",
    "deny-to-allow": "1;33",
    "to-error": "1;35",
    "from-error": "35",
    "mode-flip": "1;36",
}


def render(diff: PolicyDiff, *, colour: bool = False) -> str:
    """The whole diff; ends with what it is of."""
    page = _Page(colour)
    blocks = [page.paint(headline(diff), "1")]
    blocks += ["\n".join(page.pack(pack)) for pack in diff.packs]
    blocks.append("\n".join(page.context(diff)))
    return without_log_commands("\n\n".join(blocks) + "\n")


class _Page:
    def __init__(self, colour: bool) -> None:
        self._colour = colour

    def paint(self, text: str, style: str | None) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._colour and style else text

    def pack(self, pack: PackDiff) -> Iterator[str]:
        owner = f"  owner {visible(pack.owner)}" if pack.owner else "  no owner"
        yield f"{self.paint(visible(pack.name), '1')}  {state_of(pack)}{owner}  ({corpus_of(pack)})"
        width = max((len(change_of(row)) for row in pack.rows), default=0)
        for row in pack.rows:
            yield from self._row(row, width)
        if not pack.rows:
            yield "  every decision as before"
        asks = approval_of(pack)
        if asks:
            yield "  " + self.paint(visible(asks), "1;33")
        for words in asides(pack):
            yield f"  note: {visible(words)}"

    def _row(self, row: Row, width: int) -> Iterator[str]:
        change = self.paint(f"{change_of(row):<{width}}", _STYLES.get(row.kind))
        owners = f"  ({visible(whose(row.owners))})" if row.owners else ""
        yield f"  {change}  {visible(row.rule)}  {of_origins(row.origins)}{owners}"
        said: str | None = None
        for example in row.examples:
            yield from self._example(example, said)
            said = example.text
        if row.count > len(row.examples):
            yield f"      … and {row.count - len(row.examples):,} more"

    def _example(self, example: Example, said: str | None) -> Iterator[str]:
        """What was said of the example before is not said again."""
        name = "" if example.place.startswith(f"{example.name}:") else f"  {visible(example.name)}"
        owner = f"  {visible(example.owner)}" if example.owner else ""
        yield f"      {visible(example.place)}{name}{owner}"
        if example.text and example.text != said:
            yield f"        {visible(shorten(example.text, _TEXT_LIMIT))}"

    def context(self, diff: PolicyDiff) -> Iterator[str]:
        for note in diff.notes:
            yield f"note: {visible(note)}"
        if diff.unchanged:
            yield f"unchanged, so not asked: {visible(', '.join(diff.unchanged))}"
        old = diff.policy_revision[:12] if diff.policy_revision else "nothing"
        engine = f", engine {visible(diff.engine)}" if diff.engine else ""
        head = "the working tree" if diff.head == "worktree" else visible(diff.head[:12])
        yield f"packs of {old} against {head}{engine}"
        if diff.packs:
            yield f"decision diff {diff.digest}"
