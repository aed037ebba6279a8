"""From a placement pack's decision to a placement, or to why there is none. Pure; anything odd is a refusal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from policy.decide import Decision

CLOUDS = ("aws", "gcp", "local")


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an execution goes. ``pool`` is None where the policy names none (the sprint plan's answers so)."""

    cloud: str
    region: str
    class_: str
    pool: str | None = None

    def as_json(self) -> dict[str, str | None]:
        """As receipts and reports write it."""
        return {"cloud": self.cloud, "region": self.region, "class": self.class_, "pool": self.pool}

    def __str__(self) -> str:
        pool = f" (pool {self.pool})" if self.pool else ""
        return f"{self.cloud} {self.region}, class {self.class_}{pool}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no placement: the rule that stands in the way, and what would come nearest.

    ``reason`` is a rule's name (``residency``); ``errored``, ``no_pack``, ``malformed`` and ``disagreement`` are ours.
    ``relax`` names the rules that ``nearest`` does not meet.
    """

    reason: str
    message: str
    remedy: str | None = None
    nearest: Placement | None = None
    relax: tuple[str, ...] = ()


def read_placement(value: Any) -> Placement | Refusal:  # noqa: ANN401 - what Rego answered
    """Understand the value of ``decision``; what is not exactly an allow with a placement is a refusal."""
    if not isinstance(value, Mapping) or not isinstance(value.get("allow"), bool):
        return Refusal("malformed", "the placement pack's `decision` does not say whether it allows")
    if value["allow"]:
        return _placement(value) or Refusal(
            "malformed", "the placement pack allows but names no usable cloud, region and class"
        )
    reason = _text(value.get("reason")) or "denied"
    nearest = value.get("nearest")
    near = _placement(nearest) if isinstance(nearest, Mapping) else None
    relax = nearest.get("relax") if isinstance(nearest, Mapping) else None
    return Refusal(
        reason=reason,
        message=_text(value.get("message")) or f"no placement is allowed: {reason}",
        remedy=_text(value.get("remedy")),
        nearest=near,
        relax=tuple(name for name in relax if isinstance(name, str)) if isinstance(relax, list) else (),
    )


def place(decisions: Sequence[Decision]) -> Placement | Refusal:
    """The placement that all enforced placement packs agree on.

    Args:
        decisions: what each placement pack decided for one execution; packs that only warn or watch change nothing.
    """
    enforced = [decision for decision in decisions if decision.mode == "enforce"]
    if not enforced:
        return Refusal(
            "no_pack",
            "no enforced placement pack decides where this may run",
            "add a pack with `input: placement-request` and mode enforce, such as policy/packs/placement",
        )
    answers: list[Placement] = []
    for decision in enforced:
        if decision.no_answer is not None:
            return Refusal("errored", f"{decision.pack}: {decision.no_answer}", decision.remedy)
        answer = read_placement(decision.value)
        if isinstance(answer, Refusal):
            return answer
        if not decision.allow:
            return _denied(decision)
        answers.append(answer)
    if any(answer != answers[0] for answer in answers):
        said = "; ".join(f"{one.pack}: {answer}" for one, answer in zip(enforced, answers, strict=True))
        return Refusal("disagreement", f"placement packs do not agree: {said}", "enforce one placement pack")
    return answers[0]


def _denied(decision: Decision) -> Refusal:
    """A pack that names a placement and denies all the same, by a rule beside ``decision``."""
    for reason in decision.reasons:
        if reason.mode == "enforce":
            return Refusal(reason.rule.rpartition("/")[2], reason.message, reason.remedy)
    return Refusal("denied", f"{decision.pack} denies")


def _placement(value: Mapping[str, Any]) -> Placement | None:
    cloud, region, class_ = _text(value.get("cloud")), _text(value.get("region")), _text(value.get("class"))
    pool = value.get("pool")
    if cloud is None or region is None or class_ is None or cloud.lower() not in CLOUDS:
        return None
    if pool is not None and _text(pool) is None:
        return None
    return Placement(cloud.lower(), region, class_, pool)


def _text(value: Any) -> str | None:  # noqa: ANN401
    return value if isinstance(value, str) and value else None
