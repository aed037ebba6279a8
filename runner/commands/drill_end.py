"""A drill that is broken off takes everything with it that it has started."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.drivers.drill_process import Dispatch, DrillFolder


@contextmanager
def ending(folder: DrillFolder, dispatcher: Dispatch) -> Iterator[None]:
    """Where what happens inside is broken off, the dispatcher and the watchers of its run are gone afterwards."""
    from runner.drivers.local_slots.proc import kill_that

    try:
        yield
    except BaseException:
        dispatcher.kill()
        dispatcher.wait()
        for pid in folder.watchers():
            kill_that(pid, lambda pid: pid in folder.watchers())
        raise
