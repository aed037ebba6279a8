"""``maestro trust update``: what another file for a root of trust.yaml would change, and the patch that pins it."""

from __future__ import annotations

import argparse
import hashlib
import re

from gates.governed.question import TRUST
from gates.repairs import Patch, unified
from maestro.errors import MaestroError, UsageError
from maestro.provenance.deciding import read_file, repository_root
from maestro.world import World


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which root, and the file that is to stand in its place."""
    parser.add_argument("id", nargs="?", metavar="ID", help="the root's id in trust.yaml (may be left out: the only)")
    parser.add_argument("--root", required=True, metavar="FILE", help="its operator's newer trusted_root.json")
    parser.add_argument("--repo", default=".", metavar="DIR", help="the repository whose trust.yaml it is for")


def run(arguments: argparse.Namespace, world: World) -> int:
    """Print the patch of trust.yaml to standard output, what changes in words to standard error. Writes nothing.

    Raises:
        UsageError: no such root, or a file that is no trusted root.
    """
    from maestro.provenance.root_changes import root_changes
    from maestro.provenance.trust_policy import load_trust_policy
    from maestro.provenance.trusted_root import load
    from maestro.report.visible_text import visible, without_log_commands

    top = repository_root(arguments, world) or world.cwd / arguments.repo
    data = read_file(top / TRUST, TRUST)
    policy = load_trust_policy(TRUST, data)
    known = [one for one in policy.roots if arguments.id in (None, one.id)]
    if len(known) != 1:
        ids = ", ".join(one.id for one in policy.roots) or "none"
        raise UsageError(f"which root? {TRUST} has: {ids}", remedy="name one: maestro trust update ID --root FILE")
    [root] = known
    given = read_file(world.cwd / arguments.root, arguments.root)
    new = load(given, name=root.id, where=arguments.root)
    digest = hashlib.sha256(given).hexdigest()
    if digest == root.sha256:
        world.stderr.write(f"the root {root.id} is this file already\n")
        return 0
    try:
        old = load(read_file(top / root.path, root.path), name=root.id, where=root.path, sha256=root.sha256)
        words = root_changes(old, new) or ["it believes the same: only its bytes differ"]
    except MaestroError as error:
        words = [f"what changes cannot be told: {error.message}"]
    said = "".join(f"  {visible(one)}\n" for one in words)
    said = f"the root {root.id} ({root.path}) by {visible(arguments.root)}:\n{said}"
    said += f"  sha256 {digest}\n    instead of {root.sha256}\n"
    if root.stale_after is not None and root.stale_after <= world.now():
        said += "  stale_after is past: move it, too\n"
    said += (
        "Where did you get the file? Compare its digest with the operator's, by another way. Then\n"
        f"  → copy it to {root.path}, apply the patch, and have both reviewed: nothing was written\n"
    )
    world.stderr.write(without_log_commands(said))
    text = data.decode("utf-8")
    world.stdout.writelines(unified(Patch(TRUST, text, re.sub(root.sha256, digest, text), 1)))
    return 0
