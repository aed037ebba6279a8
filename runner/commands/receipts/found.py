"""``receipts list`` with filters: the receipts themselves, a page at a time, each judged from what was signed."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Mapping
from typing import Any

from maestro.counting import many
from maestro.errors import UsageError
from maestro.report.visible_text import visible
from maestro.world import World
from runner.commands.receipts.opened import governed
from runner.commands.receipts.words import write_json
from runner.finding import Found, find
from runner.ledger_check import check_run
from runner.looking import runs_of
from runner.receipt_index import ReceiptIndex, with_index
from runner.receipt_row import Wanted, cursor_of, key_in

PAGE = 50
LIMIT = 1000
FILTERS = ("id", "tenant", "day", "workflow", "commit", "decision", "outcome")


def add_filters(parser: argparse.ArgumentParser) -> None:
    """Declare the options by which ``list`` finds receipts."""
    chosen = parser.add_argument_group("list: find receipts", "any filter lists receipts instead of runs; all must fit")
    chosen.add_argument("--id", metavar="ID", help="the execution's id")
    chosen.add_argument("--tenant", metavar="NAME")
    chosen.add_argument("--day", metavar="DATE", help="when it was signed, UTC: 2026-01-31")
    chosen.add_argument("--workflow", metavar="NAME", help="the manifest's name")
    chosen.add_argument("--commit", metavar="ID", help="what was executed, at least 4 digits")
    chosen.add_argument("--decision", metavar="DIGEST", help="of a decision that allowed it: sha256:…")
    chosen.add_argument("--outcome", metavar="WORD", help="succeeded, failed, timed_out, …")
    chosen.add_argument("--archive", metavar="PLACE", help="look there as well: what `receipts archive` wrote")
    chosen.add_argument("--limit", metavar="N", type=int, help=f"receipts on a page (default {PAGE})")
    chosen.add_argument("--after", metavar="PLACE", help="the next page: what the page before ended with")


def wanted_in(arguments: argparse.Namespace) -> Wanted | None:
    """What is asked for; None where no filter is given.

    Raises:
        UsageError: a filter cannot be that, or nothing is filtered that is to be paged.
    """
    wanted = Wanted(run=arguments.run, **{name: getattr(arguments, name) for name in FILTERS})
    paged = any(value is not None for value in (arguments.limit, arguments.after, arguments.archive))
    if arguments.action != "list" and (wanted.anything or paged):
        raise UsageError(f"filters and pages are for `receipts list`, not for `receipts {arguments.action}`")
    if arguments.limit is not None and not 1 <= arguments.limit <= LIMIT:
        raise UsageError(f"--limit must be 1 to {LIMIT}")
    return wanted if wanted.anything or paged else None


def list_found(arguments: argparse.Namespace, world: World, wanted: Wanted) -> int:
    """0, or 10 where a receipt that was found does not hold, or a run that may have more cannot be read."""
    said = governed(arguments, world)
    place, runs = runs_of(arguments.store, said.settings, world, said.root)
    after = None if arguments.after is None else key_in(arguments.after)
    limit = arguments.limit or PAGE
    name = hashlib.sha256(place.encode()).hexdigest()[:16]

    def work(index: ReceiptIndex) -> tuple[list[Found], Mapping[str, int], Mapping[str, str]]:
        found, unreadable = find(
            index,
            runs,
            wanted,
            after,
            limit + 1,
            lambda folder, only: check_run(folder, said.trust, said.is_closed, only=only),
        )
        return found, index.unread(), {run: why for run, why in unreadable.items() if wanted.run in (None, run)}

    found, unread, unreadable = with_index(
        said.root / ".maestro" / "index" / f"{name}.sqlite",
        place,
        work,
        lambda text: print(f"note: {visible(text)}", file=world.stderr),
    )
    if arguments.archive is not None:
        from runner.receipt_archive import Archive

        found = merged(found, Archive(arguments.archive, world.cwd).find(wanted, after, limit + 1, said.trust))
    page, more = found[:limit], len(found) > limit
    _tell(arguments, world, page, unread, unreadable, cursor_of(page[-1].key) if more else None)
    return 10 if unreadable or any(one.objections for one in page) else 0


def merged(ledger: list[Found], archive: list[Found]) -> list[Found]:
    """Both in order; what is in both, from the ledger. A page of the whole is in the pages of its parts."""
    by_id = {one.key[3]: one for one in (*archive, *ledger)}
    return sorted(by_id.values(), key=lambda one: one.key)


def _tell(
    arguments: argparse.Namespace,
    world: World,
    page: list[Found],
    unread: Mapping[str, int],
    unreadable: Mapping[str, str],
    after: str | None,
) -> None:
    if arguments.format == "json":
        told = [_json(one) for one in page]
        write_json(
            world, {"receipts": told, "unread": dict(unread), "unreadable_runs": dict(unreadable), "next": after}
        )
        return
    known = [one for one in page if one.row is not None and one.said is not None]
    widths = tuple(max((len(visible(word(one))) for one in known), default=0) for word in (_tenant, _workflow))
    for one in page:
        world.stdout.write(_line(one, widths))
        for objection in one.objections:
            world.stdout.write(f"    {visible(objection)}\n")
    if not page:
        world.stdout.write("no receipts\n")
    if after is not None:
        world.stdout.write(f"more: --after {after}\n")
    for run, why in unreadable.items():
        world.stderr.write(f"the run {visible(run)} cannot be read, and may hold more: {visible(why)}\n")
    if unread:
        count = sum(unread.values())
        world.stderr.write(f"note: {many(count, 'file')} among the receipts is none: see `maestro receipts verify`\n")


def _tenant(one: Found) -> str:
    return (one.row.tenant if one.row is not None else "") or "-"


def _workflow(one: Found) -> str:
    index = one.said["execution"].get("index") if one.said is not None else None
    return (one.row.workflow if one.row is not None else "") + ("" if index is None else f"[{index}]")


def _line(one: Found, widths: tuple[int, ...]) -> str:
    if one.row is None or one.said is None:
        return f"NOT BELIEVED  {visible(one.key[3])}  run {visible(one.run)}\n"
    row, said = one.row, one.said
    marks = ["FAILS"] if one.objections else []
    marks += ["REHEARSED"] if said["rehearsal"] else []
    marks += ["BREAK-GLASS"] if said.get("break_glass") is not None else []
    marks += ["ARCHIVED"] if one.where != "ledger" else []
    tail = "".join(f"  {mark}" for mark in marks)
    tenant, workflow = (
        visible(word(one)).ljust(width) for word, width in zip((_tenant, _workflow), widths, strict=True)
    )
    words = (row.day, tenant, workflow, f"{visible(row.outcome):<11}", row.id)
    return "  ".join(words) + f"  run {visible(row.run)}{tail}\n"


def _json(one: Found) -> dict[str, Any]:
    told: dict[str, Any] = {"id": one.key[3], "run": one.run, "believed": one.row is not None, "from": one.where}
    if one.row is not None and one.said is not None:
        row, said = one.row, one.said
        told |= {
            "tenant": row.tenant or None,
            "day": row.day,
            "workflow": row.workflow,
            "index": said["execution"].get("index"),
            "commit": row.commit,
            "decisions": list(row.decisions),
            "outcome": row.outcome,
            "rehearsal": said["rehearsal"],
            "break_glass": said.get("break_glass") is not None,
        }
    return {**told, "objections": list(one.objections)}
