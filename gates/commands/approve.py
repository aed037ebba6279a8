"""``maestro approve``: show a change to what decides, and sign it with the approver's own SSH key."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gates.approvals import (
    LONGEST,
    NAMESPACE,
    Approval,
    Statement,
    approvable,
    check_signature,
    file_name,
    stamp,
    without_approvals,
)
from gates.assemble import assemble
from gates.governance import Approvers, approvers_at, question_of
from gates.governed.changes import governed_changes
from gates.governed.question import GovernedChange
from gates.ssh_signatures import agent_keys, fingerprint_of, plain_principal, public_key_of, sign
from maestro.change import ChangeSet, open_change
from maestro.errors import ToolFailure, UsageError
from maestro.git_command import Git
from maestro.report.visible_text import visible
from maestro.repository import Repository
from maestro.selection import SelectionOptions, select
from maestro.world import World

_DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_ed25519_sk", "id_ecdsa_sk", "id_rsa")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True)
class _Key:
    """A key to sign with: where it is (None: in the agent), its public line, the names it is listed with."""

    path: Path | None
    public: str
    names: tuple[str, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--repo", metavar="DIR", default=".", help="the repository (default: the one around here)")
    parser.add_argument("--target", metavar="REV", help="the branch to be merged into: its tip decides")
    parser.add_argument("--head", metavar="REV", default="HEAD", help="what is approved (default: the commit here)")
    parser.add_argument("--key", metavar="PATH", help="your SSH key (default: git's signing key, ~/.ssh, the agent)")
    parser.add_argument("--as", metavar="PRINCIPAL", dest="who", help="the name your key is listed with")
    parser.add_argument("--expires", metavar="TIME", default="7d", help="how long it holds: 12h, 7d, at most 30d")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(arguments: argparse.Namespace, world: World) -> int:
    """Show, ask, sign, write ``approvals/…json``, and say what comes next."""
    lifetime = _lifetime(arguments.expires)
    with Repository.open(world.cwd / arguments.repo, world.environ) as repository:
        options = SelectionOptions(target=arguments.target, head=arguments.head)
        change = open_change(repository, select(options, world.environ, None))
        if repository.bare or repository.resolve("HEAD") != change.head.commit:
            raise UsageError(
                "an approval is committed onto what it approves, so that has to be checked out here",
                remedy=f"`git switch` to the branch of {arguments.head} first",
            )
        _refuse_stale(change)
        changes, approvers = _governed(change, world)
        if not changes:
            world.stdout.write("nothing here needs an approval: the change touches nothing that decides\n")
            return 0
        key = _key(arguments.key, approvers, repository.root, world)
        who = _who(arguments.who, key, approvers)
        covered = _covered(changes, approvers, who, key)
        statement = _statement(change, who, world.now(), lifetime)
        _show(world, change, changes, covered, statement, key)
        if not arguments.yes:
            _confirm(world)
        path = _sign(change, statement, key, repository.root, world)
    branch = f"git add {path} && git commit -m 'Approve: {statement.subject.diff_digest[7:19]}' && git push"
    world.stdout.write(f"{path}\n")
    world.stderr.write(f"  → {branch}\n")
    return 0


def _lifetime(text: str) -> dt.timedelta:
    found = re.fullmatch(r"([1-9][0-9]{0,3})([hdw])", text, re.ASCII)
    lifetime = dt.timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else None
    if lifetime is None or lifetime > LONGEST:
        raise UsageError(f"--expires wants a time such as 12h or 7d, at most {LONGEST.days}d, not {text!r}")
    return lifetime


def _refuse_stale(change: ChangeSet) -> None:
    if change.policy.commit is None:
        raise UsageError("there is no target yet, so nothing decides and nothing needs an approval")
    if change.base.commit != change.policy.commit:
        raise UsageError(
            "this branch does not contain the target's tip; an approval is for exactly what would be merged",
            remedy=f"bring it up to date first: `git merge {change.policy.commit[:12]}`, then approve",
        )


def _governed(change: ChangeSet, world: World) -> tuple[list[GovernedChange], Approvers]:
    def decide(*_: object) -> list[object]:
        raise ToolFailure("nothing is decided while approving")

    scene = assemble(change, now=world.now(), decide=decide, approvals=lambda: (), gate_ids=()).scene  # type: ignore[arg-type]
    if scene.change.preview:
        return [], approvers_at(change.policy, 1)
    return governed_changes(question_of(scene)), approvers_at(change.policy, scene.settings.config.approvals)


def _key(asked: str | None, approvers: Approvers, root: Path, world: World) -> _Key:
    """The key that was asked for, or the first of the usual ones that may approve.

    Raises:
        UsageError: it is not in allowed_signers of the policy revision, or there is none.
    """
    listed = ", ".join(dict.fromkeys(name for signer in approvers.signers for name in signer.principals))
    if not listed:
        raise UsageError(
            f"nobody may approve yet: the target has no {approvers.signers_path}",
            remedy=f'merge one with a line like `you@example.com namespaces="{NAMESPACE}" ssh-ed25519 AAAA…`',
        )
    tried = []
    for path, public in _keys(asked, root, world):
        fingerprint = fingerprint_of(public)
        mine = [one for one in approvers.signers if one.fingerprint == fingerprint and not one.authority]
        if mine or (asked and "-cert-" in public.split()[0]):
            names = dict.fromkeys(name for one in mine for name in one.principals if plain_principal(name))
            return _Key(path, public, tuple(names))
        tried.append(f"{path or 'agent'} ({fingerprint})")
    what = f"not in {approvers.signers_path} of the target: " + ", ".join(tried) if tried else "no SSH key was found"
    raise UsageError(what, remedy=f"name your key with --key PATH; who may approve: {listed}")


def _keys(asked: str | None, root: Path, world: World) -> Iterator[tuple[Path | None, str]]:
    """(path or None for the agent's, public key) of the keys to try, in order."""
    home = Path(world.environ.get("HOME", "/"))
    if asked is not None:
        path = home / asked[2:] if asked.startswith("~/") else world.cwd / asked
        yield path, public_key_of(path, world.environ)
        return
    git = Git(root, world.environ)
    configured = git.run("config", "--get", "user.signingkey").stdout.decode("utf-8", "replace").strip()
    literal = configured.removeprefix("key::")
    paths = [home / ".ssh" / name for name in _DEFAULT_KEYS]
    if _is_public_key(literal):
        yield None, literal
    elif "/" in configured:
        paths.insert(0, home / configured[2:] if configured.startswith("~/") else Path(configured))
    for path in paths:
        if path.is_file():
            yield path, public_key_of(path, world.environ)
    for public in agent_keys(world.environ):
        yield None, public


def _is_public_key(text: str) -> bool:
    try:
        fingerprint_of(text)
    except ValueError:
        return False
    return True


def _who(asked: str | None, key: _Key, approvers: Approvers) -> str:
    if asked is not None and not plain_principal(asked):
        raise UsageError(f"--as wants one name, not {asked!r}")
    if asked is None and not key.names:
        patterns = ", ".join(dict.fromkeys(name for one in approvers.signers for name in one.principals))
        raise UsageError(
            f"{approvers.signers_path} names you by a pattern only ({patterns})", remedy="say who you are: --as NAME"
        )
    return asked if asked is not None else key.names[0]


def _covered(
    changes: Sequence[GovernedChange], approvers: Approvers, who: str, key: _Key
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
    key: _Key,
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


def _confirm(world: World) -> None:
    if not sys.stdin.isatty():
        raise UsageError("nobody can be asked: this is no terminal", remedy="read what is shown, then give --yes")
    world.stderr.write("Approve exactly this? Type yes: ")
    world.stderr.flush()
    if sys.stdin.readline().strip().lower() != "yes":
        raise UsageError("not approved; nothing was written")


def _sign(change: ChangeSet, statement: Statement, key: _Key, root: Path, world: World) -> str:
    """Sign, verify as the check will, and write. The file's path in the repository."""
    with tempfile.TemporaryDirectory(prefix="maestro-") as folder:
        path = key.path
        if path is None:
            path = Path(folder) / "key.pub"
            path.write_text(key.public + "\n", encoding="utf-8")
        signature = sign(statement.message(), path, namespace=NAMESPACE, environ=world.environ)
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
