"""``receipts archive``: what is old, with its signed bytes, into Parquet files elsewhere."""

from __future__ import annotations

import argparse
import datetime as dt
import re

from maestro.counting import many
from maestro.errors import UsageError
from maestro.world import World
from runner.commands.receipts.opened import OpenLedger
from runner.ledger_check import RunReport
from runner.receipt_archive import Archive, Archived
from runner.receipt_row import row_of
from runner.run_folder import RunFolder


def archive(arguments: argparse.Namespace, world: World, ledger: OpenLedger) -> int:
    """0, or 10 where something is left out because it is not believed. Nothing is taken out of the ledger."""
    target = Archive(arguments.to, world.cwd)
    first_kept = world.now().astimezone(dt.UTC).date() - dt.timedelta(days=days_in(arguments.older_than))
    chosen: list[Archived] = []
    objections = 0
    for folder in ledger.runs(arguments.run):
        report = ledger.check(folder)
        objections += len(report.objections)
        chosen += _old(folder, report, first_kept.isoformat())
    written, there = target.write(chosen)
    world.stdout.write(
        f"{many(len(chosen), 'receipt')} before {first_kept} in {arguments.to}: "
        f"{many(written, 'file')} written, {there} there already\n"
    )
    if objections:
        world.stderr.write(f"{many(objections, 'objection')}: what is not believed is left out; `receipts verify`\n")
    return 10 if objections else 0


def _old(folder: RunFolder, report: RunReport, before: str) -> list[Archived]:
    doubted = {one.file.rpartition("/")[2].partition(".")[0] for one in report.objections}
    sessions = {one.number: one.digest for one in report.sessions.values()}
    bundles = {sessions[number]: data for number, data in folder.numbered("sessions") if number in sessions}
    found = []
    for execution, said in report.receipts.items():
        row = row_of(said, folder.run_id, execution)
        data = folder.receipt(execution)
        if row.day < before and execution not in doubted and data is not None:
            found.append(Archived(row, data, bundles[said["session"]["digest"]]))
    return found


def days_in(text: str) -> int:
    """``90d`` → 90.

    Raises:
        UsageError: it is no number of days.
    """
    if not re.fullmatch(r"[0-9]{1,5}d", text):
        raise UsageError(f"--older-than {text!r:.40} is no number of days", remedy="write it like 90d")
    return int(text[:-1])
