"""Where a rendered report goes: a stream, or a file; the same for every command that reports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from maestro.errors import ToolFailure
from maestro.world import World


def deliver(what: str, file: Path | None, world: World, render: Callable[[bool], str], *, for_people: bool) -> None:
    """Render (told whether colour is welcome) and write. Without a file, what a person reads goes to standard error,
    so that a machine format has standard output to itself.

    Raises:
        ToolFailure: the file cannot be written.
    """
    stream = world.stderr if for_people else world.stdout
    text = render(file is None and world.colour(stream))
    if file is None:
        stream.write(text)
        return
    # GitHub's step summary belongs to every command of the step.
    mode = "a" if str(file) == world.environ.get("GITHUB_STEP_SUMMARY") else "w"
    try:
        with (world.cwd / file).open(mode, encoding="utf-8") as out:
            out.write(text)
    except OSError as error:
        raise ToolFailure(f"the {what} could not be written: {error.strerror}", where=str(file)) from error
