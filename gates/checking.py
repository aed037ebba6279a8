"""One check, from the words on the command line to a report. ``check``, ``fix``, ``approve`` and ``run`` share it."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from gates import catalogue
from gates.ahead import look_ahead
from gates.assemble import CONFIG_FILE, Assembled, assemble
from gates.docs_address import with_addresses
from gates.harness import run_gates
from gates.pack_inputs import is_judged
from gates.scene import Decided, ExtraInput, tell_nobody
from maestro import __version__
from maestro.change import ChangeSet, open_change
from maestro.ci import in_ci
from maestro.errors import MaestroError, SelectionError, ToolFailure, UsageError
from maestro.github_event import read_event
from maestro.own_checkout import refuse_preview_elsewhere, select_here
from maestro.process import find_program
from maestro.progress import Progress, wanted
from maestro.report.model import Report
from maestro.repository import Repository
from maestro.selection import Selection, SelectionOptions
from maestro.world import World
from policy.bundle.door import BundleDoor

if TYPE_CHECKING:
    from gates.approvals import Approval
    from gates.pack_inputs import Judged
    from gates.scene import Prove, Scene
    from policy.decide import Decision
    from policy.engines.engine import Engine
    from policy.metrics import PolicyMetrics
    from policy.pack import Files, Pack
    from policy.parity.lock import Entry, Lock


class Judge:
    """The engine, used only when something is to be decided: a change without Rego needs none."""

    def __init__(self, asked: str, world: World) -> None:
        self._asked = asked
        self._environ = world.environ
        self._lock: Lock | None = None
        self._lock_files: Files | None = None
        self.engine: Engine | None = None
        """The one that was asked something."""
        self.seconds = 0.0
        """What the last answer took."""

    def believe_lock_of(self, scene: Scene) -> None:
        """From where ``policy/parity.lock`` is read, should regopy judge alone; until this is said, from nowhere."""
        self._lock_files = scene.lock_snapshot

    def _read_lock(self) -> Lock:
        from policy.parity.lock import ABSENT, lock_at

        if self._lock is None:
            self._lock = ABSENT if self._lock_files is None else lock_at(self._lock_files)
        return self._lock

    def __call__(self, pack: Pack, inputs: Sequence[Any]) -> list[Decision]:
        """``policy.decide.decide`` with the engine asked for.

        Raises:
            MaestroError: there is no such engine that could be trusted.
        """
        from policy.decide import decide
        from policy.engines.choose import choose

        if self.engine is None:
            self.engine = choose(self._asked, self._environ, self._read_lock)
        begin = time.perf_counter()
        decisions = decide(pack, inputs, self.engine)
        self.seconds = time.perf_counter() - begin
        return decisions


def prover(world: World) -> Prove:
    """Asks both engines about a pack, whichever was chosen to judge."""

    def prove(files: Files, pack: Pack, also: Sequence[Any]) -> Entry:
        from policy.engines.choose import trusted_conftest, unlocked_regopy
        from policy.parity import proof

        return proof.prove(files, pack, trusted_conftest(world.environ), unlocked_regopy(), also)

    return prove


@dataclass(frozen=True)
class Checked:
    """The report, and what it was made of."""

    report: Report
    assembled: Assembled
    selection: Selection


def add_selection_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that say what is judged; the same for every command that judges."""
    parser.add_argument("--repo", metavar="DIR", default=".", help="the repository (default: the one around here)")
    parser.add_argument("--target", metavar="REV", help="the branch to be merged into: its tip decides")
    parser.add_argument("--head", metavar="REV", help="what is to be merged (default: the working tree)")
    parser.add_argument("--all", action="store_true", help="judge every document, not only what changed")
    parser.add_argument("--gate", metavar="ID", action="append", help="only this gate; may be repeated")
    parser.add_argument(
        "--engine",
        choices=("auto", "conftest", "regopy", "both"),
        default="auto",
        help="what evaluates Rego (default: conftest where it is, else the embedded engine)",
    )
    parser.add_argument(
        "--input", metavar="FILE=PACK", action="append", default=[], help="judge a file that is not in git by this pack"
    )


@contextmanager
def opened(arguments: argparse.Namespace, world: World) -> Iterator[tuple[Repository, Selection]]:
    """The repository and what of it is to be judged.

    Raises:
        UsageError: not a repository, or one that cannot be believed about what the event says decides.
    """
    with Repository.open(world.cwd / arguments.repo, world.environ) as repository:
        options = SelectionOptions(target=arguments.target, head=arguments.head, all=arguments.all)
        yield repository, select_here(repository, options, world.environ)


def check(
    arguments: argparse.Namespace,
    world: World,
    repository: Repository,
    selection: Selection,
    *,
    quiet: bool = False,
    ahead: int | None = None,
    metrics: PolicyMetrics | None = None,
    decided: Decided = tell_nobody,
) -> Checked:
    """Judge what ``selection`` names, and as of ``ahead`` days later where that is asked for; ``metrics`` fills up, and
    ``decided`` is told what packs said about it.

    Raises:
        MaestroError: nothing could be judged at all; errors of single gates are verdicts.
    """
    gates = catalogue.load(arguments.gate)
    change = open_change(
        repository,
        selection,
        default_branch=None if selection.target is not None else _default_branch(repository, world),
    )
    if change.preview and selection.pull_request is not None:
        refuse_preview_elsewhere(selection, read_event(world.environ))
    _refuse_programs_of(change, repository, world)
    judge = Judge(arguments.engine, world)

    def tell(pack: Pack, judged: Sequence[Judged], decisions: Sequence[Decision]) -> None:
        decided(pack, judged, decisions)
        if metrics is not None:
            metrics.add(decisions, judge.seconds)

    assembled = assemble(
        change,
        now=world.now(),
        decide=judge,
        approvals=_approvals(world, change),
        decided=tell,
        gate_ids=tuple(gate.ID for gate in gates),
        extra_inputs=tuple(_extra_input(world, text) for text in arguments.input),
        prove=prover(world),
        door=BundleDoor(repository.root, world.now(), world.environ),
    )
    scene = assembled.scene
    judge.believe_lock_of(scene)
    enabled = wanted(world.stderr, world.environ, quiet=quiet)
    with Progress(world.stderr, enabled=enabled) as progress:
        verdicts = run_gates(
            gates,
            scene,
            waivers=assembled.waivers,
            changed_packs=assembled.changed_packs,
            settings_changed=assembled.settings_changed,
            started=lambda gate: progress.step(f"judging: {gate}"),
        )
    report = Report(
        tool_version=__version__,
        policy_revision=change.policy.commit,
        change_base=change.base.commit,
        head=change.head.commit or "worktree",
        preview=scene.change.preview,
        judges_all=change.judge_all,
        engine=judge.engine.version if judge.engine else None,
        verdicts=with_addresses(verdicts, scene.settings, world.environ),
        notes=(*_words(change, world), *assembled.notes),
        ahead=None if ahead is None else look_ahead(gates, scene, verdicts, ahead),
        rule_titles=MappingProxyType({rule.id: rule.title for rule in catalogue.all_rules()}),
    )
    return Checked(report, assembled, selection)


def exit_code(report: Report) -> int:
    """A preview announces and never stops anybody; otherwise the report's own."""
    return 0 if report.preview else report.exit_code


def _words(change: ChangeSet, world: World) -> tuple[str, ...]:
    """Why this is what was judged, where that is not plain from the command line."""
    return (change.source,) if change.judge_all or world.environ.get("GITHUB_ACTIONS") == "true" else ()


def _refuse_programs_of(change: ChangeSet, repository: Repository, world: World) -> None:
    """A folder of the checkout on PATH lets a change bring the program that judges it.

    Raises:
        UsageError: a program that would be called is one of the files that are judged.
    """
    root = repository.root.resolve()
    for name in ("conftest", "ssh-keygen"):
        program = find_program(name, world.environ)
        for place in () if program is None else (program.parent.resolve() / program.name, program.resolve()):
            if place.is_relative_to(root) and _is_of(change, place.relative_to(root)):
                raise UsageError(
                    f"{name} on PATH is a file of the repository that is judged, so a change could bring its own",
                    where=str(program),
                    remedy="take that folder off PATH, or keep the program out of git",
                )


def _is_of(change: ChangeSet, path: Path) -> bool:
    """Whether a file is one of the head's, or lies in a submodule of it: whose commit the change names as well."""
    above = {path.as_posix().lower(), *(folder.as_posix().lower() for folder in path.parents)}
    return any(name.lower() in above for name in change.head.entries)


def _default_branch(repository: Repository, world: World) -> str | None:
    """What maestro.yaml calls it: the one on main or master where there is one, else the one on the disk.

    The disk holds what the author of a change wrote; were it asked first, a change could name its own branch as target.
    In a job it is not asked at all.
    """
    from maestro.config import load_config

    try:
        likely = repository.default_branch_rev(None)
        tip = repository.snapshot(likely) if likely is not None else None
        if tip is not None and CONFIG_FILE in tip.entries:
            return load_config(CONFIG_FILE, tip.read(CONFIG_FILE)).default_branch
        if in_ci(world.environ):
            return None
        return load_config(CONFIG_FILE, (repository.root / CONFIG_FILE).read_bytes()).default_branch
    except (OSError, MaestroError):
        return None


def _extra_input(world: World, text: str) -> ExtraInput:
    name, equals, pack = text.rpartition("=")
    if not (equals and name and pack):
        raise UsageError(f"--input wants FILE=PACK, not {text!r}", remedy="`maestro policy list` shows the packs")
    if not is_judged(name):
        raise UsageError(
            f"--input {text}: YAML and JSON are read, not {Path(name).suffix or 'a file without an ending'}",
            remedy="render it first: `terraform show -json plan > plan.json`, `helm template`, or the like",
        )
    try:
        return ExtraInput(name, (world.cwd / name).read_bytes(), pack)
    except FileNotFoundError as error:
        raise SelectionError(f"--input {text}: there is no file {name}") from error
    except OSError as error:
        raise ToolFailure(f"--input {text}: {error.strerror}") from error


def _approvals(world: World, change: ChangeSet) -> Callable[[], Sequence[Approval]]:
    def collect() -> Sequence[Approval]:
        from gates.approvals import collect_approvals

        return collect_approvals(change, world.environ, world.now())

    return collect
