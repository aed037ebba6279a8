"""Whether it is proven that nothing is missing from a ledger as a whole."""

from __future__ import annotations

from dataclasses import dataclass

from maestro.ledger.checkpoint import Checkpoint


@dataclass(frozen=True)
class Completeness:
    """Whether it is proven that no record and no run is missing as a whole, the words for it, and the log's head."""

    proven: bool
    said: str
    log: Checkpoint | None = None


NO_CHECKPOINT = Completeness(
    False,
    "not proven: that no run or record is missing as a whole; this ledger has no log, so one that was removed leaves "
    "no trace in it",
)
