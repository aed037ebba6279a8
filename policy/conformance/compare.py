"""One question, both engines: equal, answered by one only, or silently different."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from policy.engines.both_engine import same
from policy.engines.engine import Broken, Engine, Program
from policy.preflight.program import Objection, read

Outcome = Literal["equal", "both broken", "unsupported", "broken", "wrong value", "error missed"]
"""``unsupported``: refused by the preflight, or for its input. ``broken``: refused later (an error that conftest has
not). The last two are what must never be."""


def compare(program: Program, inputs: Sequence[Any], conftest: Engine, regopy: Engine) -> list[tuple[Outcome, str]]:
    """The outcome for each input, and what both said. conftest is not asked about what the preflight refuses."""
    if isinstance(objection := read(program), Objection):
        return [("unsupported", str(objection))] * len(inputs)
    program = replace(program)
    answers = zip(conftest.evaluate(program, inputs), regopy.evaluate(program, inputs), strict=True)
    return [(outcome(left, right), f"conftest: {left}\nregopy: {right}") for left, right in answers]


def outcome(left: Any, right: Any) -> Outcome:
    """What two answers (conftest's, regopy's) amount to."""
    if isinstance(right, Broken):
        if isinstance(left, Broken):
            return "both broken"
        return "unsupported" if right.kind == "unsupported" else "broken"
    if isinstance(left, Broken):
        return "error missed"
    return "equal" if same(list(left.values), list(right.values)) else "wrong value"
