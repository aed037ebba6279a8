"""``maestro policy bundle verify``: whether a bundle may judge here, by the settings of the default branch."""

from __future__ import annotations

import argparse
import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING

from maestro.errors import UsageError
from maestro.world import World

if TYPE_CHECKING:
    from policy.bundle.verifying import Admitted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``policy bundle verify``."""
    parser.add_argument("file", type=Path, metavar="FILE", help="the signed bundle; FILE.sigstore.json is read with it")
    parser.add_argument(
        "--repo", type=Path, metavar="DIR", default=Path(), help="the repository that would load it (default: here)"
    )
    parser.add_argument("--format", choices=("terminal", "json"), default="terminal")


def run(arguments: argparse.Namespace, world: World) -> int:
    """0 it may judge, 10 it may not, 1 it cannot be told.

    Raises:
        UsageError: no such file, no repository, or no maestro.yaml on its default branch.
        Refused: it may not judge.
        ToolFailure: there is no revision to compare its own with.
    """
    from maestro.config import CONFIG_PATH, load_config
    from maestro.default_branch import default_branch_rev
    from maestro.repository import Repository
    from policy.bundle.door import BundleDoor
    from policy.bundle.reasons import Refused

    with Repository.open(world.cwd / arguments.repo, world.environ) as repository:
        branch = default_branch_rev(repository, world.environ)
        tip = repository.snapshot(branch)
        if CONFIG_PATH not in tip.entries:
            raise UsageError(
                f"there is no {CONFIG_PATH} on {branch}: nothing says whose signature counts",
                remedy="list the bundle's keys under `bundles` there, in a reviewed change",
            )
        config = load_config(CONFIG_PATH, tip.read(CONFIG_PATH))
        door = BundleDoor(repository.root, world.now(), world.environ)
    try:
        found = door.admit_file(world.cwd / arguments.file, config, str(arguments.file))
    except Refused as error:
        if arguments.format == "json":
            said = {"allowed": False, "code": error.code, "message": error.message, "remedy": error.remedy}
            world.stdout.write(json.dumps(said, indent=2) + "\n")
        error.where = error.where or str(arguments.file)
        raise
    world.stdout.write(_as_json(found) if arguments.format == "json" else _as_text(found, world.now()))
    return 0


def _as_json(found: Admitted) -> str:
    """What `show` says, with ``{"allowed", "key", "signed_at", "attested", "days_left"}``."""
    from policy.bundle.words import as_json

    value = {
        **as_json(found.manifest),
        "allowed": True,
        "key": found.key.id,
        "signed_at": found.signed_at.isoformat() if found.signed_at else None,
        "attested": found.attested,
        "days_left": found.days_left,
    }
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _as_text(found: Admitted, now: dt.datetime) -> str:
    from maestro.report.visible_text import visible
    from policy.bundle.words import as_lines

    when = f" on {found.signed_at:%Y-%m-%d}" if found.signed_at else ", no time given"
    lines = [
        *as_lines(found.manifest, now.astimezone(dt.UTC).date()),
        f"  signed by    {visible(found.key.id)}{when}",
        f"  statement    {'beside it, and it says the same' if found.attested else 'none beside it'}",
    ]
    if found.expires_soon:
        lines.append("  → it expires soon: build the next revision (`--from-revision` keeps the content) and sign it")
    return "\n".join(lines) + "\n"
