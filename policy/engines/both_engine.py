"""Two engines asked the same: only what they agree on is an answer."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from policy.engines.engine import Answer, Broken, Engine, Program


@dataclass(frozen=True)
class BothEngines:
    """See ``policy.engines.engine.Engine``. A disagreement is Broken, whoever is right."""

    first: Engine
    second: Engine
    name: str = "both"

    @property
    def version(self) -> str:
        """Both versions."""
        return f"{self.first.version}; {self.second.version}"

    def evaluate(self, program: Program, inputs: Sequence[Any]) -> list[Answer]:
        """One answer per input: the common one, or why there is none."""
        with ThreadPoolExecutor(max_workers=2) as pool:
            one = pool.submit(self.first.evaluate, program, inputs)
            other = pool.submit(self.second.evaluate, program, inputs)
            pairs = zip(one.result(), other.result(), strict=True)
        return [self._agree(left, right, program) for left, right in pairs]

    def _agree(self, left: Answer, right: Answer, program: Program) -> Answer:
        if isinstance(left, Broken):
            return Broken(f"{self.first.name}: {left.message}", left.kind, left.remedy)
        if isinstance(right, Broken):
            return Broken(f"{self.second.name}: {right.message}", right.kind, right.remedy)
        for entrypoint, one, other in zip(program.entrypoints, left.values, right.values, strict=True):
            if not same(one, other):
                message = f"{self.first.name} and {self.second.name} disagree about {entrypoint}"
                remedy = "the pack is outside of what both engines answer alike; judge it with --engine conftest"
                return Broken(message, "disagreement", remedy)
        return left


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
