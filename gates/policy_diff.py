"""Gate ``policy-diff``: what a change of packs would let pass is agreed to by those who answer for the packs.

It compares the packs of the policy revision with those of the head over every document and fixture. What would newly be
denied, or stopped by a stricter mode, is announced by the gate ``policy``, document by document; this gate speaks of
what would no longer be denied, and of errors that no document shows. A pack without an answer before is never held
against its repair.

An approval is of one head tree and policy revision (``gates.approvals``). Those hold every pack, document and fixture
that is compared, so an approval of the head by the pack's owner is one of exactly this diff; its digest is named so
that it can be told which was shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from gates.approvals import Approval, needed_at
from gates.approvers import Approvers, approvers_at
from gates.decision_diff import changed_pairs, comparable, decision_diff
from gates.scene import Scene
from maestro.codeowners import canonical_owner
from maestro.findings import Finding, GateResult, Location, Rule, Skipped, result_of
from policy.diff.pairs import Pair
from policy.diff.words import counted, headline, of_origins

if TYPE_CHECKING:
    from policy.diff.result import Example, PackDiff, PolicyDiff, Row

ID = "policy-diff"
NEEDS_REGO = True
OF_THE_CHANGE_ITSELF = True

DENY_TO_ALLOW = Rule(
    "mc.policy-diff/deny_to_allow",
    "What is denied today is let pass only with the approval of the pack's owner",
    "let the owner of the pack look at `maestro policy diff` and run `maestro approve`",
)
NO_ANSWER = Rule(
    "mc.policy-diff/no_answer",
    "A changed pack still answers what it answered",
    "repair the pack in this pull request; `maestro policy diff` shows every input without an answer",
    mode="warn",
)

RULES = (DENY_TO_ALLOW, NO_ANSWER)

_NAMED = 3


def judge(scene: Scene) -> GateResult:
    """Compare where a pack changes, and find what nobody has agreed to."""
    if scene.change.preview:
        return Skipped("nothing decides here before the merge")
    why = comparable(scene)
    if why is not None:
        return Skipped(why)
    changed, _ = changed_pairs(scene)
    if not any(pair.changed for pair in changed):
        return Skipped("no pack changes")
    diff = decision_diff(scene)
    pairs = {pair.name: pair for pair in changed}
    approvers = approvers_at(scene.change.policy, needed_at(scene.change.policy, scene.settings.config))
    findings: list[Finding] = []
    agreed: list[str] = []
    given: Sequence[Approval] | None = None
    for pack in diff.packs:
        pair = pairs[pack.name]
        findings += _announced(pack, pair)
        if not pack.loosened:
            continue
        if given is None:
            given = scene.approvals()
        by = [approval.who for approval in given if _entitled(approval, pack, approvers)]
        agreed += [who for who in by if who not in agreed]
        if not by:
            findings.append(_deny_to_allow(pack, pair, diff, approvers))
    return result_of(diff.cases, findings, _note(diff, agreed))


def _note(diff: PolicyDiff, agreed: Sequence[str]) -> str:
    approved = f"; approved by {', '.join(agreed)}" if agreed else ""
    return f"{headline(diff)}; `maestro policy diff` shows all of it (decision diff {diff.digest}){approved}"


def _entitled(approval: Approval, pack: PackDiff, approvers: Approvers) -> bool:
    """Whether this is the pack's owner's approval; of a pack without one, that of who answers for its files."""
    if not approval.verified:
        return False
    if pack.owner is None:
        return approvers.entitled(approval, f"{pack.path}/")
    return any(canonical_owner(name) == canonical_owner(pack.owner) for name in approval.stands_for)


def _deny_to_allow(pack: PackDiff, pair: Pair, diff: PolicyDiff, approvers: Approvers) -> Finding:
    cases = counted(pack.loosened, "input")
    rules = ", ".join(pack.loosened_rules)
    finding = DENY_TO_ALLOW.finding(
        f"{pack.name} denies {cases} that it would deny less or not at all after the merge ({rules}): "
        f"{_examples(pack.loosened_by, pack.loosened)}; decision diff {diff.digest}",
        _location(pair),
        subject=f"Pack/{pack.name}",
        owner=pack.owner,
        remedy=_how(pack, approvers),
        discriminator="deny_to_allow",
    )
    nobody = not approvers.signers and not approvers.owners.all_owners
    return replace(finding, mode="warn") if nobody else finding


def _how(pack: PackDiff, approvers: Approvers) -> str:
    if not approvers.signers and not approvers.owners.all_owners:
        return (
            f"nobody is named who could approve this, so it only warns; name approvers in {approvers.signers_path} "
            "and .github/CODEOWNERS in a pull request of their own"
        )
    who = pack.owner or "the owner of the pack's files"
    signs = "looks at `maestro policy diff`, runs `maestro approve` and commits the file it writes"
    return f"{who} {signs}, or approves this head in a review on GitHub as an owner of {pack.path}/"


def _announced(pack: PackDiff, pair: Pair) -> Iterator[Finding]:
    if pack.after is not None and pack.after.problem is None:
        # An error on a document is announced by the gate `policy`, at the document; a pack that cannot judge, too.
        broken = [row for row in pack.rows if row.kind == "to-error" and not row.origins.get("document")]
        yield from (_no_answer(row, pack, pair) for row in broken)


def _no_answer(row: Row, pack: PackDiff, pair: Pair) -> Finding:
    said = row.examples[0].text if row.examples else ""
    return NO_ANSWER.finding(
        f"{pack.name} would give no answer for {of_origins(row.origins)} ({row.detail}): "
        f"{_examples(row.examples, row.count)}: {said}",
        _location(pair),
        subject=f"Pack/{pack.name}",
        owner=pack.owner,
        discriminator=row.detail,
    )


def _examples(examples: Sequence[Example], count: int) -> str:
    named = [
        f"{one.place if one.origin == 'fixture' else one.name}{f' ({one.owner})' if one.owner else ''}"
        for one in examples[:_NAMED]
    ]
    more = [f"and {count - len(named):,} more"] if count > len(named) else []
    return ", ".join([*named, *more])


def _location(pair: Pair) -> Location:
    """The pack as the change leaves it, or its settings where it is gone."""
    pack = pair.after.pack
    return pack.location if pack is not None else Location("maestro.yaml")
