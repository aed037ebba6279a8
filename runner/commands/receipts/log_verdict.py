"""The verdict on the ledger's log, in words and as JSON."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from maestro.report.visible_text import visible
from maestro.world import World
from runner.commands.receipts.words import SHOWN
from runner.log_checking import LogVerdict


def log_json(log: LogVerdict) -> dict[str, Any] | None:
    """The verdict as JSON; None where there is no log."""
    head = log.report.head
    flaws = [{"kind": one.kind, "file": one.name, "message": one.message} for one in log.flaws]
    if head is None:
        return {"objections": flaws} if flaws else None
    said = head.checkpoint
    root = b64encode(said.root).decode()
    return {"origin": said.origin, "size": said.size, "root": root, "covered": log.report.covered, "objections": flaws}


def tell_log(world: World, log: LogVerdict) -> None:
    """The verdict for people."""
    head = log.report.head
    if head is None and not log.flaws:
        return
    said = "the log" if head is None else f"{visible(head.checkpoint.origin)}: size {head.size}"
    root = "" if head is None else f", root {b64encode(head.checkpoint.root).decode()}"
    world.stdout.write(f"{'FAILS' if log.flaws else 'HOLDS'}  {said}{root}\n")
    for one in log.flaws[:SHOWN]:
        world.stdout.write(f"       {one.kind}: {visible(one.name)}: {visible(one.message)}\n")
    if len(log.flaws) > SHOWN:
        world.stdout.write(f"       … and {len(log.flaws) - SHOWN} more\n")
