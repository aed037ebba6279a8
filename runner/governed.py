"""What a revision says of the ledger: where it is kept, whom to believe, which broken glass is closed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from maestro.config import Config, Ledger
from maestro.evidence.trust import Trust, trust_of
from maestro.snapshot import Snapshot
from runner.ledger_check import BREAK_GLASS_RULE
from runner.merged_waivers import subjects_waived


@dataclass(frozen=True)
class Governed:
    """``root``: of the repository; ``closed``: the subjects of merged waivers of break-glass."""

    root: Path
    settings: Ledger
    trust: Trust
    closed: frozenset[str]

    def is_closed(self, run_id: str) -> bool:
        """Whether a merged waiver closes the break-glass of a run."""
        return f"Run/{run_id}" in self.closed


def governed_at(tip: Snapshot, config: Config, root: Path) -> Governed:
    """What ``config``, maestro.yaml at ``tip``, and the waivers there say.

    Raises:
        KeyProblem: a row of its keys is none.
    """
    return Governed(root, config.ledger, trust_of(config.keys), subjects_waived(tip, config, BREAK_GLASS_RULE))
