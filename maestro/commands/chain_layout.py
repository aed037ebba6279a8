"""``maestro chain layout``: write and sign the in-toto layout that layout.yaml describes."""

from __future__ import annotations

import argparse

from maestro.errors import ToolFailure
from maestro.world import World

_LARGEST = 1 << 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The document, who signs, where to."""
    parser.add_argument("document", nargs="?", default="layout.yaml", metavar="FILE", help="default: layout.yaml")
    parser.add_argument("--key", metavar="FILE", help="the owner's signing key (or MAESTRO_SIGNING_KEY)")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the signed layout")


def run(arguments: argparse.Namespace, world: World) -> int:
    """0 when it is written.

    Raises:
        UsageError: the document or a key cannot be used.
        ChainRefused: no chain would ever hold by it.
        ToolFailure: it cannot be written.
    """
    from maestro.chain.layout_document import load_layout
    from maestro.chain.reading import read_layout
    from maestro.chain.reasons import ChainRefused
    from maestro.chain.signing import sign
    from maestro.chain.verify import together
    from maestro.chain.words import no_separation
    from maestro.chain.writing import layout_of
    from maestro.commands.files import read_named
    from maestro.evidence.ecdsa_signer import find
    from maestro.output_file import write
    from maestro.report.visible_text import visible

    path = world.cwd / arguments.document
    document = load_layout(arguments.document, read_named(path, arguments.document, _LARGEST))
    names = dict.fromkeys(name for step in document.steps for name in step.keys)
    made = layout_of(document, {name: read_named(path.parent / name, name, _LARGEST) for name in names})
    signed, owner = sign(made, find(arguments.key, world.environ, world.cwd))
    try:
        layout = read_layout(signed)
        if layout.expires <= world.now():
            raise ChainRefused("chain/layout-expired", f"it expired at {layout.expires:%Y-%m-%d %H:%M} UTC")
    except ChainRefused as error:
        error.where = arguments.document
        raise
    output = world.cwd / arguments.output
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ToolFailure(f"the layout cannot be written: {error.strerror}", where=arguments.output) from error
    write(output, signed.decode("ascii"), "the layout")
    width = max(len(step.name) for step in document.steps)
    world.stdout.write(
        f"{arguments.output}: signed with the key {owner[:8]}, in force until {layout.expires:%F %R} UTC\n"
    )
    for step, asked in zip(document.steps, layout.steps, strict=True):
        keys = ", ".join(f"{name} ({key[:8]})" for name, key in zip(step.keys, asked.keys, strict=True))
        number = f"{asked.threshold} of " if len(asked.keys) > 1 else ""
        world.stdout.write(visible(f"  {step.name:<{width}}  {number}{keys}") + "\n")
    for line in no_separation(together(layout, {})):
        world.stdout.write(f"  {line}\n")
    return 0
