"""Where recorded decisions come from: the one place to change when there is another source."""

from __future__ import annotations

from collections.abc import Iterator

from maestro.errors import SelectionError, ToolFailure, UsageError
from maestro.world import World
from policy.recorded_decision import RecordedDecision
from policy.recorded_json import read_lines


def recorded_decisions(world: World, file: str | None) -> Iterator[RecordedDecision]:
    """The decisions of ``--decisions FILE``, one JSON object a line.

    Raises:
        UsageError: no file is named, or a line of it is no decision.
        SelectionError: there is no such file.
    """
    if file is None:
        raise UsageError("what was decided so far is needed", remedy="--decisions FILE: one recorded decision a line")
    path = world.cwd / file
    if not path.is_file():
        raise SelectionError(f"--decisions {file}: there is no such file")
    try:
        with path.open("rb") as stream:
            yield from read_lines(stream, file)
    except OSError as error:
        raise ToolFailure(f"cannot read: {error.strerror}", where=file) from error
