"""``maestro check``: judge a change; every gate, one report."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gates.ahead import days_of
from gates.checking import Checked, add_selection_arguments, check, exit_code, opened
from gates.delivery import deliver
from maestro.errors import ToolFailure, UsageError
from maestro.report.model import Report
from maestro.world import World

if TYPE_CHECKING:
    from maestro.evidence.signer import Signer
    from policy.metrics import PolicyMetrics

FORMATS = ("terminal", "json", "sarif", "junit", "github", "markdown")
_Read = Callable[[str], "bytes | None"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_selection_arguments(parser)
    parser.add_argument(
        "--format",
        metavar="FORMAT[=FILE]",
        action="append",
        help=f"{', '.join(FORMATS)}; several may be given (default: terminal)",
    )
    parser.add_argument(
        "--ahead", metavar="DAYS", help="also show what would begin to block within so many days, such as 14d, by owner"
    )
    parser.add_argument(
        "--metrics", metavar="FILE", type=Path, help="write what was decided as OpenMetrics, in one step"
    )
    parser.add_argument("--quiet", action="store_true", help="only what blocks, and the last line")
    parser.add_argument(
        "--attest", metavar="FILE", type=Path, help="write the verdict on this tree as a signed in-toto statement"
    )
    parser.add_argument("--key", metavar="FILE", help="the key that signs it (or MAESTRO_SIGNING_KEY)")


def run(arguments: argparse.Namespace, world: World) -> int:
    """Judge, report, and answer with the exit code."""
    formats = [_format(text) for text in arguments.format or ["terminal"]]
    ahead = None if arguments.ahead is None else days_of(arguments.ahead)
    signer = _signer(arguments, world)
    metrics = None if arguments.metrics is None else _metrics()
    with opened(arguments, world) as (repository, selection):
        checked = check(arguments, world, repository, selection, quiet=arguments.quiet, ahead=ahead, metrics=metrics)
        read = _source_reader(checked)
        failures: list[ToolFailure] = []
        for name, file in formats:
            try:
                _write(world, name, file, checked.report, read, quiet=arguments.quiet)
            except ToolFailure as error:  # the other reports are wanted all the same
                failures.append(error)
        if metrics is not None:
            from maestro.metrics import write

            write(world.cwd / arguments.metrics, metrics.text())
        if signer is not None:
            _attest(arguments.attest, world, checked, signer)
    if failures:
        raise failures[0]
    return exit_code(checked.report)


def _metrics() -> PolicyMetrics:
    from policy.metrics import PolicyMetrics

    return PolicyMetrics()


def _signer(arguments: argparse.Namespace, world: World) -> Signer | None:
    """Who signs the verdict, where one is wanted; asked for before anything is judged in vain.

    Raises:
        UsageError: no usable key, or the verdict would be about less than every gate says.
    """
    if arguments.attest is None:
        return None
    if arguments.gate:
        raise UsageError("--attest with --gate would attest less than a verdict", remedy="leave --gate out")
    from maestro.evidence.ecdsa_signer import find

    return find(arguments.key, world.environ, world.cwd)


def _format(text: str) -> tuple[str, Path | None]:
    name, equals, file = text.partition("=")
    if name not in FORMATS or (equals and not file):
        raise UsageError(f"--format {text!r} is no format", remedy=f"one of {', '.join(FORMATS)}; each may have =FILE")
    return name, Path(file) if equals else None


def _source_reader(checked: Checked) -> _Read:
    snapshot = checked.assembled.scene.change.head
    extra = {one.path: one.data for one in checked.assembled.scene.extra_inputs}

    def read(path: str) -> bytes | None:
        if path in extra:
            return extra[path]
        entry = snapshot.entries.get(path)
        return snapshot.read(path) if entry is not None and entry.mode in ("100644", "100755") else None

    return read


def _render(name: str, report: Report, read: _Read, *, colour: bool, quiet: bool) -> str:
    if name == "terminal":
        from maestro.report import terminal

        return terminal.render(report, read, colour=colour, quiet=quiet)
    if name == "json":
        from maestro.report import json_report

        return json_report.render(report)
    if name == "sarif":
        from maestro.report import sarif

        return sarif.render(report)
    if name == "junit":
        from maestro.report import junit

        return junit.render(report)
    if name == "github":
        from maestro.report import github

        return github.render(report)
    from maestro.report import markdown

    return markdown.render(report)


def _write(world: World, name: str, file: Path | None, report: Report, read: _Read, *, quiet: bool) -> None:
    deliver(
        f"{name} report",
        file,
        world,
        lambda colour: _render(name, report, read, colour=colour, quiet=quiet),
        for_people=name == "terminal",
    )


def _attest(file: Path, world: World, checked: Checked, signer: Signer) -> None:
    """Write the verdict on the head's tree.

    Raises:
        UsageError: nothing has decided about this tree.
        ToolFailure: the file cannot be written.
    """
    from dataclasses import asdict

    from maestro.evidence.verdict import TreeVerdict, attest

    report = checked.report
    if report.policy_revision is None:
        raise UsageError("--attest needs a target: nothing decided about this tree")
    verdict = TreeVerdict(
        tree=checked.assembled.scene.change.head.tree_id(),
        allowed=report.exit_code == 0 and not report.preview,
        policy_revision=report.policy_revision,
        made_at=world.now(),
        tool_version=report.tool_version,
        engine=report.engine,
        summary=asdict(report.summary),
        gates={one.gate: one.outcome for one in report.verdicts},
    )
    try:
        (world.cwd / file).write_bytes(attest(verdict, signer))
    except OSError as error:
        raise ToolFailure(f"the verdict could not be written: {error.strerror}", where=str(file)) from error
