"""``maestro verify release``: everything a release consists of, side by side, one verdict each."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from maestro.commands.attest import add_attest, write_summary
from maestro.errors import UsageError
from maestro.world import World

if TYPE_CHECKING:
    from maestro.config import Config
    from maestro.provenance.deciding import Decider
    from policy.release.document import Release
    from policy.release.verifying import Judged

_LARGEST = 1 << 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The release, and what decides."""
    add_release(parser)
    add_attest(parser)
    parser.add_argument("--format", choices=("terminal", "json"), default="terminal")


def add_release(parser: argparse.ArgumentParser) -> None:
    """The release's document and the repository whose policy decides."""
    parser.add_argument("release", nargs="?", default="release.yaml", metavar="RELEASE", help="default: release.yaml")
    parser.add_argument("--repo", default=".", metavar="DIR", help="the repository whose trust.yaml decides")
    parser.add_argument("--target", metavar="REV", help="the revision that decides (default: the default branch's tip)")
    parser.set_defaults(policy=None)


@dataclass(frozen=True)
class Judgement:
    """A release, what it was judged by, and the verdict. ``folder``: that its paths are taken from."""

    release: Release
    folder: Path
    config: Config
    decider: Decider | None
    judged: Judged


def run(arguments: argparse.Namespace, world: World) -> int:
    """0 it may go out, 10 it may not.

    Raises:
        UsageError: release.yaml or maestro.yaml cannot be used.
    """
    from maestro.evidence.summary import summary_of
    from policy.release.words import as_json, as_text

    done = judge_named(arguments, world)
    judged = done.judged
    words = as_json if arguments.format == "json" else as_text
    world.stdout.write(words(done.release, judged))
    if arguments.attest is not None:
        if done.decider is None or not judged.artifacts:
            raise UsageError("there is no artifact that a summary could be about", remedy="leave --attest out")
        resource = arguments.resource or f"pkg:generic/{done.release.name}@{done.release.version}"
        policy = done.decider.sha256
        statement = summary_of(judged.artifacts, resource, policy, judged.evidence, world.now(), holds=judged.holds)
        write_summary(arguments, world, statement)
    return 0 if judged.holds else 10


def judge_named(arguments: argparse.Namespace, world: World) -> Judgement:
    """Judge the release that the command line names.

    Raises:
        UsageError: release.yaml or maestro.yaml cannot be used.
    """
    from maestro.commands.files import read_named
    from maestro.config import CONFIG_PATH, load_config
    from maestro.provenance.deciding import decided_by
    from maestro.repository import Repository
    from policy.bundle.door import BundleDoor
    from policy.release.document import load_release
    from policy.release.verifying import judge

    path = world.cwd / arguments.release
    release = load_release(arguments.release, read_named(path, arguments.release, _LARGEST))
    with Repository.open(world.cwd / arguments.repo, world.environ) as repository:
        branch = arguments.target or repository.default_branch_rev(None)
        tip = None if branch is None else repository.snapshot(branch)
        if tip is None or CONFIG_PATH not in tip.entries:
            raise UsageError(f"there is no {CONFIG_PATH} at the policy revision", remedy="write one and merge it")
        config = load_config(CONFIG_PATH, tip.read(CONFIG_PATH))
        door = BundleDoor(repository.root, world.now(), world.environ)
    kept: list[Decider] = []

    def decider() -> Decider:
        kept.append(decided_by(arguments, world))
        return kept[0]

    judged = judge(release, path.parent, config, decider, door, world.now())
    return Judgement(release, path.parent, config, kept[0] if kept else None, judged)
