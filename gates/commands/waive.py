"""``maestro waive``: write the waiver document for one finding."""

from __future__ import annotations

import argparse
import datetime as dt
import difflib
import json
import os
import re
from pathlib import Path

from gates.assemble import settings_at
from gates.scene import Settings
from gates.waivers import EXPLANATIONS, rule_ids
from maestro import output_file
from maestro.documents import parse
from maestro.errors import ToolFailure, UsageError
from maestro.repository import Repository
from maestro.world import World
from policy.bundle.door import BundleDoor


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("rule", metavar="RULE", help="the rule's id, as the finding shows it")
    parser.add_argument("subject", metavar="SUBJECT", help="what it was found on: Kind/name, or a path")
    parser.add_argument("--until", metavar="DATE", required=True, help="the last day it holds (YYYY-MM-DD)")
    parser.add_argument("--reason", metavar="TEXT", required=True, help="why it may wait")
    parser.add_argument("--repo", metavar="DIR", default=".", help="the repository (default: the one around here)")


def run(arguments: argparse.Namespace, world: World) -> int:
    """Write the waiver among the waivers and say what comes next."""
    today = world.now().astimezone(dt.UTC).date()
    until = _day(arguments.until, today)
    with Repository.open(world.cwd / arguments.repo, world.environ) as repository:
        door = BundleDoor(repository.root, world.now(), world.environ)
        settings = settings_at(repository.worktree(), day=today, door=door)
        _refuse_unknown(arguments.rule, settings)
        name = document_name(arguments.rule, arguments.subject)
        text = document(name, arguments.rule, arguments.subject, until, arguments.reason)
        path = Path(folder_for(settings.config.documents)) / f"{name}.yaml"
        for problem in parse(str(path), text.encode("utf-8", "replace")).problems:
            raise UsageError(problem.message, remedy=problem.remedy or problem.rule.remedy)
        _write(repository.root / path, path, text)
    world.stdout.write(f"{path}\n")
    world.stderr.write("  → commit it and open a pull request; it holds once it is merged, until its last day\n")
    return 0


def _day(text: str, today: dt.date) -> dt.date:
    try:
        until = dt.date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--until wants a date such as 2027-01-31, not {text!r}") from error
    if until < today:
        raise UsageError(f"--until {until} lies in the past; such a waiver never holds", remedy="choose a later day")
    return until


def _refuse_unknown(rule: str, settings: Settings) -> None:
    """A pack's results may carry a `rule` member of their own, so any name within a pack's namespace may exist."""
    known = rule_ids([settings]) | EXPLANATIONS
    if rule in known or rule.rpartition("/")[0] in {pack.name for pack in settings.packs.packs}:
        return
    near = difflib.get_close_matches(rule, sorted(known), 1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise UsageError(f"there is no rule {rule!r} here", remedy=f"{hint}write the id as the finding shows it")


def folder_for(patterns: tuple[str, ...] | list[str]) -> str:
    """Where waivers live by the patterns of maestro.yaml: the folder of the first that speaks of waivers."""
    for pattern in patterns:
        folder = pattern.split("*", 1)[0].strip("/")
        if folder.rpartition("/")[2] == "waivers":
            return folder
    return "waivers"


def _write(target: Path, path: Path, text: str) -> None:
    if os.path.lexists(target):
        raise UsageError(f"{path} is already there", remedy="edit its `until`, or remove it first")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ToolFailure(f"the waiver could not be written: {error.strerror}", where=str(target)) from error
    output_file.write(target, text, "the waiver")


def document_name(rule: str, subject: str) -> str:
    """A valid document name that tells rule and subject: ``flags-missing-ttl-checkout-v2``."""
    words = re.sub(r"[^a-z0-9]+", "-", f"{rule.removeprefix('mc.')} {subject.rpartition('/')[2]}".lower())
    return words.strip("-")[:63].strip("-")


def document(name: str, rule: str, subject: str, until: dt.date, reason: str) -> str:
    """The waiver as YAML; every text is quoted as JSON, which YAML reads the same."""

    def quoted(text: str) -> str:
        return json.dumps(text, ensure_ascii=False)

    return (
        "apiVersion: maestro-conductor/v1\n"
        "kind: Waiver\n"
        f"metadata: {{name: {name}}}\n"
        "spec:\n"
        f"  rule: {quoted(rule)}\n"
        f"  subject: {quoted(subject)}\n"
        f"  until: {until.isoformat()}\n"
        f"  reason: {quoted(reason)}\n"
    )
