"""What differs between two decisions about one case. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from maestro.findings import MILDNESS, Hardening, Mode
from maestro.report.staged import mode_words
from policy.decide import Decision, Reason
from policy.placement import Placement, read_placement

Standing = Literal["allow", "warn", "deny", "error", "none"]
"""``warn``: allowed, with a warning. ``none``: not asked, which lets pass."""

Kind = Literal[
    "deny-to-allow",
    "allow-to-deny",
    "to-error",
    "from-error",
    "mode-flip",
    "warning-added",
    "warning-removed",
    "trial-added",
    "trial-removed",
    "answer",
    "message",
]
"""The order is that of importance to a reviewer."""

WORDS: dict[Kind, str] = {
    "deny-to-allow": "deny→allow",
    "allow-to-deny": "allow→deny",
    "to-error": "→error",
    "from-error": "error→",
    "mode-flip": "mode flip",
    "warning-added": "warning added",
    "warning-removed": "warning removed",
    "trial-added": "on trial: added",
    "trial-removed": "on trial: removed",
    "answer": "other answer",
    "message": "message only",
}
ORDER: tuple[Kind, ...] = tuple(WORDS)

_APPEARS: dict[Mode, Kind] = {"enforce": "allow-to-deny", "warn": "warning-added", "shadow": "trial-added"}
_VANISHES: dict[Mode, Kind] = {"enforce": "deny-to-allow", "warn": "warning-removed", "shadow": "trial-removed"}


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one rule for one case. ``rule`` is the part of its id after the pack's name, empty for errors;
    ``detail`` says from what to what where the kind does not; ``text`` is what the rule says."""

    kind: Kind
    rule: str
    detail: str
    text: str


@dataclass(frozen=True, slots=True)
class _Said:
    mode: Mode
    results: tuple[str, ...]
    text: str
    hardens: Hardening | None


def standing(decision: Decision | None) -> Standing:
    """What a decision comes to."""
    if decision is None:
        return "none"
    if decision.no_answer is not None:
        return "error"
    modes = {reason.mode for reason in decision.reasons}
    return "deny" if "enforce" in modes else "warn" if "warn" in modes else "allow"


def changes(before: Decision | None, after: Decision | None) -> list[Change]:
    """Everything that differs, one entry per rule. Where a side has no answer, that is the one difference."""
    was, now = standing(before), standing(after)
    if was == "error" or now == "error":
        if was == now:
            return []
        broken = before if was == "error" else after
        text = (broken.no_answer or "") if broken is not None else ""
        kind: Kind = "from-error" if was == "error" else "to-error"
        return [Change(kind, "", f"{_WORD[was]} → {_WORD[now]}", text)]
    old, new = _said(before), _said(after)
    out = [_change(rule, old.get(rule), new.get(rule)) for rule in dict.fromkeys([*old, *new])]
    found = [change for change in out if change is not None]
    if before is not None and after is not None and not found:
        found += _answer(before, after)
    return found


def loosens(before: Decision | None, after: Decision | None) -> bool:
    """Whether something that is denied would meet fewer rules that deny it, and no other one in their place.

    The last rule gone is deny→allow; but one of two may be waived, so losing either can let a document pass. What was
    not answered because this engine may not judge it, or because two engines contradict each other, could have been a
    deny; a pack that broke denied nothing.
    """
    if standing(after) == "error":
        return False
    if before is not None and before.no_answer is not None:
        return before.error_kind in ("unsupported", "disagreement")
    old = {rule for rule, said in _said(before).items() if said.mode == "enforce"}
    new = {rule for rule, said in _said(after).items() if said.mode == "enforce"}
    return bool(old - new) and not new - old


def rules_of(decision: Decision | None) -> set[str]:
    """The rules that had something to say."""
    return set(_said(decision))


_WORD: dict[Standing, str] = {
    "allow": "allow",
    "warn": "allow",
    "deny": "deny",
    "error": "error",
    "none": "not judged",
}


def _said(decision: Decision | None) -> dict[str, _Said]:
    grouped: dict[str, list[Reason]] = {}
    for reason in decision.reasons if decision is not None else ():
        grouped.setdefault(reason.rule.partition("/")[2], []).append(reason)
    return {rule: _together(reasons) for rule, reasons in grouped.items()}


def _together(reasons: list[Reason]) -> _Said:
    modes = sorted((reason.mode for reason in reasons), key=MILDNESS.__getitem__)
    results = sorted(_result(reason) for reason in reasons)
    said = "; ".join(sorted({reason.message for reason in reasons}))
    announced = [one.hardens for one in reasons if one.hardens is not None and one.mode == modes[0]]
    return _Said(modes[0], tuple(results), said, min(announced, key=lambda one: one.on, default=None))


def _result(reason: Reason) -> str:
    return json.dumps([reason.message, reason.remedy, reason.pointer, reason.fix], sort_keys=True)


def _change(rule: str, old: _Said | None, new: _Said | None) -> Change | None:
    if old is None:
        return None if new is None else Change(_APPEARS[new.mode], rule, "", new.text)
    if new is None:
        return Change(_VANISHES[old.mode], rule, "", old.text)
    if old.mode != new.mode or old.hardens != new.hardens:
        flip = f"{mode_words(old.mode, old.hardens)} → {mode_words(new.mode, new.hardens)}"
        return Change("mode-flip", rule, flip, new.text)
    if old.results != new.results:
        text = new.text if old.text == new.text else f"{old.text} → {new.text}"
        return Change("message", rule, "", text)
    return None


def _answer(before: Decision, after: Decision) -> list[Change]:
    """A placement pack that allows as before, but somewhere else."""
    if before.value == after.value:
        return []
    old, new = read_placement(before.value), read_placement(after.value)
    if isinstance(old, Placement) and isinstance(new, Placement) and old != new:
        return [Change("answer", "decision", "", f"{old} → {new}")]
    return []
