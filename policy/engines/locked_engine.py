"""regopy, kept to the packs that ``policy/parity.lock`` names: seen to be answered as conftest answers them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from policy.engines.engine import Answer, Broken, Engine, Program

if TYPE_CHECKING:
    from policy.parity.lock import Lock


@dataclass(frozen=True)
class LockedEngine:
    """See ``policy.engines.engine.Engine``. ``lock`` is read when something is first asked; ``remedy``: what to say
    where nothing may be judged."""

    regopy: Engine
    lock: Callable[[], Lock]
    remedy: str
    name: str = "regopy"

    @property
    def version(self) -> str:
        """regopy's."""
        return self.regopy.version

    def evaluate(self, program: Program, inputs: Sequence[Any]) -> list[Answer]:
        """One answer per input; none for a program that the lock does not name."""
        objection = self.lock().objection(program)
        if objection is not None:
            return [Broken(objection, "unsupported", self.remedy)] * len(inputs)
        return self.regopy.evaluate(program, inputs)
