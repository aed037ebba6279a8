"""``receipts prove``: that a run is in the log, for somebody without this tool."""

from __future__ import annotations

import argparse

from maestro.errors import SelectionError
from maestro.ledger.entry import parse as parse_entry
from maestro.ledger.log import proof_text
from maestro.world import World
from runner.commands.receipts.opened import OpenLedger


def prove(arguments: argparse.Namespace, world: World, ledger: OpenLedger) -> int:
    """That a run's last segment is in the log, for somebody without this tool."""
    head, wanted = ledger.head(), f"runs/{arguments.what}/segments/"
    found = None
    for index, leaf in enumerate(ledger.log.entries(head)):
        if parse_entry(leaf).name.startswith(wanted):
            found = index, leaf
    if found is None:
        raise SelectionError(
            f"the log lists no segment of {arguments.what}", remedy="`maestro receipts list` shows runs"
        )
    proof = ledger.log.inclusion_proof(head, found[0])
    world.stdout.write(proof_text(found[1], found[0], proof, head.checkpoint))
    return 0
