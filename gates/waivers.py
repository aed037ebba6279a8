"""Gate ``waivers``: a waiver names a rule and a subject that exist, ends soon, and is alone."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Iterable, Iterator, Sequence

from gates.document_index import DocumentIndex
from gates.scene import Scene, Settings
from maestro.documents import Document
from maestro.documents.waiver import Waiver
from maestro.errors import MaestroError
from maestro.findings import Edit, Finding, Fix, GateResult, Rule, Skipped, result_of

ID = "waivers"
NEEDS_REGO = False
OF_THE_CHANGE_ITSELF = False

MAXIMUM_DAYS = 180
BREAK_GLASS_RULE = "mc.run/break_glass"
"""What `maestro receipts verify` objects to (``runner.ledger_check``) until a waiver of ``Run/<id>`` explains it."""
UNCHECKED_MERGE_RULE = "mc.audit/unchecked_merge"
"""What `maestro policy audit` finds (``runner.audit.judge``) until a waiver of ``Commit/<id>`` explains it."""
EXPLANATIONS = frozenset({BREAK_GLASS_RULE, UNCHECKED_MERGE_RULE})
"""Waived is what happened once: such a waiver keeps closed what it closed, also when its day is over."""

UNKNOWN_RULE = Rule(
    "mc.waivers/unknown_rule", "A waiver names a rule that exists", "write the rule's id as the finding shows it"
)
EXPIRED = Rule(
    "mc.waivers/expired",
    "A waiver that has ended is removed",
    "delete the waiver; its finding speaks for itself",
    "warn",
)
TOO_LONG = Rule(
    "mc.waivers/too_long",
    f"A waiver ends within {MAXIMUM_DAYS} days",
    "choose an earlier date; a waiver can be renewed by another pull request",
)
DUPLICATE = Rule("mc.waivers/duplicate", "One finding is waived once", "keep one of the two waivers")

RULES = (UNKNOWN_RULE, EXPIRED, TOO_LONG, DUPLICATE)


def held(index: DocumentIndex, today: dt.date) -> dict[tuple[str, str], str]:
    """(rule, subject) → name of the waiver that holds on ``today``, by the waivers of this snapshot."""
    return {
        (waiver.spec.rule, waiver.spec.subject): document.name
        for document, waiver in _waivers(index, index.holding(["Waiver"]))
        if waiver.spec.until >= today
    }


def judge(scene: Scene) -> GateResult:
    """Judge every waiver in scope."""
    waivers = list(_waivers(scene.at_head, scene.scope))
    if not waivers:
        return Skipped("no waiver was touched")
    findings = [
        *_unknown(scene, waivers),
        *_dates(scene.today, waivers),
        *_duplicates(scene.at_head, waivers),
    ]
    return result_of(len(waivers), findings)


def _waivers(index: DocumentIndex, paths: Sequence[str]) -> Iterator[tuple[Document, Waiver]]:
    for document in index.documents(paths):
        if isinstance(document.model, Waiver):
            yield document, document.model


def known_rules(scene: Scene) -> frozenset[str]:
    """Every rule id that a finding can have here, before and after the merge."""
    settings = [scene.settings]
    if not isinstance(scene.head_settings, MaestroError):
        settings.append(scene.head_settings)
    return rule_ids(settings) | EXPLANATIONS


def rule_ids(settings: Iterable[Settings]) -> frozenset[str]:
    """The ids of the gates' rules and of these packs'."""
    from gates.catalogue import all_rules

    packs = {f"{pack.name}/{rule.suffix}" for one in settings for pack in one.packs.packs for rule in pack.rules}
    return frozenset(packs | {rule.id for rule in all_rules()})


def _unknown(scene: Scene, waivers: Sequence[tuple[Document, Waiver]]) -> Iterator[Finding]:
    known = known_rules(scene)
    namespaces = {pack.name for pack in scene.settings.packs.packs}
    for document, waiver in waivers:
        rule = waiver.spec.rule
        # A pack's results may carry a `rule` member of their own, which no reading of its text can foresee.
        if rule in known or rule.rpartition("/")[0] in namespaces:
            continue
        near = difflib.get_close_matches(rule, sorted(known), 1)
        location = document.locate(["spec", "rule"])
        yield UNKNOWN_RULE.finding(
            f"there is no rule {rule}",
            location,
            subject=document.subject,
            remedy=f"did you mean {near[0]}? {UNKNOWN_RULE.remedy}" if near else None,
            fix=Fix(f"write {near[0]}", (Edit(location, near[0]),)) if near else None,
            discriminator=rule,
        )


def _dates(today: dt.date, waivers: Sequence[tuple[Document, Waiver]]) -> Iterator[Finding]:
    latest = today + dt.timedelta(days=MAXIMUM_DAYS)
    for document, waiver in waivers:
        until = waiver.spec.until
        location = document.locate(["spec", "until"])
        if until < today and waiver.spec.rule not in EXPLANATIONS:
            yield EXPIRED.finding(f"this waiver ended on {until}", location, subject=document.subject)
        elif until > latest:
            yield TOO_LONG.finding(
                f"this waiver would hold until {until}; {latest} is the latest allowed today",
                location,
                subject=document.subject,
                fix=Fix(f"end it on {latest}", (Edit(location, latest.isoformat()),)),
                discriminator=until.isoformat(),
            )


def _duplicates(index: DocumentIndex, waivers: Sequence[tuple[Document, Waiver]]) -> Iterator[Finding]:
    everywhere: dict[tuple[str, str], list[Document]] = {}
    for document, waiver in _waivers(index, index.holding(["Waiver"])):
        everywhere.setdefault((waiver.spec.rule, waiver.spec.subject), []).append(document)
    for document, waiver in waivers:
        first = everywhere[waiver.spec.rule, waiver.spec.subject][0]
        if (first.path, first.raw.index) != (document.path, document.raw.index):
            yield DUPLICATE.finding(
                f"{waiver.spec.rule} on {waiver.spec.subject} is already waived by {first.name} in {first.path}",
                document.locate(["spec"]),
                subject=document.subject,
            )
