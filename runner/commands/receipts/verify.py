"""``receipts verify``: whether everything in the ledger holds."""

from __future__ import annotations

import argparse
import gc
from collections.abc import Iterator
from contextlib import contextmanager

from maestro.counting import many
from maestro.report.visible_text import visible
from maestro.world import World
from runner import log_checking
from runner.commands.receipts.log_verdict import log_json, tell_log
from runner.commands.receipts.opened import OpenLedger
from runner.commands.receipts.words import SHOWN, as_json, words, write_json


@contextmanager
def _keeping_all() -> Iterator[None]:
    """Without looking for garbage: what is read is kept to the end, and looking takes a tenth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def verify(arguments: argparse.Namespace, world: World, ledger: OpenLedger) -> int:
    """0 everything holds, 10 something does not."""
    log = log_checking.checked(
        arguments,
        world,
        ledger.log,
        ledger.trust,
        authorities=ledger.authorities,
        origin=ledger.origin,
        run_id=arguments.run,
    )
    with _keeping_all():
        reports = [ledger.check(folder, log.logged, counted=True) for folder in ledger.runs(arguments.run)]
    objections = [*log.flaws, *(one for report in reports for one in report.objections)]
    if arguments.format == "json":
        runs = [as_json(report) for report in reports]
        write_json(world, {"holds": not objections, "runs": runs, "log": log_json(log), "not_proven": log.not_proven})
        return 10 if objections else 0
    for report in reports:
        word = "HOLDS" if not report.objections else "FAILS"
        world.stdout.write(f"{word}  {report.run_id}  {words(report)}\n")
        for one in report.objections[:SHOWN]:
            world.stdout.write(f"       {one.kind}: {visible(one.file)}: {visible(one.message)}\n")
        if len(report.objections) > SHOWN:
            world.stdout.write(f"       … and {len(report.objections) - SHOWN} more\n")
    tell_log(world, log)
    if not reports:
        world.stdout.write(f"no runs in {ledger.place}\n")
    count = sum(len(report.receipts) for report in reports)
    rehearsed = sum(report.rehearsals for report in reports)
    world.stdout.write(
        f"{many(count, 'receipt')} of {many(len(reports), 'run')} believed, {rehearsed} of them rehearsals; "
        f"{many(len(objections), 'objection')}\n{log.not_proven or log.proven_words}\n"
    )
    return 10 if objections else 0
