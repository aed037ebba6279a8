"""``maestro check``: judge a change; every gate, one report."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gates.ahead import days_of
from gates.checking import Checked, add_selection_arguments, check, exit_code, opened
from gates.delivery import deliver
from gates.scene import tell_nobody
from maestro.counting import many
from maestro.errors import ToolFailure, UsageError
from maestro.report.model import Report
from maestro.repository import Repository
from maestro.world import World

if TYPE_CHECKING:
    from gates.merge_recording import Told
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
    parser.add_argument(
        "--record", action="store_true", help="in the job on push: keep the verdict and its decisions in the ledger"
    )
    parser.add_argument("--key", metavar="FILE", help="the key that signs either (or MAESTRO_SIGNING_KEY)")


def run(arguments: argparse.Namespace, world: World) -> int:
    """Judge, report, and answer with the exit code."""
    formats = [_format(text) for text in arguments.format or ["terminal"]]
    ahead = None if arguments.ahead is None else days_of(arguments.ahead)
    metrics = None if arguments.metrics is None else _metrics()
    signer = None if arguments.record else _signer(arguments, world)
    with opened(arguments, world) as (repository, selection):
        told = None
        if arguments.record:
            from gates.merge_recording import Told, refuse_where_nothing_is_merged

            refuse_where_nothing_is_merged(world.environ, selection)
            signer, told = _signer(arguments, world), Told()
        checked = check(
            arguments,
            world,
            repository,
            selection,
            quiet=arguments.quiet,
            ahead=ahead,
            metrics=metrics,
            decided=tell_nobody if told is None else told.decided,
        )
        read = _source_reader(checked)
        failures: list[ToolFailure] = []
        for name, file in formats:
            try:
                _write(world, name, file, checked.report, read, quiet=arguments.quiet)
            except ToolFailure as error:  # the other reports are wanted all the same
                failures.append(error)
        if metrics is not None:
            from maestro.output_file import write

            write(world.cwd / arguments.metrics, metrics.text(), "the metrics")
        if signer is not None and arguments.attest is not None:
            _attest(arguments.attest, world, checked, signer)
        if signer is not None and told is not None:
            _record(world, repository, checked, told, signer)
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
    if arguments.attest is None and not arguments.record:
        return None
    asked = "--record" if arguments.record else "--attest"
    if arguments.gate:
        raise UsageError(f"{asked} with --gate would attest less than a verdict", remedy="leave --gate out")
    if arguments.record and arguments.input:
        raise UsageError("--record with --input: only what is merged is recorded", remedy="leave --input out")
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


def _record(world: World, repository: Repository, checked: Checked, told: Told, signer: Signer) -> None:
    """Keep what was found, enter it into the ledger's log, and say so.

    Raises:
        UsageError: what was judged is no merge into the default branch, or the key is not listed.
        BadEvidence: the ledger's log is not believed.
        ToolFailure: the ledger cannot be written.
    """
    from base64 import b64encode

    from gates.merge_recording import enter, nothing_decided_before, record, settings_from_now_on
    from maestro.evidence.trust import trust_of
    from maestro.ledger.opening import open_store

    scene = checked.assembled.scene
    if nothing_decided_before(repository, scene):
        world.stderr.write("nothing recorded: maestro.yaml comes with this commit, so nothing decided about it\n")
        return
    config = settings_from_now_on(scene).config
    ledger = config.ledger
    store = open_store(ledger.address, repository.root, world.environ)
    now = world.now()
    made = record(repository, scene, checked.report, told, signer=signer, now=now, store=store)
    what = "checked merge" if made.allowed else "UNCHECKED MERGE: the check does not allow what is merged already"
    world.stderr.write(f"recorded in {ledger.store}: {what}; {many(len(made.decisions), 'decision')}\n")
    head = enter(store, made.commit, signer=signer, trust=trust_of(config.keys), now=now, origin=ledger.origin)
    if head is not None:
        said = head.checkpoint
        world.stderr.write(f"ledger {said.origin}: size {said.size}, root {b64encode(said.root).decode()}\n")
