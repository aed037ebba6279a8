"""``receipts show``: one run or one execution, with everything it says."""

from __future__ import annotations

import argparse

from maestro.errors import SelectionError
from maestro.world import World
from runner.commands.receipts.opened import OpenLedger
from runner.commands.receipts.words import as_json, write_json


def show(arguments: argparse.Namespace, world: World, ledger: OpenLedger) -> int:
    """0 it holds, 10 it does not."""
    for folder in ledger.runs(arguments.run):
        report = ledger.check(folder)
        if folder.run_id == arguments.what:
            write_json(world, {"run": as_json(report), "executions": report.receipts})
            return 10 if report.objections else 0
        if arguments.what in report.receipts:
            faults = [one for one in report.objections if arguments.what in one.file]
            receipt = report.receipts[arguments.what]
            write_json(world, {"receipt": receipt, "objections": [one.message for one in faults]})
            return 10 if faults else 0
        if arguments.what in folder.receipts():
            message = "; ".join(one.message for one in report.objections if arguments.what in one.file)
            raise SelectionError(f"the receipt {arguments.what} is not believed: {message}")
    raise SelectionError(
        f"there is no run and no execution {arguments.what}", remedy="`maestro receipts list --run ID` shows them"
    )
