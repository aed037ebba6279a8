"""``maestro schema``: JSON Schema of every kind, for editors and for other tools."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping

from maestro.errors import ToolFailure
from maestro.world import World


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A kind, or a folder to write all into."""
    parser.add_argument("kind", nargs="?", metavar="KIND", help="one kind alone; all in one schema unless given")
    parser.add_argument("--write", metavar="DIR", help="write one file per kind, and all.json, into this folder")


def run(arguments: argparse.Namespace, world: World) -> int:
    """Print a schema, or write all of them.

    Raises:
        UsageError: there is no such kind.
        ToolFailure: a file cannot be written.
    """
    files = schema_files()
    if arguments.kind is not None:
        files = {_file_name(arguments.kind, files): files[_file_name(arguments.kind, files)]}
    if arguments.write is None:
        world.stdout.write(files["all.json"] if arguments.kind is None else next(iter(files.values())))
        return 0
    folder = world.cwd / arguments.write
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ToolFailure(f"the schema cannot be written: {error.strerror}", where=arguments.write) from error
    world.stderr.write(f"wrote {', '.join(files)} to {arguments.write}\n")
    return 0


def _file_name(kind: str, files: Mapping[str, str]) -> str:
    from maestro.documents.refusal import nearest
    from maestro.errors import UsageError

    name = f"{kind.lower()}.json"
    if name not in files:
        known = [file.removesuffix(".json") for file in files]
        near = nearest(kind, known)
        hint = f"did you mean `{near}`?" if near else f"there are {', '.join(known)}"
        raise UsageError(f"there is no kind {kind!r}", remedy=hint)
    return name


def schema_files() -> dict[str, str]:
    """The text of every schema file by its name: one per kind or settings file, and ``all.json`` for every document."""
    from maestro.chain.layout_document import layout_schema
    from maestro.config import config_schema
    from maestro.documents.kinds import KINDS
    from maestro.documents.schema import schema, schema_all
    from maestro.provenance.trust_policy import trust_schema
    from policy.release.document import release_schema

    schemas = {f"{kind.lower()}.json": schema(kind) for kind in KINDS}
    schemas["config.json"] = config_schema()
    schemas["trust.json"] = trust_schema()
    schemas["layout.json"] = layout_schema()
    schemas["release.json"] = release_schema()
    schemas["all.json"] = schema_all()
    return {name: json.dumps(value, indent=2, ensure_ascii=False) + "\n" for name, value in schemas.items()}
