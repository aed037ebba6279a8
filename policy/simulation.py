"""What a simulation asks and what it says: pure, from documents to inputs and from decisions to text."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from maestro.patterns import matches
from maestro.report.staged import hardening_json, mode_words
from maestro.report.visible_text import visible
from policy.decide import Decision
from policy.inputs import flag_change_input, manifest_change_input, placement_request
from policy.pack import Pack
from policy.placement import Placement, read_placement

SCHEMA = "maestro-conductor/simulation/v1"


@dataclass(frozen=True)
class Subject:
    """What is simulated: the documents of one file. ``kind`` is that of our own documents, None for other files';
    ``path`` is from the root of the repository, None outside of it."""

    kind: str | None
    documents: tuple[Any, ...]
    path: str | None


@dataclass(frozen=True)
class Outcome:
    """One decision, and whether its pack places executions."""

    decision: Decision
    places: bool


def inputs_of(pack: Pack, subject: Subject, pools: Sequence[Any], now: dt.datetime, *, named: bool) -> list[Any]:
    """What ``pack`` would be given for ``subject``; empty when it judges nothing of the sort.

    Args:
        pack: who would judge.
        subject: the file.
        pools: the documents of kind Pool of the repository.
        now: the time that becomes part of the input.
        named: the pack was named on the command line, so its patterns do not matter.
    """
    if pack.input == "document":
        if not named and not any(subject.path and matches(pattern, subject.path) for pattern in pack.match):
            return []
        return list(_elements(subject.documents))
    if pack.input == "flag-change" and subject.kind == "Flag":
        return [flag_change_input(None, document, now) for document in subject.documents]
    if pack.input == "manifest-change" and subject.kind == "Manifest":
        return [manifest_change_input(None, document, now) for document in subject.documents]
    if pack.input == "placement-request" and subject.kind == "Manifest":
        return [placement_request(document, list(pools), now) for document in subject.documents]
    return []


def _elements(documents: Sequence[Any]) -> Iterator[Any]:
    """Documents, and the elements of one that is a list: as conftest evaluates them."""
    for document in documents:
        if isinstance(document, list):
            yield from document
        else:
            yield document


def overridden(value: Any, changes: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """``value`` with the members of ``changes`` put in: objects are merged, anything else (null too) replaces."""
    merged = dict(value) if isinstance(value, dict) else {}
    for name, change in changes.items():
        merged[name] = overridden(merged.get(name), change) if isinstance(change, dict) else change
    return merged


def allowed(outcomes: Sequence[Outcome]) -> bool:
    """Whether something was asked and nothing denies."""
    return bool(outcomes) and all(outcome.decision.allow for outcome in outcomes)


def as_json(outcomes: Sequence[Outcome]) -> str:
    """The interface's shape; ``error`` stands in a decision only when there is no trustworthy answer,
    ``disagreement`` only where two engines contradict each other, ``hardens`` in a reason only when its rule will be
    stricter."""
    report = {
        "schema": SCHEMA,
        "allow": allowed(outcomes),
        "decisions": [_decision(outcome.decision) for outcome in outcomes],
    }
    return json.dumps(report, indent=2) + "\n"


def _decision(decision: Decision) -> dict[str, Any]:
    out: dict[str, Any] = {
        "pack": decision.pack,
        "mode": decision.mode,
        "engine": decision.engine,
        "allow": decision.allow,
        "value": {} if decision.value is None else decision.value,
        "reasons": [
            {"rule": reason.rule, "mode": reason.mode, "message": reason.message, "remedy": reason.remedy}
            | ({} if reason.hardens is None else {"hardens": hardening_json(reason.hardens)})
            for reason in decision.reasons
        ],
        "pack_digest": decision.pack_digest,
        "input_digest": decision.input_digest,
    }
    if decision.error is not None:
        out["error"] = decision.error
    if decision.disagreement is not None:
        seen = decision.disagreement
        out["disagreement"] = {
            "entrypoint": seen.entrypoint,
            "answers": dict(seen.answers),
            "smallest_input": seen.smallest,
        }
    return out


def as_text(outcomes: Sequence[Outcome], *, colour: bool) -> str:
    """What a person reads: a line per pack, reasons with what to do, where it would run, and the conclusion."""
    lines: list[str] = []
    for outcome in outcomes:
        lines += _lines(outcome, colour=colour)
    lines.append("")
    if any(outcome.decision.error is not None for outcome in outcomes):
        lines.append(f"{_paint('no trustworthy answer', 'red', colour=colour)}: at least one pack could not be asked")
    elif allowed(outcomes):
        lines.append(f"{_paint('allowed', 'green', colour=colour)}, nothing was executed")
    else:
        denying = sum(not outcome.decision.allow for outcome in outcomes)
        lines.append(f"{_paint('denied', 'red', colour=colour)} by {denying} of {len(outcomes)} decisions")
    return "\n".join(lines) + "\n"


def _lines(outcome: Outcome, *, colour: bool) -> Iterator[str]:
    decision = outcome.decision
    word = "ERROR" if decision.error is not None else "ALLOW" if decision.allow else "DENY"
    shown = _paint(f"{word:<5}", "green" if decision.allow else "red", colour=colour)
    yield f"{shown}  {visible(decision.pack)}  ({decision.mode}, {visible(decision.engine)})"
    if decision.error is not None:
        yield f"       {visible(decision.error)}"
        if decision.remedy:
            yield f"       → {visible(decision.remedy)}"
        return
    for reason in decision.reasons:
        mode = "" if reason.mode == "enforce" else f" [{mode_words(reason.mode, reason.hardens)}]"
        yield f"       {visible(reason.rule)}{mode}: {visible(reason.message)}"
        if reason.remedy:
            yield f"       → {visible(reason.remedy)}"
    if outcome.places:
        yield from _placement(read_placement(decision.value))


def _placement(answer: object) -> Iterator[str]:
    if isinstance(answer, Placement):
        yield f"       would run on {visible(str(answer))}"
    elif (nearest := getattr(answer, "nearest", None)) is not None:
        relax = getattr(answer, "relax", ())
        unmet = f"; not met there: {', '.join(visible(name) for name in relax)}" if relax else ""
        yield f"       nearest: {visible(str(nearest))}{unmet}"


_COLOURS = {"green": "32", "red": "31"}


def _paint(text: str, name: str, *, colour: bool) -> str:
    return f"\x1b[{_COLOURS[name]};1m{text}\x1b[0m" if colour else text
