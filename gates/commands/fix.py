"""``maestro fix``: the patch that repairs what can be repaired by rule; ``--write`` applies it."""

from __future__ import annotations

import argparse

from gates.checking import add_selection_arguments, check, opened
from gates.repairs import Patch, patches, unified, write
from maestro.counting import many
from maestro.errors import UsageError
from maestro.world import World


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_selection_arguments(parser)
    parser.add_argument("--write", action="store_true", help="change the files of the working tree")


def run(arguments: argparse.Namespace, world: World) -> int:
    """Print the patch to standard output, or apply it; what a person reads goes to standard error."""
    with opened(arguments, world) as (repository, selection):
        if arguments.write and selection.head is not None:
            raise UsageError(
                "--write changes the working tree, but a revision is judged here", remedy="leave --head out"
            )
        checked = check(arguments, world, repository, selection)
        scene = checked.assembled.scene
        entries = scene.change.head.entries
        findings = [one for verdict in checked.report.verdicts for one in verdict.findings if one.mode != "shadow"]
        found, distrusted = patches(
            findings,
            lambda path: scene.change.head.read(path) if path in entries and entries[path].is_file else None,
            lambda path: "strict" if scene.at_head.has(path) else "lenient",
        )
        for patch in found:
            if arguments.write:
                write(repository.root / patch.path, patch)
            else:
                world.stdout.writelines(unified(patch))
    for path in distrusted:
        world.stderr.write(
            f"{path} is left alone: two YAML parsers must agree on what is written into it, and they do not\n"
        )
    world.stderr.write(_conclusion(len(findings), found, written=arguments.write))
    return 0


def _conclusion(findings: int, found: list[Patch], *, written: bool) -> str:
    if not findings:
        return "nothing was found, so there is nothing to repair\n"
    repaired = sum(patch.repairs for patch in found)
    if not repaired:
        return f"{many(findings, 'finding')}, and none that is repaired by rule: `maestro check` says what to do\n"
    verb = "repaired" if written else "can be repaired by this patch"
    files = many(len(found), "file")
    left = findings - repaired
    rest = f"; {left} {'needs' if left == 1 else 'need'} a person" if left else ""
    how = "  → `maestro fix --write` applies it\n" if repaired and not written else ""
    return f"{repaired} of {many(findings, 'finding')} {verb}, in {files}{rest}\n{how}"
