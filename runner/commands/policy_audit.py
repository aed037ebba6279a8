"""``maestro policy audit``: whether anything went round policy."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from maestro.default_branch import default_branch_rev
from maestro.errors import UsageError
from maestro.evidence.errors import BadEvidence
from maestro.evidence.trust import Trust, trust_of
from maestro.repository import Repository
from maestro.world import World
from runner import log_checking

if TYPE_CHECKING:
    from maestro.evidence.verdict import TreeVerdict
    from maestro.history import History
    from maestro.repository import Snapshot
    from runner.audit.judge import Audit

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--repo", metavar="DIR", default=".", help="the repository (default: the one around here)")
    parser.add_argument("--store", metavar="PLACE", help="a folder, s3://, gs:// or git+… (default: maestro.yaml's)")
    parser.add_argument(
        "--since",
        metavar="REV|DATE",
        help="merges after this commit, or from this day on, have records (default: since maestro.yaml came)",
    )
    log_checking.add_arguments(parser)
    parser.add_argument(
        "--verdict",
        metavar="FILE",
        nargs="+",
        default=[],
        help="verdicts that pull requests' jobs attested (`check --attest`), to be compared with merges and executions",
    )
    parser.add_argument(
        "--metrics", metavar="FILE", type=Path, help="write decisions and disagreements as OpenMetrics, in one step"
    )
    parser.add_argument("--format", choices=("terminal", "json"), default="terminal")


def run(arguments: argparse.Namespace, world: World) -> int:
    """0 it holds, 10 it does not.

    Raises:
        UsageError: no repository, no maestro.yaml on its default branch, a shallow clone, or no such revision or file.
        BadEvidence: the file named as a checkpoint is none, or a verdict is not believed.
        ToolFailure: the ledger cannot be read.
    """
    from runner.audit.report import as_json, as_metrics, as_text

    log_checking.refuse_nonsense(arguments)
    with Repository.open(world.cwd / arguments.repo, world.environ) as repository:
        branch = default_branch_rev(repository, world.environ)
        tip = repository.snapshot(branch)
        commit = repository.resolve(branch)
        history = repository.history(commit)
        first, since = _first(repository, history, commit, arguments.since)
        found = _audit(arguments, world, repository, tip, history, first, branch)
    if arguments.format == "json":
        said = as_json(found, branch=branch, tip=commit, since=since)
        world.stdout.write(json.dumps(said, indent=2, ensure_ascii=False) + "\n")
    else:
        world.stdout.write(as_text(found, branch=branch, tip=commit, since=since))
    if arguments.metrics is not None:
        from maestro.output_file import write

        write(world.cwd / arguments.metrics, as_metrics(found), "the metrics")
    return 10 if found.findings else 0


def _audit(
    arguments: argparse.Namespace,
    world: World,
    repository: Repository,
    tip: Snapshot,
    history: History,
    first: int,
    branch: str,
) -> Audit:
    from maestro.config import load_config
    from maestro.ledger.folder import FolderStore
    from maestro.ledger.log import Log
    from runner.audit.judge import UNCHECKED_RULE, audit
    from runner.audit.logged import completeness_of
    from runner.audit.packs_at import PacksAt
    from runner.audit.reading import read_ledger
    from runner.ledger_check import BREAK_GLASS_RULE
    from runner.looking import looked_at
    from runner.merged_waivers import subjects_waived

    if "maestro.yaml" not in tip.entries:
        raise UsageError(f"there is no maestro.yaml on {branch}", remedy="restore it: its keys say whom to believe")
    config = load_config("maestro.yaml", tip.read("maestro.yaml"))
    closed = subjects_waived(tip, config, BREAK_GLASS_RULE)
    answered = subjects_waived(tip, config, UNCHECKED_RULE)
    trust = trust_of(config.keys)
    attested = [_attested(world, name, trust) for name in arguments.verdict]
    with looked_at(arguments.store, config.ledger, world, repository.root) as (store, folder):
        log = log_checking.checked(
            arguments,
            world,
            Log(FolderStore(folder)),
            trust,
            authorities=config.ledger.timestamp_authorities,
            origin=config.ledger.origin,
        )
        ledger = read_ledger(store, folder, trust, lambda run_id: f"Run/{run_id}" in closed, log)
    packs = PacksAt(repository)
    packs.read(commit for commit in ledger.policy_revisions if commit in history)
    return audit(
        history,
        first,
        ledger,
        packs.at,
        answered=frozenset(subject.removeprefix("Commit/") for subject in answered if subject.startswith("Commit/")),
        branch=branch,
        completeness=completeness_of(log),
        attested=attested,
    )


def _attested(world: World, name: str, trust: Trust) -> TreeVerdict:
    from maestro.evidence.verdict import read_attested

    try:
        data = (world.cwd / name).read_bytes()
    except OSError as error:
        raise UsageError(f"the verdict cannot be read: {error.strerror}", where=name) from error
    try:
        return read_attested(data, trust)
    except BadEvidence as error:
        raise BadEvidence(f"the verdict is not believed: {error.message}", where=name, remedy=error.remedy) from error


def _first(repository: Repository, history: History, tip: str, since: str | None) -> tuple[int, str]:
    """From which place on the line merges have records, and the words for it."""
    adopted = repository.first_with(tip, "maestro.yaml")
    if adopted is None:
        raise UsageError(f"there is no maestro.yaml at {tip[:12]}", remedy="`maestro init` writes one; merge it")
    first = history.place[adopted] + 1  # nothing decided about the merge that brought it
    if since is None:
        return first, f"since {adopted[:12]}, which brought maestro.yaml"
    if _DAY.fullmatch(since):
        return max(first, _place_of_day(history, since)), f"since {since}"
    commit = repository.resolve(since)
    if commit not in history.place:
        raise UsageError(
            f"--since {since}: {commit[:12]} never was the tip of the default branch",
            remedy="name one of `git log --first-parent`, or a day as 2026-01-31",
        )
    return max(first, history.place[commit] + 1), f"since {commit[:12]}"


def _place_of_day(history: History, text: str) -> int:
    try:
        day = dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp()
    except ValueError as error:
        raise UsageError(f"--since {text}: there is no such day") from error
    # From the oldest on: a commit that claims to be older than those before it is not passed over.
    return next((place for place, one in enumerate(history.line) if one.committed >= day), len(history.line))
