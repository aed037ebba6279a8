"""What every subcommand says of a run, for people and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from maestro.world import World
from runner.ledger_check import RunReport

SCHEMA = "maestro-conductor/receipts/v1"
SHOWN = 50
"""Objections written of one run; the rest is counted."""


def as_json(report: RunReport) -> dict[str, Any]:
    """A report as JSON."""
    return {
        "run": report.run_id,
        "complete": report.complete,
        "unfinished": None if report.unfinished is None else asdict(report.unfinished),
        "receipts": len(report.receipts),
        "outcomes": report.outcomes,
        "rehearsals": report.rehearsals,
        "break_glass": report.broken_glass,
        "objections": [{"kind": one.kind, "file": one.file, "message": one.message} for one in report.objections],
    }


def write_json(world: World, value: Mapping[str, Any]) -> None:
    """The answer as JSON."""
    world.stdout.write(json.dumps({"schema": SCHEMA, **value}, indent=2) + "\n")


def words(report: RunReport) -> str:
    """A report in one line, after its run's id."""
    if not report.readable:
        return "UNREADABLE"
    said = ", ".join(f"{count} {outcome}" for outcome, count in report.outcomes.items()) or "no receipt"
    marks = []
    if report.rehearsals:
        marks.append(f"{report.rehearsals} REHEARSED, not production")
    if report.broken_glass:
        marks.append(f"{report.broken_glass} by BREAK-GLASS")
    if report.unfinished is not None:
        how = report.unfinished
        marks.append(f"UNFINISHED, {how.open} of {how.claimed} claimed without a receipt, last step at {how.heard}")
    elif not report.complete:
        marks.append("NOT COMPLETE")
    return said + "".join(f"; {mark}" for mark in marks)
