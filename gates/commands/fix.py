"""``maestro fix``: the patch that repairs what can be repaired by rule; ``--write`` applies it."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path

from maestro.documents.edit import apply

from gates.checking import add_selection_arguments, check, opened
from maestro.errors import ToolFailure, UsageError
from maestro.findings import Edit, Finding
from maestro.world import World


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_selection_arguments(parser)
    parser.add_argument("--write", action="store_true", help="change the files of the working tree")


def run(arguments: argparse.Namespace, world: World) -> int:
    """Print the patch to standard output, or apply it; what a person reads goes to standard error."""
    if arguments.write and arguments.head:
        raise UsageError("--write changes the working tree, not a revision", remedy="leave --head out")
    with opened(arguments, world) as (repository, selection):
        if arguments.write and selection.head is not None:
            raise UsageError("--write changes the working tree, but a revision would be judged here")
        checked = check(arguments, world, repository, selection)
        findings = [one for verdict in checked.report.verdicts for one in verdict.findings if one.mode != "shadow"]
        snapshot = checked.assembled.scene.change.head
        edits, taken = chosen_edits(findings)
        patched = 0
        for path, changes in sorted(edits.items()):
            if path not in snapshot.entries:
                continue
            before = snapshot.read(path).decode("utf-8")
            after = apply(before, changes)
            patched += 1
            if arguments.write:
                _replace(repository.root / path, path, after)
            else:
                world.stdout.writelines(_patch(path, before, after))
    left = len(findings) - taken
    verb = "repaired" if arguments.write else "can be repaired by this patch"
    world.stderr.write(f"{taken} of {len(findings)} findings {verb}, in {patched} files; {left} need a person\n")
    if taken and not arguments.write:
        world.stderr.write("  → `maestro fix --write` applies it\n")
    return 0


def chosen_edits(findings: Iterable[Finding]) -> tuple[dict[str, list[Edit]], int]:
    """The edits by file, and how many findings they repair.

    A fix that overlaps an earlier one waits for another run.
    """
    edits: dict[str, list[Edit]] = {}
    taken = 0
    for finding in findings:
        if finding.fix is None or finding.waived_by is not None:
            continue
        if any(_overlap(edit, other) for edit in finding.fix.edits for other in edits.get(edit.location.path, ())):
            continue
        taken += 1
        for edit in finding.fix.edits:
            edits.setdefault(edit.location.path, []).append(edit)
    return edits, taken


def _span(edit: Edit) -> tuple[tuple[int, int], tuple[int, int]]:
    place = edit.location
    start = (place.line, place.column)
    return start, (place.end_line or place.line, place.end_column or place.column)


def _overlap(one: Edit, other: Edit) -> bool:
    (start, end), (other_start, other_end) = _span(one), _span(other)
    return start == other_start or (start < other_end and other_start < end)


def _patch(path: str, before: str, after: str) -> Iterator[str]:
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), f"a/{path}", f"b/{path}"
    )
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _replace(target: Path, path: str, text: str) -> None:
    try:
        if target.is_symlink():
            raise UsageError(f"{path} is a symbolic link; it is left alone")
        target.write_bytes(text.encode("utf-8"))
    except OSError as error:
        raise ToolFailure(f"{path} could not be written: {error.strerror}") from error
