"""``maestro verify release``: everything a release consists of, side by side, one verdict each."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from maestro.commands.attest import add_attest, write_summary
from maestro.errors import MaestroError, UsageError
from maestro.provenance.deciding import FORMATS
from maestro.world import World

if TYPE_CHECKING:
    from maestro.config import Config
    from maestro.oci.credentials import KnownCredentials
    from maestro.oci.images import VerifiedImage
    from maestro.oci.reference import Reference
    from maestro.provenance.deciding import Decider
    from policy.release.document import Release
    from policy.release.verifying import Judged, JudgedRun
    from runner.governed import Governed

_LARGEST = 1 << 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The release, and what decides."""
    add_release(parser)
    add_attest(parser)
    parser.add_argument("--format", choices=FORMATS, default="terminal")


def add_release(parser: argparse.ArgumentParser) -> None:
    """The release's document and the repository whose policy decides."""
    parser.add_argument("release", nargs="?", default="release.yaml", metavar="RELEASE", help="default: release.yaml")
    parser.add_argument("--repo", default=".", metavar="DIR", help="the repository whose trust.yaml decides")
    parser.add_argument("--target", metavar="REV", help="the revision that decides (default: the default branch's tip)")
    parser.set_defaults(policy=None)


@dataclass(frozen=True)
class Judgement:
    """A release, what it was judged by, and the verdict.

    ``folder``: that its paths are taken from. ``said``: where what decided was read, and ``commit``.
    ``config_data``: the bytes of maestro.yaml. ``governed``: the ledger.
    """

    release: Release
    folder: Path
    config: Config
    config_data: bytes
    said: str
    commit: str
    decided: Decider | MaestroError
    governed: Governed
    judged: Judged


def run(arguments: argparse.Namespace, world: World) -> int:
    """0 it may go out; 10 a part is refused; 1 none is, but one could not be judged.

    Raises:
        UsageError: release.yaml or maestro.yaml cannot be used.
    """
    from maestro.evidence.summary import summary_of
    from policy.release.words import as_json, as_markdown, as_text

    done = judge_named(arguments, world)
    judged = done.judged
    if arguments.format == "terminal":
        colour = world.colour(world.stdout)
        world.stdout.write(as_text(done.release, judged, policy=done.said, colour=colour))
    else:
        words = as_json if arguments.format == "json" else as_markdown
        world.stdout.write(words(done.release, judged, policy=done.said))
    if arguments.attest is not None:
        if isinstance(done.decided, MaestroError) or not judged.proven:
            raise UsageError("there is no file and no image that a summary could be about", remedy="leave --attest out")
        resource = arguments.resource or f"pkg:generic/{done.release.name}@{done.release.version}"
        statement = summary_of(
            judged.proven,
            resource,
            done.decided.decided_by(with_config=True),
            judged.evidence,
            world.now(),
            subjects=judged.subjects,
            holds=judged.holds,
            loosened=judged.loosened,
        )
        write_summary(arguments, world, statement)
    return judged.exit_code


def judge_named(arguments: argparse.Namespace, world: World) -> Judgement:
    """Judge the release that the command line names.

    Raises:
        UsageError: release.yaml or maestro.yaml cannot be used.
    """
    from maestro.commands.files import read_named
    from maestro.config import CONFIG_PATH, load_config
    from maestro.default_branch import default_branch_rev
    from maestro.oci.credentials import credentials_of
    from maestro.repository import Repository
    from policy.bundle.door import BundleDoor
    from policy.release.document import load_release
    from policy.release.verifying import Judges, judge
    from runner.governed import governed_at

    path = world.cwd / arguments.release
    release = load_release(arguments.release, read_named(path, arguments.release, _LARGEST))
    with Repository.open(world.cwd / arguments.repo, world.environ) as repository:
        branch = arguments.target or default_branch_rev(repository, world.environ)
        tip = repository.snapshot(branch)
        if CONFIG_PATH not in tip.entries:
            raise UsageError(f"there is no {CONFIG_PATH} at {branch}", remedy="`maestro init` writes one; merge it")
        config_data = tip.read(CONFIG_PATH)
        config = load_config(CONFIG_PATH, config_data)
        door = BundleDoor(repository.root, world.now(), world.environ)
        governed = governed_at(tip, config, repository.root)
    decided = _decided(arguments, tip.commit, world)
    said = CONFIG_PATH if isinstance(decided, MaestroError) else f"{CONFIG_PATH} and trust.yaml"
    judges = Judges(
        decided,
        door,
        image=partial(_image, world, credentials_of(world.environ)),
        run=partial(_run, folder=path.parent, governed=governed, world=world),
        tree=partial(_tree, governed.root, world),
        merged=partial(_merged, governed.root, world, tip.commit or ""),
    )
    judged = judge(release, path.parent, config, judges, world.now())
    commit = tip.commit or ""
    place = f"{said} at {branch} ({commit[:12]})"
    return Judgement(release, path.parent, config, config_data, place, commit, decided, governed, judged)


def _decided(arguments: argparse.Namespace, commit: str | None, world: World) -> Decider | MaestroError:
    """By the trust.yaml of the very commit that maestro.yaml is of."""
    from maestro.provenance.deciding import decided_by

    try:
        return decided_by(argparse.Namespace(**{**vars(arguments), "target": commit}), world)
    except MaestroError as error:
        return error


def _image(world: World, known: KnownCredentials, image: Reference, by: Decider) -> VerifiedImage:
    from maestro.commands.verify_image import verified

    return verified(image, by, world, known)


def _run(run_id: str, checkpoint: str, *, folder: Path, governed: Governed, world: World) -> JudgedRun:
    from runner.released_run import judged_run

    return judged_run(run_id, checkpoint, folder, governed, world)


def _tree(root: Path, world: World, commit: str) -> str | None:
    from maestro.repository import Repository

    try:
        with Repository.open(root, world.environ) as repository:
            return repository.snapshot(commit).tree_id()
    except MaestroError:
        return None


def _merged(root: Path, world: World, tip: str, commit: str) -> bool:
    from maestro.repository import Repository

    with Repository.open(root, world.environ) as repository:
        return repository.find(commit) == commit and repository.is_ancestor(commit, tip)
