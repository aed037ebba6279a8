"""``maestro policy bundle sign``: OPA's signature inside the bundle, and a statement for auditors beside it."""

from __future__ import annotations

import argparse
from pathlib import Path

from maestro.errors import UsageError
from maestro.world import World
from policy.commands.bundle_build import UNSIGNED


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``policy bundle sign``."""
    parser.add_argument("file", type=Path, metavar="FILE", help="what `maestro policy bundle build` wrote")
    parser.add_argument("--key", metavar="FILE", help="the signing key (or MAESTRO_SIGNING_KEY)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: FILE without `.unsigned`")


def run(arguments: argparse.Namespace, world: World) -> int:
    """0 when both files are written.

    Raises:
        UsageError: no key, or nowhere to write.
        Refused: the file is no bundle of ours.
    """
    from maestro.evidence.ecdsa_signer import find
    from policy.bundle.files import read_bundle, write_file
    from policy.bundle.signing import sign
    from policy.bundle.statement import ENDING

    given: Path = arguments.file
    output: Path | None = arguments.output
    if output is None:
        if not given.name.endswith(UNSIGNED):
            raise UsageError(
                f"where shall the signed bundle go? {given} is not named *{UNSIGNED}", remedy="give -o FILE"
            )
        output = given.with_name(given.name.removesuffix(UNSIGNED) + ".tar.gz")
    signer = find(arguments.key, world.environ, world.cwd)
    signed, attestation, said = sign(read_bundle(world.cwd / given), output.name, signer, world.now())
    write_file(world.cwd / output, signed)
    write_file((world.cwd / output).with_name(output.name + ENDING), attestation)
    world.stdout.write(f"{output}\n{output}{ENDING}\n")
    world.stderr.write(
        f"{said.contents.name} revision {said.revision}, signed by {signer.key_id}\n"
        f"  → publish both files; whoever loads it lists that key under `bundles` in maestro.yaml\n"
    )
    return 0
