"""``maestro waive``: write the waiver document for one finding."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import re
from pathlib import Path

from maestro.documents import parse
from maestro.errors import ToolFailure, UsageError
from maestro.world import World


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("rule", metavar="RULE", help="the rule's id, as the finding shows it")
    parser.add_argument("subject", metavar="SUBJECT", help="what it was found on: Kind/name, or a path")
    parser.add_argument("--until", metavar="DATE", required=True, help="the last day it holds (YYYY-MM-DD)")
    parser.add_argument("--reason", metavar="TEXT", required=True, help="why it may wait")
    parser.add_argument("--repo", metavar="DIR", default=".", help="the repository (default: here)")


def run(arguments: argparse.Namespace, world: World) -> int:
    """Write ``waivers/<name>.yaml`` and say what comes next."""
    try:
        until = dt.date.fromisoformat(arguments.until)
    except ValueError as error:
        raise UsageError(f"--until wants a date such as 2027-01-31, not {arguments.until!r}") from error
    if until < world.now().astimezone(dt.UTC).date():
        raise UsageError(f"--until {until} lies in the past; such a waiver never holds")
    if "/" not in arguments.rule:
        raise UsageError(
            f"{arguments.rule!r} is not a rule's id",
            remedy="an id looks like mc.flags/missing_ttl; the finding shows it",
        )
    name = document_name(arguments.rule, arguments.subject)
    text = document(name, arguments.rule, arguments.subject, until, arguments.reason)
    path = Path("waivers") / f"{name}.yaml"
    for problem in parse(str(path), text.encode()).problems:
        raise UsageError(problem.message)
    target = world.cwd / arguments.repo / path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise UsageError(f"{path} is already there", remedy="edit its `until`, or remove it first") from error
    except OSError as error:
        raise ToolFailure(f"{path} could not be written: {error.strerror}") from error
    world.stdout.write(f"{path}\n")
    world.stderr.write("  → commit it and open a pull request; it holds once it is merged, until its last day\n")
    return 0


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
