"""The decision diff for a pull request: one table that a reviewer reads in ten seconds, the rest folded.

Everything from a document or a pack stands in a code span, as in ``maestro.report.markdown``.
"""

from __future__ import annotations

from collections.abc import Iterator

from maestro.report.markdown import cell, code
from maestro.report.visible_text import without_log_commands
from policy.diff.changes import Kind
from policy.diff.result import PackDiff, PolicyDiff, Row
from policy.diff.words import approval_of, asides, change_of, corpus_of, headline, of_origins, state_of, whose

LIMIT = 60_000
"""Bytes: GitHub drops a comment of more than 65,536 characters whole."""
OPEN_ROWS = 12
_SHOWN = 3
_ICONS: dict[Kind, str] = {
    "allow-to-deny": "🛑",
    "deny-to-allow": "⚠️",
    "to-error": "💥",
    "from-error": "🔧",
    "mode-flip": "🔀",
}


def render(diff: PolicyDiff, *, limit: int = LIMIT) -> str:
    """At most about ``limit`` bytes; rows that do not fit are counted."""
    parts = [f"### Decisions: {headline(diff)}\n"]
    rows = [(pack, row) for pack in diff.packs for row in pack.rows]
    rows.sort(key=lambda item: list(_ICONS).index(item[1].kind) if item[1].kind in _ICONS else len(_ICONS))
    closing = "".join(_closing(diff))
    room = limit - sum(len(part.encode()) for part in [*parts, closing]) - 500
    taken = 0
    for at, (pack, row) in enumerate(rows):
        text = _line(pack, row)
        if at == 0:
            text = _HEAD + text
        elif at == OPEN_ROWS:
            text = f"\n<details><summary>{len(rows) - OPEN_ROWS:,} more rows</summary>\n{_HEAD}{text}"
        room -= len(text.encode())
        if room < 0:
            break
        parts.append(text)
        taken += 1
    if taken > OPEN_ROWS:
        parts.append("\n</details>\n")
    if taken < len(rows):
        parts.append(f"\n{len(rows) - taken:,} more rows do not fit here: `maestro policy diff` shows all of them.\n")
    return without_log_commands("".join([*parts, closing]))


_HEAD = "\n| change | inputs | rule | whose | for example |\n| --- | --- | --- | --- | --- |\n"


def _line(pack: PackDiff, row: Row) -> str:
    icon = f"{_ICONS[row.kind]} " if row.kind in _ICONS else ""
    shown = [cell(one.name if one.origin != "fixture" else one.place) for one in row.examples[:_SHOWN]]
    more = [f"and {row.count - _SHOWN:,} more"] if row.count > _SHOWN else []
    rule = cell(row.rule) + (f" of {cell(pack.owner)}" if pack.owner else "")
    owners = cell(whose(row.owners)) if row.owners else ""
    return (
        f"| {icon}{change_of(row)} | {of_origins(row.origins)} | {rule} | {owners} | {', '.join([*shown, *more])} |\n"
    )


def _closing(diff: PolicyDiff) -> Iterator[str]:
    for asks in filter(None, map(approval_of, diff.packs)):
        yield f"\n⚠️ {code(asks)}\n"
    yield "\n<details><summary>packs, and what was asked</summary>\n\n"
    for pack in diff.packs:
        yield f"- {code(pack.name)}: {state_of(pack)}; {corpus_of(pack)}\n"
        for words in asides(pack):
            yield f"  - {code(words)}\n"
    if diff.unchanged:
        yield f"- unchanged, so not asked: {', '.join(map(code, diff.unchanged[:50]))}\n"
    for note in diff.notes[:20]:
        yield f"- {code(note)}\n"
    old = code(diff.policy_revision[:12]) if diff.policy_revision else "nothing"
    engine = f", engine {code(diff.engine)}" if diff.engine else ""
    yield f"\nPacks of {old} against {code(diff.head[:12])}{engine}. Decision diff {code(diff.digest)}.\n\n</details>\n"
