"""The words that the renderings for people have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from policy.diff.changes import WORDS
from policy.diff.result import ModeChange, PackDiff, PackState, PolicyDiff, Row


def counted(number: int, noun: str) -> str:
    """``1 input``, ``2,000 inputs``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def headline(diff: PolicyDiff) -> str:
    """The answer in one line: what moves."""
    if not diff.packs:
        return "No pack differs, so no decision does"
    counts = [(WORDS[kind], diff.count(kind)) for kind in WORDS]
    words = ", ".join(f"{count:,} {word}" for word, count in counts if count)
    return (
        f"{words} in {counted(diff.cases, 'decision')}"
        if words
        else f"{counted(diff.cases, 'decision')}, all as before"
    )


def change_of(row: Row) -> str:
    """What changes, in a few words: ``allow→deny``, ``mode: warn → enforce``."""
    if row.kind in ("to-error", "from-error"):
        return row.detail.replace(" → ", "→")
    return f"{WORDS[row.kind]}: {row.detail}" if row.detail else WORDS[row.kind]


def whose(owners: Sequence[tuple[str, int]], limit: int = 3) -> str:
    """``@acme/data 2, @acme/checkout 1``."""
    shown = [f"{owner} {count:,}" for owner, count in owners[:limit]]
    more = [f"and {len(owners) - limit:,} more"] if len(owners) > limit else []
    return ", ".join([*shown, *more])


def state_of(pack: PackDiff) -> str:
    """What becomes of the pack itself."""
    if pack.before is None:
        return f"new, {_mode(pack.after)}"
    if pack.after is None:
        return f"removed (was {_mode(pack.before)})"
    if pack.before.problem:
        return f"could not judge before, {_mode(pack.after)}"
    if pack.after.problem:
        return "could not judge after the merge"
    return _mode(pack.after) if pack.before.mode == pack.after.mode else f"{_mode(pack.before)} → {_mode(pack.after)}"


def corpus_of(pack: PackDiff) -> str:
    """What it was asked about."""
    nouns = {"document": "document", "fixture": "fixture", "recorded": "recorded input"}
    parts = [counted(count, nouns[origin]) for origin, count in pack.asked.items()]
    return ", ".join(parts) or "nothing to ask about"


def asides(pack: PackDiff) -> Iterator[str]:
    """What else a reviewer has to know about a pack."""
    for state, when in ((pack.before, "before"), (pack.after, "after the merge")):
        if state is not None and state.problem:
            yield f"cannot judge {when}: {state.problem}"
    for change in pack.mode_changes:
        yield f"mode of {change.subject}: {_change(change)}"
    if pack.unreached:
        yield f"nothing asked here makes these rules speak: {', '.join(pack.unreached)}"
    if pack.unusable:
        lines = counted(pack.unusable, "recorded input")
        yield f"{lines} not asked: a part that the pack looks at was erased or masked"
    if pack.repeats:
        yield f"{counted(pack.repeats, 'input')} asked once although given several times"
    if pack.loosened:
        cases = counted(pack.loosened, "denied input")
        yield f"{cases} would meet fewer rules that deny; {pack.owner or 'the owner of the pack'} has to approve"


def _change(change: ModeChange) -> str:
    return f"{change.before or 'not there'} → {change.after or 'not there'}"


def _mode(state: PackState | None) -> str:
    return (state.mode if state else None) or "not there"
