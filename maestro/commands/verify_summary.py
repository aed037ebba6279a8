"""``maestro verify summary``: whether somebody we believe has verified a file before, with success."""

from __future__ import annotations

import argparse
import hashlib
import os
from dataclasses import dataclass

from maestro.world import World

_LARGEST_KEY = 64 << 10


@dataclass(frozen=True)
class _Given:
    """A key that the command line believes, at any time."""

    id: str
    public_key: str
    valid_from: None = None
    valid_until: None = None
    revoked_at: None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The file, its summary, whose and what it must be."""
    parser.add_argument("file", metavar="FILE", help="the artifact")
    parser.add_argument("--summary", required=True, metavar="FILE", help="what `--attest` wrote")
    parser.add_argument("--resource", required=True, metavar="URI", help="what it must be about")
    parser.add_argument("--key", required=True, metavar="FILE", help="the public key of whoever verified")
    parser.add_argument(
        "--level", type=int, choices=range(4), default=3, help="the SLSA build level wanted (default 3)"
    )


def run(arguments: argparse.Namespace, world: World) -> int:
    """0 it holds, 10 it does not.

    Raises:
        BadEvidence: it does not.
    """
    from maestro.commands.files import open_named, read_named
    from maestro.evidence.strict_json import SIZE_LIMIT
    from maestro.evidence.summary import read_summary
    from maestro.evidence.trust import trust_of
    from maestro.report.visible_text import visible

    pem = read_named(world.cwd / arguments.key, arguments.key, _LARGEST_KEY).decode("utf-8", "replace")
    data = read_named(world.cwd / arguments.summary, arguments.summary, SIZE_LIMIT)
    with os.fdopen(open_named(world.cwd / arguments.file, arguments.file), "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    trust = trust_of([_Given(arguments.key, pem)], file=arguments.key)
    said = read_summary(data, trust, sha256=digest, resource=arguments.resource, level=arguments.level, now=world.now())
    world.stdout.write(
        visible(f"✔ {arguments.file} was verified at {said['timeVerified']}: {said['verifiedLevels'][0]}") + "\n"
    )
    return 0
