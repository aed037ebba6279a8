"""``maestro policy bundle show``: what a bundle says of itself. Nothing of it is believed by that."""

from __future__ import annotations

import argparse
import datetime as dt
import json
from pathlib import Path

from maestro.world import World


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``policy bundle show``."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a bundle, signed or not")
    parser.add_argument("--format", choices=("terminal", "json"), default="terminal")


def run(arguments: argparse.Namespace, world: World) -> int:
    """0 when it could be read.

    Raises:
        UsageError: there is no such file.
        Refused: it is no bundle of ours.
    """
    from maestro.report.visible_text import visible
    from policy.bundle import manifest
    from policy.bundle.archive_reading import read
    from policy.bundle.files import read_bundle
    from policy.bundle.reasons import Refused
    from policy.bundle.signatures import SIGNATURES
    from policy.bundle.words import as_json, as_lines, listed

    try:
        files = read(read_bundle(world.cwd / arguments.file))
        said = manifest.parse(files.get(manifest.MANIFEST))
    except Refused as error:
        error.where = error.where or str(arguments.file)
        raise
    rows = listed(files)
    if arguments.format == "json":
        value = {**as_json(said), "signed": SIGNATURES in files, "files": rows}
        world.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
        return 0
    lines = [*as_lines(said, world.now().astimezone(dt.UTC).date()), ""]
    lines += [f"{row['size']:>8}  {row['digest'][:19]}  {visible(row['name'])}" for row in rows]
    world.stdout.write("\n".join(lines) + "\n")
    signed = (
        "signed; `maestro policy bundle verify` tells whether that is worth anything"
        if SIGNATURES in files
        else "not signed"
    )
    world.stderr.write(f"this is what it says of itself ({signed})\n")
    return 0
