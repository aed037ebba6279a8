"""Where recorded decisions come from: the ledger, and a file besides. The one place to change for another source."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from maestro.config import Config
from maestro.errors import SelectionError, ToolFailure
from maestro.evidence.trust import trust_of
from maestro.world import World
from policy.recorded_decision import RecordedDecision
from policy.recorded_json import read_lines
from runner.remembered import Remembered, remembered


def recorded_decisions(world: World, file: str | None, config: Config, root: Path) -> Remembered:
    """The believed decisions of the ledger, and those of ``--decisions FILE`` (one JSON object a line) besides.

    Args:
        world: where the file lies, and from where the ledger is reached.
        file: as the user wrote it; nobody has signed it, so it counts by the user's own word.
        config: maestro.yaml of the policy revision: where the ledger is, and whose signatures count.
        root: the repository.

    Raises:
        UsageError: a line of the file is no decision.
        SelectionError: there is no such file.
        ToolFailure: the ledger or the file cannot be read.
    """
    found = remembered(config.ledger, trust_of(config.keys), world, root)
    if file is None:
        return found
    known = frozenset(found.decisions)
    more = tuple(one for one in _of_file(world, file) if one not in known)  # an export of the ledger counts once
    return Remembered(found.decisions + more, found.not_believed)


def _of_file(world: World, file: str) -> Iterator[RecordedDecision]:
    path = world.cwd / file
    if not path.is_file():
        raise SelectionError(f"--decisions {file}: there is no such file")
    try:
        with path.open("rb") as stream:
            yield from read_lines(stream, file)
    except OSError as error:
        raise ToolFailure(f"cannot read: {error.strerror}", where=file) from error
