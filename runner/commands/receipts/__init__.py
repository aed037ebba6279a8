"""``maestro receipts``: what was executed, and what the evidence of it is worth."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

from maestro.errors import UsageError
from maestro.world import World
from runner import log_checking
from runner.commands.receipts.archive import archive
from runner.commands.receipts.checkpoint import checkpoint
from runner.commands.receipts.export import export
from runner.commands.receipts.found import add_filters, list_found, wanted_in
from runner.commands.receipts.opened import OpenLedger, opened
from runner.commands.receipts.overview import list_runs
from runner.commands.receipts.prove import prove
from runner.commands.receipts.show import show
from runner.commands.receipts.verify import verify


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "action",
        metavar="ACTION",
        choices=("list", "show", "verify", "export", "archive", "checkpoint", "prove"),
        help="list: runs, or receipts by a filter; show: one as JSON; verify: whether all hold; export: a folder that "
        "others can check; archive: older ones as Parquet; checkpoint: the log's size and root, signed; prove: that "
        "the log holds a run",
    )
    parser.add_argument(
        "what",
        nargs="?",
        metavar="ID|DIR|FILE",
        help="show: a run's or an execution's id; export: a folder; checkpoint: the file to write; prove: a run's id",
    )
    parser.add_argument("--repo", metavar="DIR", default=".", help="the repository (default: the one around here)")
    parser.add_argument("--store", metavar="PLACE", help="a folder, s3://, gs:// or git+… (default: maestro.yaml's)")
    parser.add_argument("--run", metavar="ID", help="only this run")
    log_checking.add_arguments(parser, of="verify: ")
    parser.add_argument("--format", choices=("terminal", "json"), default="terminal")
    parser.add_argument("--older-than", metavar="DAYS", help="archive: what is older, like 90d")
    parser.add_argument("--to", metavar="PLACE", help="archive: a folder, s3:// or gs://")
    add_filters(parser)


def run(arguments: argparse.Namespace, world: World) -> int:
    """0 everything holds, 10 something does not.

    Raises:
        UsageError: no repository, or no maestro.yaml on its default branch.
        SelectionError: no such run or execution.
    """
    _refuse_nonsense(arguments)
    actions: Mapping[str, Callable[[argparse.Namespace, World, OpenLedger], int]] = {
        "list": list_runs,
        "show": show,
        "verify": verify,
        "export": export,
        "archive": archive,
        "checkpoint": checkpoint,
        "prove": prove,
    }
    wanted = wanted_in(arguments)
    if wanted is not None:
        return list_found(arguments, world, wanted)
    with opened(arguments, world) as ledger:
        return actions[arguments.action](arguments, world, ledger)


_WANTED = {"show": "an id", "export": "a folder", "prove": "a run's id"}


def _refuse_nonsense(arguments: argparse.Namespace) -> None:
    if arguments.what is None and arguments.action in _WANTED:
        raise UsageError(f"`receipts {arguments.action}` wants {_WANTED[arguments.action]}")
    if arguments.what is not None and arguments.action in ("list", "verify", "archive"):
        raise UsageError(f"`receipts {arguments.action}` takes no name", remedy="--run ID chooses a run")
    asked = arguments.to is not None, arguments.older_than is not None
    if (arguments.action == "archive" and not all(asked)) or (arguments.action != "archive" and any(asked)):
        raise UsageError("`receipts archive` wants --older-than DAYS and --to PLACE, and nothing else does")
    given = (arguments.checkpoint, arguments.timestamp, arguments.held_since)
    if arguments.action != "verify" and any(one is not None for one in given):
        raise UsageError("--checkpoint, --timestamp and --held-since are for `receipts verify`")
    log_checking.refuse_nonsense(arguments)
