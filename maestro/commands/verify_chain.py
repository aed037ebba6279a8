"""``maestro verify chain``: whether every step of a release was done by whom the layout says, on what came before."""

from __future__ import annotations

import argparse
import hashlib
import os
from pathlib import Path

from maestro.errors import SelectionError
from maestro.world import World

_LARGEST_KEY = 64 << 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The layout, the links, whose layout it must be."""
    parser.add_argument("layout", metavar="LAYOUT", help="the signed in-toto layout")
    parser.add_argument("products", nargs="*", metavar="FILE", help="files that the last step must have recorded")
    parser.add_argument("--links", required=True, metavar="DIR", help="the folder that the steps' links lie in")
    parser.add_argument(
        "--key", action="append", required=True, metavar="FILE", help="a public key that signed the layout; repeatable"
    )


def run(arguments: argparse.Namespace, world: World) -> int:
    """0 it holds, 10 it does not.

    Raises:
        ChainRefused: it does not hold.
        SelectionError: a file that is not there.
    """
    from maestro.chain.reasons import ChainRefused
    from maestro.chain.verify import verify_chain
    from maestro.chain.words import as_lines
    from maestro.commands.files import open_named, read_named
    from maestro.evidence import public_key
    from maestro.evidence.strict_json import SIZE_LIMIT

    owners = [read_named(world.cwd / name, name, _LARGEST_KEY).decode("utf-8", "replace") for name in arguments.key]
    for name, pem in zip(arguments.key, owners, strict=True):
        public_key.load(pem, where=name)
    layout = read_named(world.cwd / arguments.layout, arguments.layout, SIZE_LIMIT)
    try:
        chain = verify_chain(layout, read_links(world.cwd / arguments.links, arguments.links), owners, world.now())
        for name in arguments.products:
            with os.fdopen(open_named(world.cwd / name, name), "rb") as file:
                chain.require(os.path.normpath(name), hashlib.file_digest(file, "sha256").hexdigest())
    except ChainRefused as error:
        error.message = f"{error.message} [{error.code}]"
        error.where = error.where or arguments.layout
        raise
    first, *others = as_lines(chain)
    world.stdout.write("\n".join((f"✔ the chain holds: {first}", *(f"    {line}" for line in others))) + "\n")
    return 0


def read_links(folder: Path, shown: str) -> dict[str, bytes]:
    """The ``*.link`` files of a folder by name.

    Raises:
        SelectionError: there is no such folder, or one of them is not an ordinary file.
    """
    from maestro.commands.files import read_named
    from maestro.evidence.strict_json import SIZE_LIMIT

    try:
        names = sorted(path.name for path in folder.iterdir() if path.name.endswith(".link"))
    except OSError as error:
        raise SelectionError(
            f"cannot be read: {error.strerror}", where=shown, remedy="name the links' folder"
        ) from error
    return {name: read_named(folder / name, f"{shown}/{name}", SIZE_LIMIT) for name in names}
