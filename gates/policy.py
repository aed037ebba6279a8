"""Gate ``policy``: what the packs of the repository say of the documents a change touches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from gates.scene import CouldNotJudge, Scene
from maestro.documents import Document
from maestro.documents.reading import RawDocument, read
from maestro.errors import MaestroError
from maestro.findings import Finding, Fix, GateResult, Location, Rule, Skipped, result_of
from maestro.patterns import compile_patterns
from policy import pack_rules

if TYPE_CHECKING:
    from maestro.documents.json_value import Json
    from policy.decide import Decision, Reason
    from policy.pack import Pack, PackProblem

ID = "policy"
NEEDS_REGO = True
OF_THE_CHANGE_ITSELF = False

UNREADABLE = Rule(
    "mc.policy/unreadable",
    "A file that a pack judges can be read",
    "repair the file, or take it out of the pack's `match`",
)
READS_DIFFERENTLY = Rule(
    "mc.policy/yaml_1_1",
    "A scalar means the same in YAML 1.1 and 1.2",
    "put it in quotes, or write it so that both read the same",
    mode="warn",
)
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

REPAIRABLE = ("policy/", "waivers/", "maestro.yaml")
"""A change that touches nothing else may repair what decides, so a broken pack does not stop it."""

_JUDGED_FILES = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class Judged:
    """One input of one pack: the value, and how to point into where it came from."""

    value: Json
    subject: str
    raw: RawDocument
    prefix: tuple[str | int, ...] = ()
    owner: str | None = None

    def locate(self, pointer: tuple[str | int, ...] | None) -> Location:
        """The place of ``pointer`` in the file, or the start of the document."""
        return self.raw.locate([*self.prefix, *(pointer or ())]) if pointer or self.prefix else self.raw.start


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
    inputs = [(pack, list(_inputs(scene, pack, tally))) for pack in packs]
    for pack, judged in inputs:
        if judged:
            _ask(scene, pack, judged, repairing, tally)
    if scene.only_packs is None:
        tally.findings.extend(_broken_after_merge(scene, {pack.name for pack, judged in inputs if judged}))
    else:
        tally.findings.extend(
            NO_ANSWER.finding(
                f"{name} as changed gives no answer: {message}", Location(name), subject=name, remedy=remedy
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


def _only_repairs(scene: Scene) -> bool:
    paths = scene.changed_paths
    return (
        bool(paths)
        and not scene.change.judge_all
        and all(path == "maestro.yaml" or path.startswith(REPAIRABLE[:2]) for path in paths)
    )


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
    tally.inputs += len(judged)
    failures: Counter[tuple[str, str | None]] = Counter()
    for one, decision in zip(judged, decisions, strict=True):
        tally.findings.extend(_findings(pack, one, decision))
        if decision.error is None:
            continue
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
            mode=reason.mode,
            remedy=reason.remedy,
            owner=pack.owner,
            fix=_fix(judged, reason),
            discriminator=reason.message,
        )


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


def _inputs(scene: Scene, pack: Pack, tally: _Tally) -> Iterator[Judged]:
    if pack.input == "document":
        yield from _documents(scene, pack, tally)
    elif pack.input == "flag-change":
        yield from _changes(scene, "Flag")
    elif pack.input == "manifest-change":
        yield from _changes(scene, "Manifest")
    else:
        yield from _placements(scene)


def _documents(scene: Scene, pack: Pack, tally: _Tally) -> Iterator[Judged]:
    extra = {one.path: one.data for one in scene.extra_inputs if one.pack == pack.name}
    head = scene.change.head
    if scene.change.judge_all:
        candidates: Iterable[str] = head.entries
    else:
        candidates = scene.changed_paths
    matches = compile_patterns(pack.match)
    paths = sorted(
        path
        for path in candidates
        if path in head.entries
        and head.entries[path].mode in ("100644", "100755")
        and PurePosixPath(path).suffix in _JUDGED_FILES
        and matches(path)
    )
    ours_and_sound = [path for path in paths if scene.at_head.has(path)]
    scene.at_head.load(ours_and_sound)
    ours_and_sound = [path for path in ours_and_sound if not scene.at_head.parsed(path).problems]
    for document in scene.at_head.documents(ours_and_sound):
        yield from _elements(document.raw)
    contents = {**head.read_many(set(paths) - set(ours_and_sound)), **extra}
    for path, data in sorted(contents.items()):
        reading = read(path, data, dialect="lenient")
        ours = "documents" in scene.gate_ids and scene.at_head.has(path)
        for problem in reading.problems:
            # The documents gate speaks of our own files; of others, this gate does, in the mode of the pack.
            if ours:
                continue
            mode = problem.rule.mode if problem.rule.mode == "warn" else pack.mode
            rule = Rule(UNREADABLE.id, UNREADABLE.title, UNREADABLE.remedy, mode)
            _once(
                tally,
                rule.finding(problem.message, problem.location, subject=path, remedy=problem.remedy, owner=pack.owner),
            )
        for note in () if ours else reading.notes:
            _once(tally, READS_DIFFERENTLY.finding(note.message, note.location, subject=path, remedy=note.remedy))
        for raw in reading.documents:
            yield from _elements(raw)


def _once(tally: _Tally, finding: Finding) -> None:
    """Two packs may read one file: what is wrong with the file is said once, in the stricter mode."""
    for index, known in enumerate(tally.findings):
        same = (known.rule, known.message, known.location) == (finding.rule, finding.message, finding.location)
        if same:
            if finding.mode == "enforce":
                tally.findings[index] = finding
            return
    tally.findings.append(finding)


def _elements(raw: RawDocument) -> Iterator[Judged]:
    """A document, or the elements of a top-level list, as conftest evaluates them."""
    if isinstance(raw.value, list):
        for index, value in enumerate(raw.value):
            yield Judged(value, raw.path, raw, (index,))
    else:
        yield Judged(raw.value, _subject(raw), raw)


def _subject(raw: RawDocument) -> str:
    """``Kind/name`` for our kinds (a waiver names them so), else the path: other kinds' names need not be unique."""
    value = raw.value
    if isinstance(value, dict) and value.get("apiVersion") == "maestro-conductor/v1":
        metadata = value.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else None
        if isinstance(name, str) and isinstance(value.get("kind"), str):
            return f"{value['kind']}/{name}"
    return raw.path


def _changes(scene: Scene, kind: str) -> Iterator[Judged]:
    from policy.inputs import flag_change_input, manifest_change_input

    build = flag_change_input if kind == "Flag" else manifest_change_input
    before: dict[str, Json] = {}
    if not scene.change.judge_all:
        before = {
            document.name: document.raw.value
            for document in scene.at_base.documents(scene.changed_paths)
            if document.kind == kind
        }
    for document in scene.at_head.documents(scene.scope):
        if document.kind == kind:
            value = build(before.get(document.name), document.raw.value, scene.now)
            yield _judged(value, document)


def _judged(value: Json, document: Document) -> Judged:
    return Judged(value, document.subject, document.raw, owner=document.owner)


def _placements(scene: Scene) -> Iterator[Judged]:
    """Manifests in scope; all of them where a pool changed, for a pool decides where each can go."""
    from policy.inputs import placement_request

    index = scene.at_head
    touched = [*scene.at_base.documents(scene.changed_paths), *index.documents(scene.scope)]
    if any(document.kind == "Pool" for document in touched):
        manifests = [one for one in index.documents(index.holding(["Manifest"])) if one.kind == "Manifest"]
    else:
        manifests = [one for one in index.documents(scene.scope) if one.kind == "Manifest"]
    if not manifests:
        return
    pools = [one.raw.value for one in index.documents(index.holding(["Pool"])) if one.kind == "Pool"]
    for document in manifests:
        yield _judged(placement_request(document.raw.value, pools, scene.now), document)


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
        if decision.error is not None and decision.error_kind in ("compile", "unsupported"):
            yield BROKEN_AFTER_MERGE.finding(
                f"the pack {pack.name} as changed here cannot judge: {decision.error}",
                pack.location,
                subject=pack.name,
                owner=pack.owner,
                remedy=decision.remedy,
            )
