"""``maestro evidence pack``: what proves a release, in one folder for an auditor."""

from __future__ import annotations

import argparse

from maestro.errors import MaestroError, ToolFailure, UsageError
from maestro.world import World
from runner.commands.verify_release import add_release, judge_named


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The release, where to, who signs the summary."""
    add_release(parser)
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="a folder that does not exist yet")
    parser.add_argument("--key", metavar="FILE", help="the key that signs the summary (or MAESTRO_SIGNING_KEY)")


def run(arguments: argparse.Namespace, world: World) -> int:
    """0 packed, 10 the release does not hold, 1 it could not be judged.

    Raises:
        UsageError: the folder exists, or release.yaml or maestro.yaml cannot be used.
        ToolFailure: it cannot be written.
    """
    from maestro.evidence.ecdsa_signer import find
    from maestro.repository import Repository
    from policy.release.packing import Given, pack
    from policy.release.words import as_text
    from runner.released_run import files_of_run

    folder = world.cwd / arguments.output
    if folder.exists():
        raise UsageError("the folder exists", where=arguments.output, remedy="name a new one")
    signer = find(arguments.key, world.environ, world.cwd)
    done = judge_named(arguments, world)
    world.stdout.write(as_text(done.release, done.judged, policy=done.said, colour=world.colour(world.stdout)))
    if not done.judged.holds:
        return done.judged.exit_code
    roots = {}
    decider = None if isinstance(done.decided, MaestroError) else done.decided
    if decider is not None:
        with Repository.open(world.cwd / arguments.repo, world.environ) as repository:
            tip = repository.snapshot(done.commit)
            roots = {one.id: tip.read(one.path) for one in decider.policy.roots}
    named = done.release.receipts
    runs = {one: files_of_run(one, done.governed, world) for one in (named.runs if named is not None else ())}
    given = Given(
        done.release,
        done.folder,
        done.config,
        done.config_data,
        done.commit,
        decider,
        done.judged,
        roots,
        runs,
    )
    files = pack(given, signer, world.now())
    try:
        for name, data in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    except OSError as error:
        raise ToolFailure(f"the pack cannot be written: {error.strerror}", where=arguments.output) from error
    world.stderr.write(f"{len(files)} files in {arguments.output}; README.md says what to run\n")
    return 0
