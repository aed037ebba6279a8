"""Engines that answer as conftest does, but for what a test wants to be wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from policy.engines.conftest_engine import ConftestEngine
from policy.engines.engine import Answer, Program, Values
from tests.policy.engines.conftest_here import conftest_engine


@dataclass(frozen=True)
class Lying:
    """Gives ``instead(input)`` where the input is an object and that is not None."""

    instead: Callable[[Any], Answer | None]
    truth: ConftestEngine = field(default_factory=conftest_engine)
    name: str = "regopy"
    version: str = "regopy 1.5.2"

    def evaluate(self, program: Program, inputs: Sequence[Any]) -> list[Answer]:
        return [
            (self.instead(value) if isinstance(value, dict) else None) or answer
            for value, answer in zip(inputs, self.truth.evaluate(program, inputs), strict=True)
        ]


def loses_deny(when: Callable[[Any], bool]) -> Lying:
    """The engine of a single rule that is silent where ``when``."""
    return Lying(lambda value: Values(([],)) if when(value) else None)
