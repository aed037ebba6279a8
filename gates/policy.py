"""Gate ``policy``: what the packs of the repository say of the documents a change touches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gates.pack_inputs import READS_DIFFERENTLY, UNREADABLE, Judged, inputs_of, is_judged
from gates.scene import CouldNotJudge, Scene
from maestro.config import PackEntry
from maestro.errors import MaestroError
from maestro.findings import Finding, Fix, GateResult, Location, Rule, Skipped, result_of
from policy import pack_rules

if TYPE_CHECKING:
    from policy.decide import Decision, Reason
    from policy.pack import Pack, PackProblem

ID = "policy"
NEEDS_REGO = True
OF_THE_CHANGE_ITSELF = False

NO_ANSWER = Rule(
    "mc.policy/no_answer",
    "A pack that does not enforce still answers",
    "repair the pack before it is made to enforce",
    mode="warn",
)
BROKEN_AFTER_MERGE = Rule(
    "mc.policy/broken_pack",
    "A pack that would judge after the merge can judge",
    "repair the pack in this pull request: after the merge it would stop every change it judges",
)

RULES = (UNREADABLE, READS_DIFFERENTLY, NO_ANSWER, BROKEN_AFTER_MERGE, *pack_rules.RULES)

ABOUT_THE_PACK = ("compile", "unsupported")
"""Errors that no input could make go away."""

REPAIRABLE = ("policy/", "waivers/", "maestro.yaml")
"""A change that touches nothing else may repair what decides, so a broken pack does not stop it; see _only_repairs."""


@dataclass
class _Tally:
    inputs: int = 0
    files: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)
    errors: list[tuple[str, str, str | None]] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)


def judge(scene: Scene) -> GateResult:
    """Ask every pack about every input in its scope.

    Raises:
        CouldNotJudge: an enforced pack gave no trustworthy answer for something; the other findings are kept.
    """
    packs = [pack for pack in scene.settings.packs.packs if scene.only_packs is None or pack.name in scene.only_packs]
    tally = _Tally()
    repairing = _only_repairs(scene)
    for problem in scene.settings.packs.problems:
        _problem(problem, repairing, tally)
    inputs = [(pack, list(inputs_of(scene, pack, lambda finding: _once(tally, finding)))) for pack in packs]
    for pack, judged in inputs:
        if judged:
            _ask(scene, pack, judged, repairing, tally)
    if scene.only_packs is None:
        tally.findings.extend(_broken_after_merge(scene, {pack.name for pack, judged in inputs if judged}))
    else:
        tally.findings.extend(
            NO_ANSWER.finding(
                f"{name} as changed gives no answer: {message}", _place_of(name, packs), subject=name, remedy=remedy
            )
            for name, message, remedy in tally.errors
        )
        tally.errors.clear()
    if tally.errors:
        name, message, remedy = tally.errors[0]
        more = f" (and {len(tally.errors) - 1} more)" if len(tally.errors) > 1 else ""
        raise CouldNotJudge(
            f"pack {name}: {message}{more}", remedy=remedy, judged=tally.inputs, findings=tuple(tally.findings)
        )
    note = None
    if tally.broken:
        note = "left out, so that they can be repaired: " + "; ".join(
            f"{name} ({message})" for name, message in sorted(tally.broken.items())
        )
    if not (tally.inputs or tally.findings or note):
        return Skipped("no pack judges what was touched" if packs else "the repository has no packs")
    return result_of(tally.inputs, tally.findings, note)


def _place_of(name: str, packs: Sequence[Pack]) -> Location:
    return next((pack.location for pack in packs if pack.name == name), Location("maestro.yaml"))


def _only_repairs(scene: Scene) -> bool:
    """Whether the change touches only what decides. A broken pack lets it through, so nothing that packs judge may
    come along: each file is governed, is a waiver, or is none that a pack could read."""
    paths = scene.changed_paths
    if not paths or scene.change.judge_all:
        return False
    sides = [scene.settings] + ([] if isinstance(scene.head_settings, MaestroError) else [scene.head_settings])
    folders = {one.path for side in sides for one in side.packs.packs}
    folders |= {one.pack for side in sides for one in side.packs.problems}
    folders |= {
        path for side in sides for one in side.config.packs if isinstance(one, PackEntry) for path in one.data or ()
    }
    return all(path == REPAIRABLE[2] or _repairs(scene, path, folders) for path in paths)


def _repairs(scene: Scene, path: str, folders: set[str]) -> bool:
    if not path.startswith(REPAIRABLE[:2]):
        return False
    entry = scene.change.head.entries.get(path)
    if entry is None or (entry.is_file and not is_judged(path)):
        return True
    if scene.at_head.has(path):
        parsed = scene.at_head.parsed(path)
        return not parsed.problems and all(document.kind == "Waiver" for document in parsed.documents)
    return entry.is_file and any(folder and (path + "/").startswith(folder.rstrip("/") + "/") for folder in folders)


def _problem(problem: PackProblem, repairing: bool, tally: _Tally) -> None:
    if problem.rule.mode == "enforce":
        # A pack that cannot be loaded does not judge; as a finding it would count as one the target already has.
        if repairing:
            tally.broken[problem.pack] = problem.message
        else:
            place = f"{problem.location.path}:{problem.location.line}"
            tally.errors.append((problem.pack, f"{place}: {problem.message}", problem.remedy or problem.rule.remedy))
        return
    tally.findings.append(
        problem.rule.finding(problem.message, problem.location, subject=problem.pack, remedy=problem.remedy)
    )


def _ask(scene: Scene, pack: Pack, judged: Sequence[Judged], repairing: bool, tally: _Tally) -> None:
    decisions = scene.decide(pack, [one.value for one in judged])
    scene.decided(pack, judged, decisions)
    tally.inputs += len(judged)
    failures: Counter[tuple[str, str | None]] = Counter()
    said: set[tuple[str, str, str | None]] = set()
    for one, decision in zip(judged, decisions, strict=True):
        for finding in _findings(pack, one, decision):
            key = (finding.rule, finding.subject, finding.discriminator)
            if not (one.as_1_1 and key in said):  # both readings of a document say most things alike
                said.add(key)
                tally.findings.append(finding)
        if decision.error is None or (scene.only_packs is not None and decision.error_kind in ABOUT_THE_PACK):
            continue  # of a changed pack that cannot judge at all, `broken_pack` speaks, once
        if pack.mode != "enforce":
            tally.findings.append(
                NO_ANSWER.finding(
                    f"{pack.name} ({pack.mode}) gave no answer: {decision.error}",
                    one.raw.start,
                    subject=one.subject,
                    remedy=decision.remedy,
                    owner=pack.owner,
                    discriminator=pack.name,
                )
            )
        elif repairing:
            tally.broken[pack.name] = decision.error
        else:
            where = one.raw.start
            place = f"{where.path}:{where.line}" if len(judged) > 1 else where.path
            failures[f"{place}: {decision.error}", decision.remedy] += 1
    tally.errors.extend((pack.name, message, remedy) for message, remedy in failures)


def _findings(pack: Pack, judged: Judged, decision: Decision) -> Iterator[Finding]:
    for reason in decision.reasons:
        yield Finding(
            rule=reason.rule,
            message=reason.message,
            location=judged.locate(reason.pointer),
            subject=judged.subject,
            # Of a pack that does not enforce, an answer that is missing warns, as in NO_ANSWER.
            mode=reason.mode if decision.disagreement is None or pack.mode == "enforce" else "warn",
            remedy=reason.remedy,
            owner=pack.owner,
            hardens=reason.hardens,
            fix=_fix(judged, reason),
            # Without the place, repairing one object of a file would pay for breaking another.
            discriminator=" ".join(filter(None, (judged.place, _pointer(reason), _what(pack, decision, reason)))),
        )


def _what(pack: Pack, decision: Decision, reason: Reason) -> str:
    """The message; where two engines disagree, what they disagree about, so that only this very input is as it was."""
    return reason.message if decision.disagreement is None else f"{pack.name} {decision.input_digest}"


def _pointer(reason: Reason) -> str:
    return "".join(f"/{part}" for part in reason.pointer or ())


def _fix(judged: Judged, reason: Reason) -> Fix | None:
    """A pack's ``fix`` is ``{"path": …, "value": …}``; anything else is no fix we would dare to offer."""
    from maestro.documents.edit import insert_key, set_value
    from maestro.documents.pointer import has, parse_pointer

    if not isinstance(reason.fix, dict) or not {"path", "value"} <= set(reason.fix):
        return None
    pointer = parse_pointer(reason.fix["path"])
    if not pointer:
        return None
    whole = [*judged.prefix, *pointer]
    value = reason.fix["value"]
    try:
        if has(judged.raw.value, whole):
            edit = set_value(judged.raw, whole, value)
        elif has(judged.raw.value, whole[:-1]) and isinstance(whole[-1], str):
            edit = insert_key(judged.raw, whole[:-1], whole[-1], value)
        else:
            return None
    except (MaestroError, ValueError):
        return None
    return Fix(f"set {'.'.join(str(part) for part in pointer)}", (edit,))


def _once(tally: _Tally, finding: Finding) -> None:
    """Two packs may read one file: what is wrong with the file is said once, in the stricter mode."""
    for index, known in enumerate(tally.findings):
        same = (known.rule, known.message, known.location) == (finding.rule, finding.message, finding.location)
        if same:
            if finding.mode == "enforce":
                tally.findings[index] = finding
            return
    tally.findings.append(finding)


def _broken_after_merge(scene: Scene, asked: set[str]) -> Iterator[Finding]:
    """Packs this change would bring that could not judge: found by asking each about nothing at all.

    In a preview every pack is brought by the change; those ``asked`` have shown already whether they can.
    """
    later = scene.head_settings
    if isinstance(later, MaestroError) or scene.change.head is scene.change.policy:
        return
    known = {(problem.pack, problem.message) for problem in scene.settings.packs.problems}
    for problem in later.packs.problems:
        if (problem.pack, problem.message) not in known:
            yield problem.rule.finding(problem.message, problem.location, subject=problem.pack, remedy=problem.remedy)
    preview = scene.change.preview
    digests = {pack.digest for pack in scene.settings.packs.packs if not preview or pack.name in asked}
    for pack in later.packs.packs:
        if pack.digest in digests:
            continue
        [decision] = scene.decide(pack, [{}])
        if decision.error is not None and decision.error_kind in ABOUT_THE_PACK:
            yield BROKEN_AFTER_MERGE.finding(
                f"the pack {pack.name} as changed here cannot judge: {decision.error}",
                pack.location,
                subject=pack.name,
                owner=pack.owner,
                remedy=decision.remedy,
            )
