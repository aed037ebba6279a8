"""The words that the renderings for people have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from maestro.report.staged import mode_words
from policy.diff.cases import Origin
from policy.diff.changes import WORDS, Kind
from policy.diff.result import ModeChange, PackDiff, PackState, PolicyDiff, Row


def counted(number: int, noun: str) -> str:
    """``1 input``, ``2,000 inputs``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


_MANY: dict[Kind, str] = {
    "mode-flip": "mode flips",
    "warning-added": "warnings added",
    "warning-removed": "warnings removed",
    "answer": "other answers",
}


def headline(diff: PolicyDiff) -> str:
    """The answer in one line: what moves."""
    if not diff.packs:
        return "No pack differs, so no decision does"
    counts: list[tuple[str, int]] = []
    for kind, word in WORDS.items():
        count = diff.count(kind)
        counts.append((word if count == 1 else _MANY.get(kind, word), count))
    silent = diff.flows.get(("error", "error"), 0)
    counts.append(("without an answer on either side", silent))
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
    return of_origins(pack.asked) or "nothing to ask about"


def of_origins(origins: Mapping[Origin, int]) -> str:
    """``3 documents, 12 fixtures``: who is concerned, and what only tests."""
    nouns: dict[Origin, str] = {"document": "document", "recorded": "recorded input", "fixture": "fixture"}
    return ", ".join(counted(origins[origin], noun) for origin, noun in nouns.items() if origins.get(origin))


def approval_of(pack: PackDiff) -> str | None:
    """Who has to approve what, where something is loosened."""
    if not pack.loosened:
        return None
    cases = counted(pack.loosened, "denied input")
    return f"{pack.owner or 'the owner of the pack'} has to approve: {cases} would meet fewer rules that deny"


def asides(pack: PackDiff) -> Iterator[str]:
    """What else a reviewer has to know about a pack."""
    for state, when in ((pack.before, "before"), (pack.after, "after the merge")):
        if state is not None and state.problem:
            yield f"cannot judge {when}: {state.problem}"
    if pack.unanswered:
        yield f"no answer on either side: {pack.unanswered}"
    for change in pack.mode_changes:
        if change.subject != pack.name or change.hardens_before != change.hardens_after:
            yield f"mode of {change.subject}: {_change(change)}"
    if pack.unreached:
        yield f"nothing asked here makes these rules speak: {', '.join(pack.unreached)}"
    if pack.unusable:
        lines = counted(pack.unusable, "recorded input")
        yield f"{lines} not asked: a part that the pack looks at was erased or masked"
    if pack.repeats:
        yield f"{counted(pack.repeats, 'recorded input')} asked once although given several times"


def _change(change: ModeChange) -> str:
    before = mode_words(change.before, change.hardens_before) if change.before else "not there"
    after = mode_words(change.after, change.hardens_after) if change.after else "not there"
    return f"{before} → {after}"


def _mode(state: PackState | None) -> str:
    return (state.mode if state else None) or "not there"
