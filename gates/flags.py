"""Gate ``flags``: what Rego cannot see of a feature flag: who its owner is, how long it lived before, its namesakes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from gates.owners import unresolved
from gates.scene import Scene
from gates.unique_names import clashes
from maestro.documents import Document
from maestro.documents.flag import Flag
from maestro.findings import Edit, Finding, Fix, GateResult, Rule, Skipped, result_of

ID = "flags"
NEEDS_REGO = False
OF_THE_CHANGE_ITSELF = False

OWNER = Rule(
    "mc.flags/owner_unresolved",
    "A flag's owner occurs in CODEOWNERS or in maestro.yaml's owners",
    "use an owner that occurs there, or add this one to maestro.yaml's `owners`",
)
TOO_LONG = Rule(
    "mc.flags/ttl_too_long",
    "A flag does not outlive what its type allows",
    "choose an earlier ttl, or the type that the flag really has",
)
EXTENDED = Rule(
    "mc.flags/ttl_extended",
    "A longer life is given with a reason",
    "add an entry to spec.extensions that says until when and why",
)
DUPLICATE = Rule("mc.flags/duplicate_key", "A flag's key is its own", "give one of the two flags another name")

RULES = (OWNER, TOO_LONG, EXTENDED, DUPLICATE)


def judge(scene: Scene) -> GateResult:
    """Judge every flag in scope."""
    flags = [document for document in scene.at_head.documents(scene.scope) if document.kind == "Flag"]
    if not flags:
        return Skipped("no flag was touched")
    findings = [
        *(found for flag in flags if (found := unresolved(OWNER, flag, scene.settings.owners))),
        *_too_long(scene, flags),
        *_extended(scene, flags),
        *_duplicates(scene, flags),
    ]
    return result_of(len(flags), findings)


def _model(document: Document) -> Flag:
    assert isinstance(document.model, Flag)  # noqa: S101 - the kind says so
    return document.model


def _too_long(scene: Scene, flags: list[Document]) -> Iterator[Finding]:
    for flag in flags:
        spec = _model(flag).spec
        days = scene.settings.config.flags.maximum_ttl_days.get(spec.type)
        if spec.ttl is None or days is None:
            continue
        latest = scene.today + dt.timedelta(days=days)
        if spec.ttl > latest:
            location = flag.locate(["spec", "ttl"])
            yield TOO_LONG.finding(
                f"a {spec.type} flag may live {days} days from today, until {latest}; this one ends {spec.ttl}",
                location,
                subject=flag.subject,
                owner=flag.owner,
                fix=Fix(f"end it on {latest}", (Edit(location, latest.isoformat()),)),
                discriminator=f"{spec.type} {spec.ttl}",
            )


def _extended(scene: Scene, flags: list[Document]) -> Iterator[Finding]:
    before = {
        document.name: _model(document).spec.ttl
        for document in scene.at_base.documents(scene.changed_paths)
        if document.kind == "Flag"
    }
    for flag in flags:
        spec = _model(flag).spec
        old = before.get(flag.name)
        if old is None or (spec.ttl is not None and spec.ttl <= old):
            continue
        if spec.ttl is not None and any(extension.to == spec.ttl for extension in spec.extensions):
            continue
        words = f"its end is moved from {old} to {spec.ttl}" if spec.ttl else f"its end, {old}, is taken away"
        yield EXTENDED.finding(
            f"{words} without a reason",
            flag.locate(["spec", "ttl"]),
            subject=flag.subject,
            owner=flag.owner,
            remedy=f'add `extensions: [{{to: {spec.ttl}, reason: "…"}}]` to its spec' if spec.ttl else None,
            discriminator=f"{old} {spec.ttl}",
        )


def _duplicates(scene: Scene, flags: list[Document]) -> Iterator[Finding]:
    for flag, other in clashes(flags, scene.at_head):
        yield DUPLICATE.finding(
            f"the flag {flag.name} is also defined in {other.path}",
            flag.locate(["metadata", "name"]),
            subject=flag.subject,
            owner=flag.owner,
            discriminator=flag.path,
        )
