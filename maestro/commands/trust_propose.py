"""``maestro trust propose``: the entry of trust.yaml that would allow what an attestation claims, for review."""

from __future__ import annotations

import argparse

from maestro.commands.verify_blob import evidence_in, subject_of
from maestro.errors import SelectionError
from maestro.provenance.deciding import repository_root
from maestro.world import World


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The artifact and its attestation."""
    parser.add_argument("file", metavar="FILE", help="the artifact")
    parser.add_argument(
        "--bundle", required=True, metavar="FILE", help="its attestation: a Sigstore bundle, or a .jsonl of several"
    )
    parser.add_argument("--repo", default=".", metavar="DIR", help="the repository whose trust.yaml it is for")


def run(arguments: argparse.Namespace, world: World) -> int:
    """Print the entry to standard output; what was claimed, and that nobody has verified it, to standard error.

    Raises:
        SelectionError: nothing in the bundle is an attestation of the file.
        UsageError: it claims what no trust.yaml can allow.
    """
    from maestro.provenance.proposal import as_yaml, propose
    from maestro.provenance.reasons import NotProven
    from maestro.report.visible_text import visible, without_log_commands

    subject = subject_of(world.cwd, arguments.file, repository_root(arguments, world))
    problem: Exception | None = None
    for one in evidence_in(world.cwd, arguments.bundle):
        try:
            found = propose(subject, one.data)
        except (NotProven, SelectionError) as error:
            problem = problem or error
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
    message = getattr(problem, "message", None) or "there is no bundle in it"
    raise SelectionError(message, where=arguments.bundle, remedy=getattr(problem, "remedy", None))
