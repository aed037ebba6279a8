"""From an engine's values to decisions: allow or deny, with reasons, per rule. Pure but for asking the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from maestro.findings import Mode
from policy.engines.engine import Engine
from policy.pack import Pack


@dataclass(frozen=True)
class Reason:
    """One result of one rule. ``pointer``: where in the judged document; ``fix``: the pack's suggestion, as is."""

    rule: str
    mode: Mode
    message: str
    remedy: str | None = None
    pointer: tuple[str | int, ...] | None = None
    fix: Any = None


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
    remedy: str | None = None
    passes: int = 0
    excepted: tuple[str, ...] = ()


def decide(pack: Pack, inputs: Sequence[Any], engine: Engine) -> list[Decision]:
    """One decision per input, in order. Never raises for what a pack or an input causes."""
    raise NotImplementedError
