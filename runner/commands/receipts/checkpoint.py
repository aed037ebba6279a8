"""``receipts checkpoint``: what to keep elsewhere."""

from __future__ import annotations

import argparse

from maestro.errors import ToolFailure, UsageError
from maestro.world import World
from runner.commands.receipts.opened import OpenLedger


def checkpoint(arguments: argparse.Namespace, world: World, ledger: OpenLedger) -> int:
    """What to keep elsewhere."""
    data = ledger.head().checkpoint.to_bytes()
    if arguments.what is None:
        world.stdout.write(data.decode())
        return 0
    try:
        with (world.cwd / arguments.what).open("xb") as file:
            file.write(data)
    except FileExistsError as error:
        raise UsageError(
            "the file is there already", where=arguments.what, remedy="an old checkpoint is evidence: name a new file"
        ) from error
    except OSError as error:
        raise ToolFailure(f"the checkpoint could not be written: {error.strerror}", where=arguments.what) from error
    return 0
