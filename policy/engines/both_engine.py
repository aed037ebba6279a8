"""Two engines asked the same: only what they agree on is an answer."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from maestro import canonical_json
from policy.engines.engine import UNDEFINED, Answer, Broken, Disagreement, Engine, Program
from policy.engines.smallest import smallest

ANSWERED_BY_AN_ERROR = ("builtin", "conflict")
"""Errors that Rego prescribes: where the reference has one and the other engine a value, one of them is wrong."""


@dataclass(frozen=True)
class BothEngines:
    """See ``policy.engines.engine.Engine``. A disagreement is Broken, whoever is right, and says what was seen.

    ``first`` is the reference. The other may refuse an input with an error of its own: then there is no second opinion,
    and no disagreement either.
    """

    first: Engine
    second: Engine
    name: str = "both"

    @property
    def version(self) -> str:
        """Both versions."""
        return f"{self.first.version}; {self.second.version}"

    def evaluate(self, program: Program, inputs: Sequence[Any]) -> list[Answer]:
        """One answer per input: the common one, or why there is none."""
        pairs = self.ask(program, inputs)
        answers = [self._agree(program, *pair, value) for pair, value in zip(pairs, inputs, strict=True)]
        shown: dict[str, Any] = {}
        for answer in answers:
            if isinstance(answer, Broken) and answer.seen is not None:
                known = shown.get(answer.seen.entrypoint)
                if known is None or _size(answer.seen.smallest) < _size(known[0]):
                    shown[answer.seen.entrypoint] = (answer.seen.smallest,)
        for entrypoint, (value,) in shown.items():
            shown[entrypoint] = self.smallest(program, entrypoint, value)
        return [self._shown(answer, shown) for answer in answers]

    def ask(self, program: Program, inputs: Sequence[Any]) -> list[tuple[Answer, Answer]]:
        """What each says, side by side."""
        with ThreadPoolExecutor(max_workers=2) as pool:
            one = pool.submit(self.first.evaluate, program, inputs)
            other = pool.submit(self.second.evaluate, program, inputs)
            return list(zip(one.result(), other.result(), strict=True))

    def smallest(self, program: Program, entrypoint: str, value: Any) -> Any:  # noqa: ANN401
        """The smallest input found on which they still disagree about ``entrypoint``."""
        alone = replace(program, entrypoints=(entrypoint,))

        def shows(values: Sequence[Any]) -> list[bool]:
            return [disputed(alone, left, right) is not None for left, right in self.ask(alone, values)]

        return smallest(value, shows)

    def _agree(self, program: Program, left: Answer, right: Answer, value: Any) -> Answer:  # noqa: ANN401
        entrypoint = disputed(program, left, right)
        if entrypoint is not None:
            at = program.entrypoints.index(entrypoint)
            answers = {self.first.name: answer_json(left, at), self.second.name: answer_json(right, at)}
            message = f"{self.first.name} and {self.second.name} disagree about {entrypoint}"
            remedy = "one of the two is wrong: look at the smallest input, and write the rule in another way"
            return Broken(message, "disagreement", remedy, Disagreement(entrypoint, answers, value))
        if isinstance(left, Broken):
            return replace(left, message=f"{self.first.name}: {left.message}")
        if isinstance(right, Broken):
            return replace(right, message=f"{self.second.name}: {right.message}")
        return left

    def _shown(self, answer: Answer, shown: dict[str, Any]) -> Answer:
        if not isinstance(answer, Broken) or answer.seen is None:
            return answer
        return replace(answer, seen=replace(answer.seen, smallest=shown[answer.seen.entrypoint]))


def disputed(program: Program, left: Answer, right: Answer) -> str | None:
    """The first entrypoint about which a reference and another engine disagree, or None.

    An error of the other engine's own is no answer, so nothing is disputed; neither is what ended by a limit.
    """
    if isinstance(right, Broken):
        return None
    if isinstance(left, Broken):
        return program.entrypoints[0] if left.kind in ANSWERED_BY_AN_ERROR else None
    for entrypoint, one, other in zip(program.entrypoints, left.values, right.values, strict=True):
        if not same(one, other):
            return entrypoint
    return None


def answer_json(answer: Answer, at: int) -> dict[str, Any]:
    """One entrypoint of an answer, for people and reports."""
    if isinstance(answer, Broken):
        return {"error": answer.message}
    value = answer.values[at]
    return {"undefined": True} if value is UNDEFINED else {"value": value}


def _size(value: Any) -> int:  # noqa: ANN401
    try:
        return len(canonical_json.dumps(value))
    except ValueError:
        return 1 << 62


def same(one: object, other: object) -> bool:
    """Equality of JSON values where ``true`` is not ``1`` (and ``1`` is ``1.0``, as in Rego)."""
    pending = [(one, other)]
    while pending:
        left, right = pending.pop()
        if isinstance(left, bool) != isinstance(right, bool):
            return False
        if isinstance(left, list) and isinstance(right, list):
            if len(left) != len(right):
                return False
            pending.extend(zip(left, right, strict=True))
        elif isinstance(left, dict) and isinstance(right, dict):
            if left.keys() != right.keys():
                return False
            pending.extend((left[key], right[key]) for key in left)
        elif left != right:
            return False
    return True
