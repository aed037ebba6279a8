"""``maestro policy diff``: what a change of packs would do to decisions, over every document, fixture and recording."""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from gates.assemble import assemble
from gates.checking import Judge
from gates.decision_diff import Recordings, changed_pairs, comparable, decision_diff
from gates.delivery import deliver
from gates.scene import Scene
from maestro.change import open_change
from maestro.counting import many
from maestro.errors import SelectionError, ToolFailure, UsageError
from maestro.own_checkout import select_here
from maestro.progress import Progress, wanted
from maestro.repository import Repository
from maestro.selection import SelectionOptions
from maestro.world import World
from policy.bundle.door import BundleDoor

if TYPE_CHECKING:
    from policy.diff.result import PolicyDiff

FORMATS = ("terminal", "json", "markdown", "html")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--repo", metavar="DIR", default=".", help="the repository (default: the one around here)")
    parser.add_argument("--target", metavar="REV", help="the branch to be merged into: its packs are the old ones")
    parser.add_argument("--head", metavar="REV", help="whose packs are the new ones (default: the working tree)")
    parser.add_argument(
        "--corpus",
        metavar="FILE",
        action="append",
        default=[],
        help='recorded inputs besides documents and fixtures: JSON lines {"input", "pack"?}, or OPA\'s decision log',
    )
    parser.add_argument(
        "--recorded", action="store_true", help="ask about the inputs that the ledger keeps, of merges and executions"
    )
    parser.add_argument("--pack", metavar="NAME", action="append", default=[], help="only this pack; may be repeated")
    parser.add_argument(
        "--engine",
        choices=("auto", "conftest", "regopy", "both"),
        default="auto",
        help="what evaluates Rego (default: conftest where it is, else the embedded engine)",
    )
    parser.add_argument(
        "--format",
        metavar="FORMAT[=FILE]",
        action="append",
        help=f"{', '.join(FORMATS)}; several may be given (default: terminal)",
    )


def run(arguments: argparse.Namespace, world: World) -> int:
    """Show what moves. 0 whatever it is: the gate ``policy-diff`` blocks, this command informs.

    Raises:
        UsageError: a line of a corpus cannot be read, or a maestro.yaml.
        SelectionError: a file or pack that is not there.
        ToolFailure: the engine is missing.
    """
    formats = [_format(text) for text in arguments.format or ["terminal"]]
    recordings = [_recordings(world, name) for name in arguments.corpus]
    with (
        Repository.open(world.cwd / arguments.repo, world.environ) as repository,
        TemporaryDirectory(prefix="maestro-corpus-") as folder,
    ):
        options = SelectionOptions(target=arguments.target, head=arguments.head)
        change = open_change(repository, select_here(repository, options, world.environ))
        judge = Judge(arguments.engine, world)
        door = BundleDoor(repository.root, world.now(), world.environ)
        scene = assemble(change, now=world.now(), decide=judge, approvals=lambda: (), gate_ids=(), door=door).scene
        judge.believe_lock_of(scene)
        _refuse(scene, arguments.pack)
        if arguments.recorded:
            recordings.append(_kept(scene, world, repository.root, Path(folder)))
        with Progress(world.stderr, enabled=wanted(world.stderr, world.environ, quiet=False)) as progress:
            diff = decision_diff(
                scene,
                recordings=recordings,
                only=arguments.pack,
                engine=lambda: judge.engine.version if judge.engine else None,
                started=progress.step,
            )
    failures: list[ToolFailure] = []
    for name, file in formats:
        try:
            _write(world, name, file, diff)
        except ToolFailure as error:  # the other pages are wanted all the same
            failures.append(error)
    if failures:
        raise failures[0]
    return 0


def _refuse(scene: Scene, names: list[str]) -> None:
    why = comparable(scene)
    if why is not None:
        raise UsageError(why, remedy="repair maestro.yaml; `maestro check` shows how a repair is judged")
    changed, equal = changed_pairs(scene)
    known = sorted(pair.name for pair in [*changed, *equal])
    for name in names:
        if name not in known:
            raise SelectionError(
                f"--pack {name}: there is no such pack", remedy="the packs are: " + (", ".join(known) or "none")
            )


def _kept(scene: Scene, world: World, root: Path, folder: Path) -> Recordings:
    from gates.kept_corpus import kept_corpus

    found = kept_corpus(world, scene.settings.config, root, folder)
    if found.gone:
        world.stderr.write(
            f"{many(found.gone, 'input')} of the ledger cannot be asked: erased, or not what was recorded\n"
        )
    return found.recordings


def _recordings(world: World, name: str) -> Recordings:
    path = world.cwd / name
    if not path.is_file():
        raise SelectionError(f"--corpus {name}: there is no such file")
    return Recordings(name, path)


def _format(text: str) -> tuple[str, Path | None]:
    name, equals, file = text.partition("=")
    if name not in FORMATS or (equals and not file):
        raise UsageError(f"--format {text!r} is no format", remedy=f"one of {', '.join(FORMATS)}; each may have =FILE")
    return name, Path(file) if equals else None


def _render(name: str, diff: PolicyDiff, *, colour: bool) -> str:
    if name == "terminal":
        from policy.diff import terminal

        return terminal.render(diff, colour=colour)
    if name == "json":
        from policy.diff import json_report

        return json_report.render(diff)
    if name == "markdown":
        from policy.diff import markdown

        return markdown.render(diff)
    from policy.diff import html_page

    return html_page.render(diff)


def _write(world: World, name: str, file: Path | None, diff: PolicyDiff) -> None:
    deliver(
        f"{name} page", file, world, lambda colour: _render(name, diff, colour=colour), for_people=name == "terminal"
    )
