"""``maestro chain record STEP … -- COMMAND``: run a step, and sign what it took and what it made."""

from __future__ import annotations

import argparse

from maestro.errors import MaestroError, ToolFailure, UsageError
from maestro.world import World

TAKES_COMMAND = True
_OWN_KEY = ("MAESTRO_SIGNING_KEY", "MAESTRO_SIGNING_KEY_FILE")


class StepFailed(MaestroError):
    """The step's command failed; nothing is recorded."""

    exit_code = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The step, what is recorded, who signs; what follows ``--`` is run."""
    parser.usage = (
        "%(prog)s STEP [--materials PATH …] [--products PATH …] --links DIR [--key FILE] (-- COMMAND … | --no-command)"
    )
    parser.add_argument("step", metavar="STEP", help="its name in the layout")
    for name, when in (("materials", "before"), ("products", "after")):
        parser.add_argument(
            f"--{name}",
            nargs="+",
            action="extend",
            default=[],
            metavar="PATH",
            help=f"files and folders to record {when} the command",
        )
    parser.add_argument(
        "--exclude", action="append", default=[], metavar="PATTERN", help="left out, like **/node_modules; repeatable"
    )
    parser.add_argument("--links", required=True, metavar="DIR", help="the folder that the link is written to")
    parser.add_argument("--key", metavar="FILE", help="the step's own signing key (or MAESTRO_SIGNING_KEY)")
    parser.add_argument("--no-command", action="store_true", help="record what lies there, and run nothing")


def run(arguments: argparse.Namespace, world: World) -> int:
    """0 recorded, 10 the command failed.

    Raises:
        StepFailed: the command failed.
        UsageError: nothing to run or to record, or no key.
        SelectionError: something to record is not there.
        ToolFailure: the link cannot be written.
    """
    from maestro.chain.reading import STEP_NAME
    from maestro.chain.recording import artifacts, link
    from maestro.chain.signing import sign
    from maestro.counting import many
    from maestro.evidence.ecdsa_signer import find
    from maestro.output_file import write
    from maestro.patterns import PatternError, compile_patterns
    from maestro.process import run_attached

    command: list[str] = arguments.command
    if bool(command) == arguments.no_command:
        raise UsageError(
            "there is a command and --no-command" if command else "there is no command to run",
            remedy="write the command after ` -- `, or --no-command for what was done already",
        )
    if not arguments.materials and not arguments.products:
        raise UsageError("nothing would be recorded", remedy="name --materials, --products or both")
    try:
        excluded = compile_patterns(arguments.exclude)
    except PatternError as error:
        raise UsageError(f"a pattern of --exclude must {error}") from error
    if not STEP_NAME.fullmatch(arguments.step):
        raise UsageError(f"{arguments.step!r} is no step's name", remedy="take letters, digits, - and _")
    for text in (*command, world.environ.get("GITHUB_SHA", "")):
        if not _is_utf8(text):
            raise UsageError(f"{text!a} is not UTF-8, and a link is", remedy="give it another name")
    signer = find(arguments.key, world.environ, world.cwd)

    materials = artifacts(world.cwd, arguments.materials, excluded)
    if command:
        # The step's command must not find the key of its step where everybody looks first.
        environ = {name: value for name, value in world.environ.items() if name not in _OWN_KEY}
        ended = run_attached(command, env=environ, cwd=world.cwd)
        if ended != 0:
            how = f"was ended by signal {-ended}" if ended < 0 else f"ended with {ended}"
            raise StepFailed(
                f"{command[0]} {how}; the step {arguments.step} is not recorded", remedy="see what it says"
            )
    products = artifacts(world.cwd, arguments.products, excluded)
    signed, key = sign(link(arguments.step, materials, products, command, world.environ), signer)
    folder = world.cwd / arguments.links
    name = f"{arguments.step}.{key[:8]}.link"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ToolFailure(f"the link cannot be written: {error.strerror}", where=arguments.links) from error
    write(folder / name, signed.decode("ascii"), "the link")
    world.stderr.write(
        f"{arguments.step}: {many(len(materials), 'material')} and {many(len(products), 'product')} recorded, "
        f"signed with the key {key[:8]}\n  → {arguments.links.rstrip('/')}/{name}\n"
    )
    return 0


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
