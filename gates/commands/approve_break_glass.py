"""``maestro approve --break-glass``: sign that these manifests may run now, in spite of what policy says."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from gates.approvals import Approval, check_signature, stamp
from gates.approver import ApproverKey, approver_key, confirm, lifetime_of, principal_of, signature_of
from gates.approvers import Approvers, approvers_at
from gates.break_glass import LONGEST, USUAL, Emergency, Statement, file_name, needed_by, reason_of
from gates.merged_manifests import Merged, by_name, open_merged
from gates.ssh_signatures import fingerprint_of
from maestro.canonical_json import digest
from maestro.documents.document import Document
from maestro.documents.manifest import Manifest
from maestro.errors import ToolFailure, UsageError
from maestro.ledger.durable import keep_out_of_git
from maestro.report.visible_text import visible
from maestro.repository import Repository
from maestro.world import World

FOLDER = ".maestro/break-glass"
"""Where the file is written: beside the ledger's usual place."""


def approve(arguments: argparse.Namespace, world: World) -> int:
    """Show, ask, sign, write the file, and say what comes next.

    Raises:
        UsageError: nothing or something unknown is named, or the key cannot approve it.
        Refused: it is not allowed here.
    """
    reason = reason_of(arguments.break_glass)
    lifetime = lifetime_of(arguments.expires, usual=USUAL, longest=LONGEST)
    if arguments.target or arguments.head:
        raise UsageError(
            "--break-glass is about the tip of the default branch: it takes neither --target nor --head",
            remedy="fetch first, so that it is the tip the run will find",
        )
    if not arguments.names:
        raise UsageError("what shall run in spite of policy?", remedy="name manifests, as for `maestro run`")
    with Repository.open(world.cwd / arguments.repo, world.environ) as repository:
        merged = open_merged(repository, None, world.now(), world.environ)
        needed = needed_by(merged.settings.config)
        documents = by_name(merged, arguments.names)
        approvers = approvers_at(merged.tip, needed)
        key = approver_key(arguments.key, approvers, repository.root, world)
        who = principal_of(arguments.who, key, approvers)
        mine = _mine(documents, approvers, who, key)
        signed_at = world.now().astimezone(dt.UTC).replace(microsecond=0)
        manifests = {document.subject: digest(document.raw.value) for document in documents}
        emergency = Emergency(merged.policy_revision, manifests, reason)
        statement = Statement(who, emergency, signed_at, signed_at + lifetime)
        _show(world, documents, mine, statement, key)
        if not arguments.yes:
            confirm("Let this run in spite of what policy says?", world)
        path = _sign(merged, statement, key, repository.root, world)
    names = " ".join(document.name for document in documents)
    command = f"maestro run {names} --break-glass {shlex.quote(reason)} --approval {shlex.quote(_shown(path, world))}"
    world.stdout.write(f"{_shown(path, world)}\n")
    others = f", with those of {needed - 1} more" if needed > 1 else ""
    world.stderr.write(f"  → hand this file to whoever runs it{others}:\n    {visible(command)}\n")
    return 0


def _mine(documents: Sequence[Document], approvers: Approvers, who: str, key: ApproverKey) -> list[Document]:
    """Those that this person may approve; whether the signature holds is seen later.

    Raises:
        UsageError: none.
    """
    would_be = Approval(who, "ssh", True, "", fingerprint_of(key.public), (who, *key.names))
    mine = [one for one in documents if approvers.entitled(would_be, one.path)]
    if not mine:
        owners = dict.fromkeys(owner for one in documents for owner in approvers.owners.owners_of(one.path))
        raise UsageError(f"{who} owns none of these manifests; their owners are {', '.join(owners)}")
    return mine


def _show(
    world: World, documents: Sequence[Document], mine: Sequence[Document], statement: Statement, key: ApproverKey
) -> None:
    emergency = statement.emergency
    lines = ["This would run in spite of what policy says:", ""]
    for one in documents:
        model = one.model
        command = (*(model.spec.command or ()), *model.spec.args) if isinstance(model, Manifest) else ()
        size = model.spec.array.size if isinstance(model, Manifest) and model.spec.array else None
        lines.append(visible(f"  {one.subject}{f' × {size}' if size else ''}  ({one.path}, owner {one.owner})"))
        lines.append(visible(f"      {shlex.join(command)}"))
        if one not in mine:
            lines.append("      not yours to approve; somebody else has to as well")
    lines += [
        "",
        f"  reason           {visible(emergency.reason)}",
        f"  tip              {emergency.policy_revision}",
        f"  one run          {emergency.run_id}, on the machine that `maestro run` is called on",
        f"  approved by      {visible(statement.who)}, {fingerprint_of(key.public)}",
        f"  holds until      {stamp(statement.expires)}",
        "",
    ]
    world.stderr.write("\n".join(lines))


def _sign(merged: Merged, statement: Statement, key: ApproverKey, root: Path, world: World) -> Path:
    """Sign, verify as the run will, and write."""
    signature = signature_of(statement.message(), key, world)
    name = file_name(statement)
    checked = check_signature(
        merged.tip, statement, signature, path=name, environ=world.environ, now=statement.signed_at
    )
    if not checked.verified:
        raise UsageError(
            f"the tip would not believe this approval: {checked.detail}", remedy="is --as a name of this very key?"
        )
    path = root / FOLDER / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        keep_out_of_git(path.parent)
        path.write_text(json.dumps({**statement.fields(), "signature": signature}, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise ToolFailure(f"the approval could not be written: {error.strerror}", where=str(path)) from error
    return path


def _shown(path: Path, world: World) -> str:
    return str(path.relative_to(world.cwd) if path.is_relative_to(world.cwd) else path)
