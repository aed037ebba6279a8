"""From an engine's values to decisions: allow or deny, with reasons, per rule. Pure but for asking the engine.

The rules are conftest's: deny, violation and warn are sets of texts or of objects with a ``msg``; ``exception`` names
rules that stay silent. What conftest drops without a word (an empty message, an item of another type, a rule that is
no set) is an error here: a pack that meant to deny must not be taken for one that had nothing to say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from maestro import canonical_json
from maestro.findings import Hardening, Mode
from policy.engines.engine import UNDEFINED, Answer, Broken, BrokenKind, Disagreement, Engine
from policy.pack import Pack, PackRule
from policy.pack_rules import ENGINES_DISAGREE

_RULE_MEMBER = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,99}\Z")
_LONGEST = 500
"""Characters of an answer or input in a message; the report in JSON has all of it."""


@dataclass(frozen=True)
class Reason:
    """One result of one rule. ``pointer``: where in the judged document; ``fix``: the pack's suggestion, as is."""

    rule: str
    mode: Mode
    message: str
    remedy: str | None = None
    pointer: tuple[str | int, ...] | None = None
    fix: Any = None
    hardens: Hardening | None = None
    """When this will weigh more, where that is announced."""


@dataclass(frozen=True)
class Decision:
    """One pack's answer for one input. ``allow``: nothing of mode enforce speaks against it and nothing went wrong.

    ``value`` is the ``decision`` of a placement pack, else None. ``error``: why there is no trustworthy answer
    (then ``allow`` is False whatever the mode). ``passes``: how many rules had nothing to say.
    ``excepted``: rules that the pack's own ``exception`` silenced for this input.
    """

    pack: str
    mode: Mode
    engine: str
    allow: bool
    value: Any
    reasons: tuple[Reason, ...]
    pack_digest: str
    input_digest: str
    error: str | None = None
    error_kind: BrokenKind | None = None
    """What kind of error it is where the engine said so; ``compile`` and ``unsupported`` speak of the pack itself."""
    remedy: str | None = None
    passes: int = 0
    excepted: tuple[str, ...] = ()
    disagreement: Disagreement | None = None
    """Two engines were asked and answered differently: a deny of its own kind, told by a reason."""

    @property
    def no_answer(self) -> str | None:
        """Why there is nothing to go by, or None: an error, or answers that contradict each other."""
        if self.disagreement is not None:
            return self.reasons[0].message
        return self.error


def decide(pack: Pack, inputs: Sequence[Any], engine: Engine) -> list[Decision]:
    """One decision per input, in order. Never raises for what a pack or an input causes."""
    answers = engine.evaluate(pack.program(), inputs)
    if len(answers) != len(inputs):
        answers = [Broken(f"{engine.name} gave {len(answers)} answers to {len(inputs)} inputs", "missing")] * len(
            inputs
        )
    return [_decision(pack, value, answer, engine.name) for value, answer in zip(inputs, answers, strict=True)]


@dataclass
class _Outcome:
    """What one answer adds up to, while it is read."""

    reasons: list[Reason] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    excepted: list[str] = field(default_factory=list)
    passes: int = 0
    value: Any = None


def _decision(pack: Pack, value: Any, answer: Answer, engine: str) -> Decision:  # noqa: ANN401
    outcome = _Outcome()
    remedy = None
    try:
        digest = canonical_json.digest(value)
    except ValueError as error:
        digest = ""
        outcome.errors.append(f"the input is not JSON: {error}")
    disagreement = None
    if isinstance(answer, Broken) and answer.seen is not None:
        disagreement = answer.seen
        outcome.reasons.append(_disagree(answer, answer.seen))
    elif isinstance(answer, Broken):
        outcome.errors.append(answer.message)
        remedy = answer.remedy
    else:
        _read(pack, value, dict(zip(pack.asked, answer.values, strict=True)), outcome)
    blocked = any(reason.mode == "enforce" for reason in outcome.reasons)
    error_text = "; ".join(outcome.errors[:3]) or None
    return Decision(
        pack=pack.name,
        mode=pack.mode,
        engine=engine,
        allow=not blocked and error_text is None,
        value=outcome.value,
        reasons=tuple(outcome.reasons),
        pack_digest=pack.digest,
        input_digest=digest,
        error=error_text,
        error_kind=answer.kind if isinstance(answer, Broken) else None,
        remedy=remedy,
        passes=outcome.passes,
        excepted=tuple(outcome.excepted),
        disagreement=disagreement,
    )


def _disagree(answer: Broken, seen: Disagreement) -> Reason:
    """A deny whatever the pack's mode: nobody knows what the pack says."""
    said = "; ".join(f"{engine}: {_short(value)}" for engine, value in seen.answers.items())
    message = f"{answer.message} ({said}); the smallest input that shows it: {_short(seen.smallest)}"
    return Reason(ENGINES_DISAGREE.id, "enforce", message, answer.remedy)


def _short(value: Any) -> str:  # noqa: ANN401
    text = json.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _read(pack: Pack, judged: Any, values: dict[str, Any], outcome: _Outcome) -> None:  # noqa: ANN401
    silenced = set(_exceptions(values.get("exception", UNDEFINED)))
    for rule in pack.rules:
        if exception_name(rule.name) in silenced:
            outcome.excepted.append(f"{pack.name}/{rule.suffix}")
            continue
        before = len(outcome.reasons)
        _read_rule(pack, rule, judged, values[rule.name], outcome)
        outcome.passes += len(outcome.reasons) == before
    if pack.decides:
        _read_decision(pack, judged, values["decision"], outcome)


def _exceptions(value: Any) -> Iterator[str]:  # noqa: ANN401
    """The texts of ``exception[_][_]``."""
    for item in _members(value):
        for name in _members(item):
            if isinstance(name, str):
                yield name


def _members(value: Any) -> list[Any]:  # noqa: ANN401
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def exception_name(rule: str) -> str:
    """The name by which conftest's ``exception`` silences a rule: its suffix, empty for a bare one.

    As in conftest v0.71.1 (policy/engine.go, removeRulePrefix), prefixes are taken off one after another.
    """
    if rule in ("violation", "deny", "warn"):
        return ""
    for prefix in ("violation_", "deny_", "warn_"):
        rule = rule.removeprefix(prefix)
    return rule


def _read_rule(pack: Pack, rule: PackRule, judged: Any, value: Any, outcome: _Outcome) -> None:  # noqa: ANN401
    if value is UNDEFINED or value is False or value == [] or value == {}:
        return
    if not isinstance(value, list):
        outcome.errors.append(f"{pack.name}.{rule.name} is {_kind(value)}, not a set of results")
        return
    weight = pack.mode_of(rule), pack.hardening_of(rule)
    for item in value:
        reason = _reason(pack, rule.suffix, weight, judged, item, outcome)
        if reason is not None:
            outcome.reasons.append(reason)


def _reason(
    pack: Pack,
    suffix: str,
    weight: tuple[Mode, Hardening | None],
    judged: Any,  # noqa: ANN401
    item: Any,  # noqa: ANN401
    outcome: _Outcome,
) -> Reason | None:
    """A result as a reason; what is wrong with it goes to ``outcome.errors``."""
    where = f"{pack.name}/{suffix}"
    result = {"msg": item} if isinstance(item, str) else item
    if not isinstance(result, dict):
        outcome.errors.append(f"{where} gave {_kind(item)}, neither a message nor an object with msg")
        return None
    message = result.get("msg")
    if not isinstance(message, str) or not message:
        outcome.errors.append(f"{where} gave a result whose message is {_kind(message)}")
        return None
    member = result.get("rule")
    if isinstance(member, str) and _RULE_MEMBER.match(member):
        where = f"{pack.name}/{member}"
    elif member is not None and not pack.conftest_style:
        outcome.errors.append(f'{where} gave a result whose "rule" is no name: letters, digits, _ and -')
    pointer = _pointer(result.get("path"), judged)
    if pointer is None and result.get("path") is not None and not pack.conftest_style:
        outcome.errors.append(f'{where} gave a result whose "path" is neither keys nor a JSON pointer')
    remedy = result.get("remedy")
    remedy = remedy if isinstance(remedy, str) else None
    return Reason(where, weight[0], message, remedy, pointer, result.get("fix"), weight[1])


def _pointer(path: Any, judged: Any) -> tuple[str | int, ...] | None:  # noqa: ANN401
    """Keys and positions from a result's ``path``: a list of them, or an RFC 6901 pointer. None when it is neither."""
    if isinstance(path, list):
        if all(isinstance(part, (str, int)) and not isinstance(part, bool) for part in path):
            return tuple(path)
        return None
    if not isinstance(path, str) or not (path == "" or path.startswith("/")):
        return None
    out: list[str | int] = []
    at = judged
    for text in path.split("/")[1:]:
        part: str | int = text.replace("~1", "/").replace("~0", "~")
        if isinstance(part, str) and re.fullmatch(r"0|[1-9][0-9]{0,9}", part) and not isinstance(at, dict):
            part = int(part)
        at = _step(at, part)
        out.append(part)
    return tuple(out)


def _step(at: Any, part: str | int) -> Any:  # noqa: ANN401
    if isinstance(at, list) and isinstance(part, int) and part < len(at):
        return at[part]
    return at.get(part) if isinstance(at, dict) else None


def _read_decision(pack: Pack, judged: Any, value: Any, outcome: _Outcome) -> None:  # noqa: ANN401
    """A placement pack's ``decision``: an object with ``allow``. A deny says why in one of three ways: ``reason`` (the
    name of the rule in the way) with ``message`` and ``remedy``; ``reason`` as text; ``reasons``, results like deny's.
    """
    rule = f"{pack.name}/decision"
    if value is UNDEFINED:
        silent = "no decision: no rule of the pack covers this request"
        outcome.reasons.append(Reason(rule, pack.mode, silent, hardens=pack.hardens))
        return
    outcome.value = value
    if not isinstance(value, dict) or not isinstance(value.get("allow"), bool):
        outcome.errors.append(f"{pack.name}.decision is {_kind(value)}, not an object with allow: true or false")
        return
    if value["allow"]:
        return
    given = value.get("reasons")
    items = list(given) if isinstance(given, list) else []
    name, message = value.get("reason"), value.get("message")
    if isinstance(message, str) and isinstance(name, str) and _RULE_MEMBER.match(name):
        items.insert(0, {"msg": message, "rule": name, "remedy": value.get("remedy"), "path": value.get("path")})
    elif name is not None or message is not None:
        items.insert(0, name if message is None else message)
    found = [_reason(pack, "decision", (pack.mode, pack.hardens), judged, item, outcome) for item in items]
    reasons = [reason for reason in found if reason is not None]
    outcome.reasons += reasons or [Reason(rule, pack.mode, "denied; the pack gives no reason", hardens=pack.hardens)]


def _kind(value: Any) -> str:  # noqa: ANN401
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "a text" if value else "an empty text"
    if isinstance(value, dict):
        return "an object"
    return "an array" if isinstance(value, list) else "a number"
