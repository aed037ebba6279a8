"""``--attest FILE``: the verdict of a verification, signed, as a verification summary."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from maestro.errors import ToolFailure, UsageError
from maestro.world import World

if TYPE_CHECKING:
    from maestro.evidence.statement import Statement
    from maestro.provenance.verify import Subject


def add_attest(parser: argparse.ArgumentParser) -> None:
    """``--attest``, and what it needs."""
    parser.add_argument(
        "--attest", metavar="FILE", help="write a signed verification summary (SLSA VSA) of the verdict"
    )
    parser.add_argument("--resource", metavar="URI", help="what the summary is about (default: made from its name)")
    parser.add_argument("--key", metavar="FILE", help="the key that signs it (or MAESTRO_SIGNING_KEY)")


def resource_of(subjects: Sequence[Subject]) -> str:
    """The package URL of a single file.

    Raises:
        UsageError: there are several.
    """
    from urllib.parse import quote

    if len(subjects) != 1:
        raise UsageError("a summary of several files needs one name for them", remedy="give --resource URI")
    return f"pkg:generic/{quote(subjects[0].name.rpartition('/')[2])}?checksum=sha256:{subjects[0].sha256}"


def write_summary(arguments: argparse.Namespace, world: World, statement: Statement) -> None:
    """Sign it and write it.

    Raises:
        KeyProblem: there is no key to sign with.
        ToolFailure: the file cannot be written.
    """
    from maestro.evidence.ecdsa_signer import find
    from maestro.evidence.signer import sign_statement

    signer = find(arguments.key, world.environ, world.cwd)
    try:
        (world.cwd / arguments.attest).write_bytes(sign_statement(statement, signer))
    except OSError as error:
        raise ToolFailure(f"the summary cannot be written: {error.strerror}", where=arguments.attest) from error
