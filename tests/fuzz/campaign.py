"""Changed files, handed to every parser: refused cleanly, or taken for what they are."""

from __future__ import annotations

import signal
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import FrameType

from maestro.errors import MaestroError
from tests.fuzz.mutations import Mutator
from tests.fuzz.targets import Target

SECONDS = 10.0
"""For one file: beyond it a parser hangs."""


@dataclass
class Outcome:
    """What happened to the files of one target. ``found``: input and what is wrong, one for each place in the code."""

    refused: int = 0
    accepted: int = 0
    slowest: float = 0.0
    found: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    times: Counter[str] = field(default_factory=Counter)

    @property
    def tried(self) -> int:
        """How many."""
        return self.refused + self.accepted + self.times.total()


class Hangs(BaseException):
    """It took too long."""


def _on_alarm(_number: int, _frame: FrameType | None) -> None:
    raise Hangs


def run(targets: Sequence[Target], seed: int, *, seconds: float, rounds: int) -> dict[str, Outcome]:
    """Take turns among the targets, until ``seconds`` or ``rounds`` are over."""
    outcomes = {one.name: Outcome() for one in targets}
    meanings = {one.name: [one.read(given) for given in one.seeds] for one in targets}
    mutator = Mutator(seed)
    until = time.monotonic() + seconds
    before = signal.signal(signal.SIGALRM, _on_alarm)
    try:
        for _ in range(rounds):
            for target in targets:
                if time.monotonic() > until:
                    return outcomes
                given = mutator.dice.choice(target.seeds)
                _try(target, mutator.mutate(given, target.seeds), meanings[target.name], outcomes[target.name])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return outcomes


def _try(target: Target, data: bytes, meanings: Sequence[object], outcome: Outcome) -> None:
    begun = time.monotonic()
    try:
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        meaning = target.read(data)
        signal.setitimer(signal.ITIMER_REAL, 0)
    except MaestroError:
        signal.setitimer(signal.ITIMER_REAL, 0)
        outcome.refused += 1
    except (Exception, Hangs) as error:
        signal.setitimer(signal.ITIMER_REAL, 0)
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{type(error).__name__} at {place.filename.rpartition('/')[2]}:{place.name}"
        outcome.times[where] += 1
        outcome.found.setdefault(where, (data, "".join(traceback.format_exception(error)[-6:])))
    else:
        if target.sealed and meaning not in meanings:
            outcome.times["another meaning"] += 1
            outcome.found.setdefault("another meaning", (data, repr(meaning)[:2000]))
        else:
            outcome.accepted += 1
    outcome.slowest = max(outcome.slowest, time.monotonic() - begun)
