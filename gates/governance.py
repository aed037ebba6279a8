"""Gate ``governance``: a change to what decides is approved by those who answer for it.

Who they are is read at the policy revision: the CODEOWNERS entry of each file; where a file has no owner, anybody in
allowed_signers; where there is none either, the owners of anything else that decides. A repository that names nobody
yet is told how to; until it does, the findings warn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from gates.approvals import FOLDER, Approval, needed_at
from gates.approvers import Approvers, approvers_at
from gates.governed.changes import governed_changes
from gates.governed.question import GovernedChange, Question
from gates.governed.rules import RULES as CHANGE_RULES
from gates.governed.trust import decides
from gates.scene import Scene
from maestro.findings import Failed, Finding, GateResult, Location, Passed, Rule, Skipped, result_of

ID = "governance"
NEEDS_REGO = False
OF_THE_CHANGE_ITSELF = True

APPROVAL_VOID = Rule(
    "mc.governance/approval_void",
    "An approval that does not count is named",
    "remove the file, or approve again: `maestro approve`",
    mode="warn",
)

NO_APPROVAL = Rule(
    "mc.governance/no_approval",
    "The folder approvals/ holds approvals alone",
    "move the file elsewhere: signatures leave this folder out, so nobody could have approved what it says",
)

RULES = (*CHANGE_RULES, APPROVAL_VOID, NO_APPROVAL)


def question_of(scene: Scene) -> Question:
    """What is asked of ``gates.governed.changes``."""
    # A repair of an unreadable target is judged by its own settings, which are no measure for themselves.
    comparable = scene.settings.snapshot is scene.change.policy
    return Question(
        scene.change,
        scene.settings if comparable else None,
        scene.head_settings,
        at_base=scene.at_base,
        at_head=scene.at_head,
    )


def judge(scene: Scene) -> GateResult:
    """Find what alters the deciding, and let pass what was approved."""
    if scene.change.preview:
        return Skipped("nothing decides here before the merge")
    changes = governed_changes(question_of(scene))
    folder_touched = any(path.startswith(FOLDER + "/") for path in scene.changed_paths)
    if not changes and not folder_touched:
        return Skipped("nothing that decides was touched")
    approvers = approvers_at(scene.change.policy, needed_at(scene.change.policy, scene.settings.config))
    result = settle(changes, approvers, scene.approvals)
    hidden = list(_hidden_among_approvals(scene))
    if not hidden:
        return result
    found = result.findings if isinstance(result, Failed) else ()
    return Failed(result.judged + len(hidden), (*found, *hidden), result.note)


def _hidden_among_approvals(scene: Scene) -> Iterator[Finding]:
    """What decides or is governed, in the folder that no approval is about."""
    question = question_of(scene)
    for change in scene.change.changes:
        path = change.path
        if not path.startswith(FOLDER + "/") or change.after is None:
            continue
        if scene.at_head.governs(path) or decides(question, path):
            yield NO_APPROVAL.finding(f"{path} is governed and is no approval", Location(path), subject=path)


def settle(
    changes: Sequence[GovernedChange], approvers: Approvers, approvals: Callable[[], Sequence[Approval]]
) -> Passed | Failed:
    """Findings for what is not approved; what is approved is told in the verdict's note.

    ``approvals`` is asked once, and not at all where nobody could have approved anything.
    """
    asked = not changes or any(approvers.named_for(path) for change in changes for path in change.paths)
    given = tuple(approvals()) if asked else ()
    findings: list[Finding] = []
    agreed: list[Approval] = []
    count = 0
    for change in changes:
        by = approvers.approve(change, given)
        if by:
            count += 1
            agreed.extend(approval for approval in by if approval not in agreed)
        else:
            findings.append(_finding(change, approvers, given))
    findings.extend(
        APPROVAL_VOID.finding(
            f"{approval.path} does not count: {approval.detail}", Location(approval.path), subject=approval.path
        )
        for approval in given
        if not approval.verified and approval.path is not None
    )
    return result_of(len(changes), findings, _note(count, agreed))


def _note(count: int, agreed: Sequence[Approval]) -> str | None:
    if not count:
        return None
    names = ", ".join(f"{approval.who} ({approval.method})" for approval in agreed)
    return f"{count} governed change{'s' if count > 1 else ''}, approved by {names}"


def _finding(change: GovernedChange, approvers: Approvers, given: Sequence[Approval]) -> Finding:
    unnamed = [path for path in change.paths if not approvers.named_for(path)]
    owners = tuple(dict.fromkeys(owner for path in change.paths for owner in approvers.owners_of(path)))
    finding = change.rule.finding(
        change.message,
        change.location,
        subject=change.subject,
        owner=", ".join(owners) or None,
        remedy=_how_to_name(unnamed[0], approvers) if unnamed else _how_to_approve(owners, approvers, given),
    )
    return replace(finding, mode="warn") if len(unnamed) == len(change.paths) else finding


def _how_to_name(path: str, approvers: Approvers) -> str:
    return (
        "nobody is named who could approve this, so it only warns; name approvers in a pull request: a line "
        f"`/{path} @your-org/your-team` in .github/CODEOWNERS, and in {approvers.signers_path} a line "
        '`you@example.com,@your-org/your-team namespaces="maestro-approval" ssh-ed25519 AAAA…` (your public key)'
    )


def _how_to_approve(owners: Sequence[str], approvers: Approvers, given: Sequence[Approval]) -> str:
    who = " or ".join(owners) if owners else f"somebody in {approvers.signers_path}"
    if approvers.needed > 1:
        who = f"{approvers.needed} people of {who}"
    ways = []
    if approvers.signers:
        ways.append("runs `maestro approve` and commits the file it writes")
    if any(owner.startswith("@") for owner in owners):
        ways.append("approves this head in a review on GitHub")
    if not ways:
        ways.append(f"adds a key to {approvers.signers_path} first, then runs `maestro approve`")
    short = [approval for approval in given if approval.verified]
    so_far = "; so far: " + ", ".join(f"{one.who} ({one.detail})" for one in short) if short else ""
    # A file that does not count has a finding of its own; a review is in no file.
    void = [approval for approval in given if not approval.verified and approval.path is None]
    without = "".join(f"; {one.who} does not count: {one.detail}" for one in void)
    return f"{who} {', or '.join(ways)}{so_far}{without}"
