"""``maestro trust propose``: the entry of trust.yaml that would allow what an attestation claims, for review."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING

from maestro.commands.verify_blob import evidence_in, subject_of
from maestro.commands.verify_image import add_plain_http, beside_image
from maestro.errors import SelectionError, ToolFailure
from maestro.provenance.deciding import repository_root
from maestro.world import World

if TYPE_CHECKING:
    from maestro.provenance.verify import Evidence, Subject


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The artifact and its attestation."""
    parser.add_argument("artifact", metavar="FILE|REF", help="a file, or without --bundle an image")
    parser.add_argument(
        "--bundle",
        metavar="FILE",
        help="a file's attestation: a Sigstore bundle, or a .jsonl of several; an image's lies beside it",
    )
    add_plain_http(parser)
    parser.add_argument("--repo", default=".", metavar="DIR", help="the repository whose trust.yaml it is for")


def run(arguments: argparse.Namespace, world: World) -> int:
    """Print the entry to standard output; what was claimed, and that nobody has verified it, to standard error.

    Raises:
        SelectionError: nothing is an attestation of the artifact, or there is none.
        ToolFailure: the registry cannot be asked.
        UsageError: it claims what no trust.yaml can allow.
    """
    from maestro.provenance.proposal import as_yaml, propose
    from maestro.provenance.reasons import NotProven
    from maestro.provenance.verify import UNANSWERED
    from maestro.report.visible_text import visible, without_log_commands

    subject, evidence = _claims(arguments, world)
    problems: list[NotProven | SelectionError] = []
    for one in evidence:
        try:
            if one.problem is not None:
                raise one.problem
            found = propose(subject, one.data)
        except (NotProven, SelectionError) as error:
            problems.append(error)
            continue
        claimed = "".join(f"  {what:<11}{visible(value)}\n" for what, value in found.claimed)
        said = f"# Claimed by {visible(one.name)}; NOTHING OF IT WAS VERIFIED:\n{claimed}"
        loosened = [*found.entry.get("loosen", {}), *(["minimum_level"] if "minimum_level" in found.entry else [])]
        if loosened:
            said += f"It could be allowed only by loosening {', '.join(loosened)}: is that meant?\n"
        if "key" in found.entry["builders"][0]:
            said += "The key itself is not in the bundle: get it from its owner, and list it under `keys`.\n"
        said += "Compare each line with what you know from elsewhere, add it to trust.yaml, and have it reviewed.\n"
        world.stderr.write(without_log_commands(said))
        world.stdout.write(as_yaml(found.entry))
        return 0
    unanswered = [one for one in problems if getattr(one, "code", None) == UNANSWERED]
    if unanswered:
        raise ToolFailure(unanswered[0].message, remedy=unanswered[0].remedy)
    message, remedy = (problems[0].message, problems[0].remedy) if problems else ("there is no bundle in it", None)
    raise SelectionError(message, where=arguments.bundle or arguments.artifact, remedy=remedy)


def _claims(arguments: argparse.Namespace, world: World) -> tuple[Subject, Iterable[Evidence]]:
    """The artifact, and what may claim something about it."""
    from maestro.evidence.trust import Trust
    from maestro.provenance.verify import Subject

    if arguments.bundle is not None:
        subject = subject_of(world.cwd, arguments.artifact, repository_root(arguments, world))
        return subject, evidence_in(world.cwd, arguments.bundle)
    image, evidence = beside_image(
        arguments.artifact,
        world,
        Trust({}),
        plain_http=arguments.plain_http,
        of_a_file="name its attestation: --bundle FILE",
    )
    return Subject(image.name, image.sha256 or ""), evidence
