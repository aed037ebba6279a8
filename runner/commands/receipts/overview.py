"""``receipts list`` without a filter: the runs, each checked, and with ``--run`` its receipts."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from maestro.counting import many
from maestro.report.visible_text import visible
from maestro.world import World
from runner.commands.receipts.opened import OpenLedger
from runner.commands.receipts.words import as_json, words, write_json


def list_runs(arguments: argparse.Namespace, world: World, ledger: OpenLedger) -> int:
    """0, or 10 where a run cannot be read at all: what does not hold is for `receipts verify`."""
    reports = [ledger.check(folder, counted=arguments.run is None) for folder in ledger.runs(arguments.run)]
    code = 0 if all(report.readable for report in reports) else 10
    if arguments.format == "json":
        write_json(world, {"runs": [as_json(report) for report in reports]})
        return code
    for report in reports:
        doubt = f"; {many(len(report.objections), 'objection')}: see `receipts verify`" if report.objections else ""
        world.stdout.write(f"{report.run_id}  {words(report)}{doubt}\n")
        if arguments.run is not None:
            for execution, said in sorted(report.receipts.items(), key=_place):
                world.stdout.write(_row(execution, said))
    if not reports:
        world.stdout.write("no runs\n")
    return code


def _place(row: tuple[str, Mapping[str, Any]]) -> tuple[str, int]:
    said = row[1]
    return said["manifest"]["subject"], said["execution"].get("index") or 0


def _row(execution: str, said: Mapping[str, Any]) -> str:
    index = said["execution"].get("index")
    subject = visible(str(said["manifest"]["subject"])) + ("" if index is None else f"[{index}]")
    return f"  {execution}  {visible(said['outcome']):<11}  {subject}\n"
