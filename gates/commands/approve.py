"""``maestro approve``: show a change to what decides, and sign it with the approver's own SSH key."""

from __future__ import annotations

import argparse
import datetime as dt
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from gates.approvals import (
    LONGEST,
    Approval,
    Statement,
    approvable,
    check_signature,
    file_name,
    needed_at,
    stamp,
    without_approvals,
)
from gates.approver import ApproverKey, approver_key, confirm, lifetime_of, principal_of, signature_of
from gates.approvers import Approvers, approvers_at
from gates.assemble import assemble
from gates.checking import Judge
from gates.decision_diff import in_short
from gates.governance import question_of
from gates.governed.changes import governed_changes
from gates.governed.question import GovernedChange
from gates.ssh_signatures import fingerprint_of
from maestro.change import ChangeSet, open_change
from maestro.errors import ToolFailure, UsageError
from maestro.report.visible_text import visible
from maestro.repository import Repository
from maestro.selection import SelectionOptions, select
from maestro.world import World
from policy.bundle.door import BundleDoor

USUAL = dt.timedelta(days=7)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="with --break-glass: the manifests to execute")
    parser.add_argument(
        "--break-glass", metavar="REASON", help="approve that they are executed in spite of what policy says"
    )
    parser.add_argument("--repo", metavar="DIR", default=".", help="the repository (default: the one around here)")
    parser.add_argument("--target", metavar="REV", help="the branch to be merged into: its tip decides")
    parser.add_argument("--head", metavar="REV", help="what is approved (default: the commit here)")
    parser.add_argument("--key", metavar="PATH", help="your SSH key (default: git's signing key, ~/.ssh, the agent)")
    parser.add_argument("--as", metavar="PRINCIPAL", dest="who", help="the name your key is listed with")
    parser.add_argument(
        "--expires", metavar="TIME", help="how long it holds: 7d, at most 30d; for --break-glass 4h, at most 24h"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(arguments: argparse.Namespace, world: World) -> int:
    """Show, ask, sign, write ``approvals/…json``, and say what comes next."""
    if arguments.break_glass is not None:
        from gates.commands.approve_break_glass import approve

        return approve(arguments, world)
    if arguments.names:
        raise UsageError(
            "names are for --break-glass; a change is approved as a whole",
            remedy="leave them out, or say why: --break-glass REASON",
        )
    lifetime = lifetime_of(arguments.expires, usual=USUAL, longest=LONGEST)
    head = arguments.head or "HEAD"
    with Repository.open(world.cwd / arguments.repo, world.environ) as repository:
        options = SelectionOptions(target=arguments.target, head=head)
        change = open_change(repository, select(options, world.environ, None))
        if repository.bare or repository.resolve("HEAD") != change.head.commit:
            raise UsageError(
                "an approval is committed onto what it approves, so that has to be checked out here",
                remedy=f"`git switch` to the branch of {head} first",
            )
        _refuse_stale(change)
        changes, approvers, diff = _governed(change, repository.root, world)
        if not changes:
            world.stdout.write("nothing here needs an approval: the change touches nothing that decides\n")
            return 0
        key = approver_key(arguments.key, approvers, repository.root, world)
        who = principal_of(arguments.who, key, approvers)
        covered = _covered(changes, approvers, who, key)
        statement = _statement(change, who, world.now(), lifetime)
        _show(world, change, changes, covered, statement, key, diff())
        if not arguments.yes:
            confirm("Approve exactly this?", world)
        path = _sign(change, statement, key, repository.root, world)
    branch = f"git add {path} && git commit -m 'Approve: {statement.subject.diff_digest[7:19]}' && git push"
    world.stdout.write(f"{path}\n")
    world.stderr.write(f"  → {branch}\n")
    return 0


def _refuse_stale(change: ChangeSet) -> None:
    if change.policy.commit is None:
        raise UsageError("there is no target yet, so nothing decides and nothing needs an approval")
    if change.base.commit != change.policy.commit:
        raise UsageError(
            "this branch does not contain the target's tip; an approval is for exactly what would be merged",
            remedy=f"bring it up to date first: `git merge {change.policy.commit[:12]}`, then approve",
        )


def _governed(
    change: ChangeSet, root: Path, world: World
) -> tuple[list[GovernedChange], Approvers, Callable[[], list[str]]]:
    """What would decide otherwise, who may approve it, and (when asked) what that does to decisions."""
    judge = Judge("auto", world)
    door = BundleDoor(root, world.now(), world.environ)
    scene = assemble(change, now=world.now(), decide=judge, approvals=lambda: (), gate_ids=(), door=door).scene
    judge.believe_lock_of(scene)
    if scene.change.preview:
        return [], approvers_at(change.policy, 1), list
    needed = needed_at(change.policy, scene.settings.config)
    return governed_changes(question_of(scene)), approvers_at(change.policy, needed), lambda: in_short(scene)


def _covered(
    changes: Sequence[GovernedChange], approvers: Approvers, who: str, key: ApproverKey
) -> tuple[GovernedChange, ...]:
    """The changes that this person may approve at least in part; whether the signature holds is seen later.

    Raises:
        UsageError: none of them.
    """
    would_be = Approval(who, "ssh", True, "", fingerprint_of(key.public), (who, *key.names))
    covered = tuple(one for one in changes if any(approvers.entitled(would_be, path) for path in one.paths))
    if not covered:
        owners = dict.fromkeys(
            owner for one in changes for path in one.paths for owner in approvers.owners.owners_of(path)
        )
        raise UsageError(
            f"{who} owns none of what decides in this change; its owners are {', '.join(owners)}",
            remedy=f"list your key in {approvers.signers_path} with such a name as well, or ask one of them",
        )
    return covered


def _statement(change: ChangeSet, who: str, now: dt.datetime, lifetime: dt.timedelta) -> Statement:
    subject = approvable(change)
    if subject is None:
        raise UsageError("there is no target yet, so nothing needs an approval")
    signed_at = now.astimezone(dt.UTC).replace(microsecond=0)
    return Statement(who, subject, signed_at, signed_at + lifetime)


def _show(
    world: World,
    change: ChangeSet,
    changes: Iterable[GovernedChange],
    covered: Sequence[GovernedChange],
    statement: Statement,
    key: ApproverKey,
    diff: Sequence[str],
) -> None:
    lines = [f"What decides would change, against {statement.subject.policy_revision[:12]}:", ""]
    for one in changes:
        place = one.location
        lines.append(visible(f"  {place.path}:{place.line}: {one.message}  [{one.rule.id}]"))
        if one not in covered:
            lines.append("      not yours to approve; somebody else has to as well")
    deciding = {path for one in changes for path in one.paths}
    others = sum(one.path not in deciding for one in without_approvals(change.changes))
    if others:
        lines.append(f"  and {others} more changed file{'' if others == 1 else 's'}, deciding nothing")
    lines += ["", *map(visible, diff)] if diff else []
    lines += [
        "",
        f"  policy revision  {statement.subject.policy_revision}",
        f"  tree             {statement.subject.head_tree}",
        f"  changes          {statement.subject.diff_digest}",
        f"  approved by      {visible(statement.who)}, {fingerprint_of(key.public)}",
        f"  holds until      {stamp(statement.expires)}",
        "",
    ]
    world.stderr.write("\n".join(lines))


def _sign(change: ChangeSet, statement: Statement, key: ApproverKey, root: Path, world: World) -> str:
    """Sign, verify as the check will, and write. The file's path in the repository."""
    signature = signature_of(statement.message(), key, world)
    name = file_name(statement)
    checked = check_signature(
        change.policy, statement, signature, path=name, environ=world.environ, now=statement.signed_at
    )
    if not checked.verified:
        raise UsageError(
            f"the target would not believe this approval: {checked.detail}", remedy="is --as a name of this very key?"
        )
    text = json.dumps({**statement.fields(), "signature": signature}, indent=1) + "\n"
    target = root / name
    if target.parent.is_symlink() or target.is_symlink():
        raise UsageError(f"{name} lies behind a symbolic link", remedy="an approval is a file in this repository")
    try:
        target.parent.mkdir(exist_ok=True)
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ToolFailure(f"the approval could not be written: {error.strerror}", where=name) from error
    return name
