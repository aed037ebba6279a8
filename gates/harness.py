"""Runs gates side by side and settles what blocks: existing findings, waivers, preview, errors.

A gate only says what it found. Whether that was there before, is waived, or is a preview is the same question for
every gate, so it is answered once, here; and only the harness can say ``errored``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple, Protocol

from gates.scene import CouldNotJudge, Scene
from maestro.documents.reading import read
from maestro.errors import MaestroError
from maestro.findings import (
    MILDNESS,
    Failed,
    Finding,
    GateResult,
    Hardening,
    Mode,
    Outcome,
    Passed,
    Rule,
    Skipped,
    Verdict,
    milder,
    with_fingerprints,
)


class Gate(Protocol):
    """What a gate's module offers."""

    ID: str
    RULES: tuple[Rule, ...]
    NEEDS_REGO: bool
    OF_THE_CHANGE_ITSELF: bool
    """Whether it judges the act of changing (then nothing of it exists before, nor can be waived)."""

    def judge(self, scene: Scene) -> GateResult:
        """Judge the change; may raise CouldNotJudge."""
        ...


Waivers = Mapping[tuple[str, str], str]
"""(rule, subject) → the name of the waiver document that holds at the policy revision today."""


def run_gates(
    gates: Iterable[Gate],
    scene: Scene,
    *,
    waivers: Callable[[], Waivers],
    changed_packs: frozenset[str],
    settings_changed: bool,
    clock: Callable[[], float] = time.perf_counter,
    started: Callable[[str], None] = lambda _: None,
) -> list[Verdict]:
    """One verdict per gate, in the order given. Never raises for what a gate does."""
    verdicts = []
    for gate in gates:
        started(gate.ID)
        begin = clock()
        verdict = _guarded(gate, scene, waivers, changed_packs, settings_changed)
        verdicts.append(replace(verdict, seconds=round(clock() - begin, 3)))
    return verdicts


def _guarded(
    gate: Gate, scene: Scene, waivers: Callable[[], Waivers], changed_packs: frozenset[str], settings_changed: bool
) -> Verdict:
    try:
        return _settled(gate, scene, waivers, changed_packs, settings_changed)
    except CouldNotJudge as error:
        try:
            findings = _marked(gate, scene, error.findings, waivers)
        except Exception as another:
            return _errored(gate, another)
        return Verdict(gate.ID, "errored", error.judged, findings=findings, reason=error.message, remedy=error.remedy)
    except (Exception, RecursionError, MemoryError) as error:
        return _errored(gate, error)


def _errored(gate: Gate, error: BaseException) -> Verdict:
    if isinstance(error, MaestroError):
        place = f"{error.where}: " if error.where else ""
        return Verdict(gate.ID, "errored", reason=place + error.message, remedy=error.remedy)
    return Verdict(
        gate.ID,
        "errored",
        reason=f"the gate crashed: {type(error).__name__}: {error}",
        remedy="this is a defect of the tool; nothing was allowed because of it",
    )


def _settled(
    gate: Gate, scene: Scene, waivers: Callable[[], Waivers], changed_packs: frozenset[str], settings_changed: bool
) -> Verdict:
    result = gate.judge(scene)
    if isinstance(result, Skipped):
        findings: tuple[Finding, ...] = ()
        judged = 0
    else:
        judged = result.judged
        findings = _marked(gate, scene, result.findings if isinstance(result, Failed) else (), waivers)
    ahead = _after_merge(gate, scene, findings, changed_packs) if settings_changed and not scene.change.preview else ()
    findings += ahead
    if isinstance(result, Skipped) and not ahead:
        return Verdict(gate.ID, "skipped", reason=result.reason)
    outcome: Outcome = "failed" if any(finding.blocks for finding in findings) else "passed"
    reason = result.note if isinstance(result, Passed | Failed) else None
    return Verdict(gate.ID, outcome, judged, findings=findings, reason=reason)


def _marked(
    gate: Gate, scene: Scene, found: tuple[Finding, ...], waivers: Callable[[], Waivers]
) -> tuple[Finding, ...]:
    """Findings with fingerprints, and what the target, the waivers and the preview make of them."""
    if not found:
        return ()
    findings = with_fingerprints(found)
    if scene.change.preview:
        return tuple(replace(finding, mode=milder(finding.mode, "warn")) for finding in findings)
    if gate.OF_THE_CHANGE_ITSELF:
        return findings
    if _head_is_target(scene):
        before = {finding.fingerprint for finding in findings}
    else:
        before = set(_weights_at_target(gate, scene))
    block_existing = scene.settings.config.existing == "block"
    hiding = {rule.id for rule in gate.RULES if rule.hides}
    held = waivers()
    marked = []
    for finding in findings:
        existing = finding.fingerprint in before and not block_existing
        # What else such a file holds, nobody has judged: once it says something else, it is not as it was.
        if existing and finding.rule in hiding:
            existing = _says_the_same(scene, finding.location.path)
        waived_by = held.get((finding.rule, finding.subject))
        marked.append(replace(finding, existing=existing, waived_by=waived_by))
    return tuple(marked)


def _says_the_same(scene: Scene, path: str) -> bool:
    """Whether the file means at the head what it means at the target: the same bytes, or other comments and layout."""
    head, target = scene.change.head, scene.change.policy
    entries = head.entries.get(path), target.entries.get(path)
    if entries[0] == entries[1]:
        return True
    if not all(entry is not None and entry.is_file for entry in entries):
        return False
    now, then = (read(path, side.read(path), dialect="lenient") for side in (head, target))
    whole = bool(now.documents) and not any(problem.rule.mode == "enforce" for problem in now.problems)
    return whole and [one.value for one in now.documents] == [one.value for one in then.documents]


def _head_is_target(scene: Scene) -> bool:
    return scene.change.head.commit is not None and scene.change.head.commit == scene.change.policy.commit


class Weight(NamedTuple):
    """What a finding weighs, and what it will."""

    mode: Mode
    hardens: Hardening | None


def _weights_at_target(gate: Gate, scene: Scene) -> dict[str, Weight]:
    """The fingerprints of what the target already has."""
    try:
        result = gate.judge(scene.at_target())
    except CouldNotJudge as error:
        found = error.findings
    else:
        found = result.findings if isinstance(result, Failed) else ()
    return {finding.fingerprint: Weight(finding.mode, finding.hardens) for finding in with_fingerprints(found)}


def _after_merge(
    gate: Gate, scene: Scene, known: tuple[Finding, ...], changed_packs: frozenset[str]
) -> tuple[Finding, ...]:
    """What the changed settings would find in the whole repository, beyond what is known: warnings, announced."""
    if gate.OF_THE_CHANGE_ITSELF:
        return ()
    later = scene.after_merge(changed_packs)
    if later is None:
        return ()
    try:
        result = gate.judge(later)
        found = result.findings if isinstance(result, Failed) else ()
    except CouldNotJudge as error:
        found = error.findings
    now = {finding.fingerprint: Weight(finding.mode, finding.hardens) for finding in known}
    before: dict[str, Weight] | None = None
    out = []
    for finding in with_fingerprints(found):
        weight = Weight(finding.mode, finding.hardens)
        if _as_strict(now.get(finding.fingerprint), weight):
            continue
        if before is None:
            everything = replace(scene, change=replace(scene.change, judge_all=True))
            before = _weights_at_target(gate, everything)
        if not _as_strict(before.get(finding.fingerprint), weight):
            message = f"after the merge: {finding.message}"
            out.append(replace(finding, mode=milder(finding.mode, "warn"), message=message))
    return tuple(out)


def _as_strict(known: Weight | None, other: Weight) -> bool:
    """Whether what is known stops as much as the other would, now and from the day on which that one hardens."""
    if known is None or MILDNESS[known.mode] > MILDNESS[other.mode]:
        return False
    if other.hardens is None:
        return True
    then = known.mode
    if known.hardens is not None and known.hardens.on <= other.hardens.on:
        then = known.hardens.mode
    return MILDNESS[then] <= MILDNESS[other.hardens.mode]
