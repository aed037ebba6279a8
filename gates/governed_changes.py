"""What of a change alters what decides: packs, settings, owners, waivers, trust, the workflows that call the check.

Pure: snapshots and settings in, governed changes out; ``gates.governance`` asks who approved them. What is found more
precisely (a milder mode) stands for the plain edit that caused it: one change, one finding.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

from gates.approvals import (
    allowed_signers_path,
    codeowners_of,
    revoked_path,
    without_approvals,
)
from gates.document_index import DocumentIndex
from gates.scene import Settings
from gates.ssh_signatures import listed
from maestro.change import ChangeSet
from maestro.codeowners import LOCATIONS
from maestro.config import Config
from maestro.documents import Document, parse
from maestro.documents.reading import read
from maestro.documents.waiver import Waiver
from maestro.errors import MaestroError
from maestro.findings import MILDNESS, Location, Mode, Rule
from maestro.patterns import compile_patterns
from maestro.repository import Change
from policy.pack import Pack

CONFIG = "maestro.yaml"
_APPROVE = "have it approved by who owns it: a signature by `maestro approve`, or a review"

PACK_CHANGED = Rule("mc.governance/pack_changed", "A change to a pack is approved", _APPROVE)
PACK_REMOVED = Rule("mc.governance/pack_removed", "Taking a pack away is approved", _APPROVE)
MILDER_MODE = Rule("mc.governance/milder_mode", "A milder mode is approved", _APPROVE)
RULE_REMOVED = Rule("mc.governance/rule_removed", "Taking a rule away is approved", _APPROVE)
NARROWER_MATCH = Rule("mc.governance/narrower_match", "A pack that judges fewer files is approved", _APPROVE)
NARROWER_DOCUMENTS = Rule("mc.governance/narrower_documents", "Governing fewer documents is approved", _APPROVE)
OUT_OF_SCOPE = Rule(
    "mc.governance/out_of_scope",
    "Moving a document to where nothing judges it is approved",
    "leave it where it is judged, or " + _APPROVE,
)
SETTINGS_CHANGED = Rule("mc.governance/settings_changed", "A change to maestro.yaml is approved", _APPROVE)
MILDER_SETTING = Rule("mc.governance/milder_setting", "A milder setting is approved", _APPROVE)
OWNERS_CHANGED = Rule("mc.governance/owners_changed", "A change to CODEOWNERS is approved", _APPROVE)
WAIVER_CHANGED = Rule("mc.governance/waiver_changed", "A waiver is approved", _APPROVE)
TRUST_CHANGED = Rule("mc.governance/trust_changed", "A change to whom we trust is approved", _APPROVE)
WORKFLOW_CHANGED = Rule(
    "mc.governance/workflow_changed", "A change to the workflows that call the check is approved", _APPROVE
)
LINK = Rule(
    "mc.governance/link",
    "What decides is no link and no submodule",
    "commit the files themselves; a link can point to what nobody reviewed",
)

RULES = (
    PACK_CHANGED,
    PACK_REMOVED,
    MILDER_MODE,
    RULE_REMOVED,
    NARROWER_MATCH,
    NARROWER_DOCUMENTS,
    OUT_OF_SCOPE,
    SETTINGS_CHANGED,
    MILDER_SETTING,
    OWNERS_CHANGED,
    WAIVER_CHANGED,
    TRUST_CHANGED,
    WORKFLOW_CHANGED,
    LINK,
)

_WORKFLOW_FOLDERS = (".github/workflows/", ".github/actions/")
_WORKFLOW_FILES = (".gitlab-ci.yml", ".pre-commit-config.yaml")
_FILES = ("100644", "100755")
_SIMILAR = 0.5
"""The share of common lines from which a file counts as moved, as git's rename detection has it."""
_PAIRS = 4000
"""Comparisons of contents at most; beyond that, equal contents and equal file names still count as moved."""


@dataclass(frozen=True, slots=True)
class GovernedChange:
    """One change to what decides. ``paths`` are the files whose owners have to agree."""

    rule: Rule
    message: str
    location: Location
    subject: str
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Question:
    """A change, what decides before it and after it, and its documents under the patterns that decide now.

    ``before`` is None where the target's maestro.yaml cannot be read, so that a repair has nothing to compare with.
    """

    change: ChangeSet
    before: Settings | None
    after: Settings | MaestroError
    at_base: DocumentIndex
    at_head: DocumentIndex

    @cached_property
    def signers(self) -> str:
        """Where the policy revision keeps its approvers."""
        return self.before.config.allowed_signers if self.before else allowed_signers_path(self.change.policy)

    @property
    def changes(self) -> tuple[Change, ...]:
        """The changes without approvals: those add nothing to what decides."""
        return without_approvals(self.change.changes)


def governed_changes(question: Question) -> list[GovernedChange]:
    """Everything in the change that alters what decides, in the order of the rules' importance to a reader."""
    found = [
        *_packs(question),
        *_settings(question),
        *_owners(question),
        *_trust(question),
        *_waivers(question),
        *_moved_documents(question),
        *_workflows(question),
    ]
    links = list(_links(question))
    covered = {path for link in links for path in link.paths}
    return [*links, *(one for one in found if not covered.issuperset(one.paths))]


# Packs


def _holds(pack: Pack, path: str) -> bool:
    return path == pack.path or path.startswith(pack.path.rstrip("/") + "/") or path in pack.data


def _packs(question: Question) -> Iterator[GovernedChange]:
    changed = [one.path for one in question.changes]
    before = question.before.packs.packs if question.before else ()
    after = () if isinstance(question.after, MaestroError) else question.after.packs.packs
    settings_touched = CONFIG in changed
    pending = set(changed)
    met: set[str] = set()
    for pack in before:
        same = next((other for other in after if other.name == pack.name), None)
        same = same or next((other for other in after if other.path == pack.path), None)
        if same is not None:
            met.add(same.path)
        touched = [path for path in changed if _holds(pack, path) or (same is not None and _holds(same, path))]
        pending.difference_update(touched)
        if same is None and not touched and isinstance(question.after, Settings) and _stands(question, pack):
            # Its own files are as they were, so another of the change's files keeps it from being read.
            beside = pack.path.rpartition("/")[0] + "/"
            touched = [path for path in changed if path.startswith(beside)]
            pending.difference_update(touched)
            yield _pack_removed(question, pack, touched)
            continue
        if not touched and not settings_touched:
            continue
        if same is None:
            # An unreadable maestro.yaml says nothing about packs; it is found as a change to the settings.
            if not isinstance(question.after, MaestroError):
                yield _pack_removed(question, pack, touched)
            elif touched:
                yield _pack_changed(question, pack, touched)
            continue
        precise = list(_milder_pack(question, pack, same, touched))
        yield from precise
        if touched and not precise:
            yield _pack_changed(question, same, touched)
    for pack in after:
        touched = [path for path in changed if _holds(pack, path)]
        if pack.path in met or not (touched or settings_touched):
            continue
        pending.difference_update(touched)
        if question.before is None:
            # Nothing is known of the packs before; what changes of them is.
            if touched:
                yield _pack_changed(question, pack, touched)
            continue
        paths = tuple(touched) or (CONFIG,)
        yield GovernedChange(
            PACK_CHANGED, f"pack {pack.name} is added", _changed(question, paths[0]), f"Pack/{pack.name}", paths
        )
    yield from _unreadable_packs(question, pending)


def _stands(question: Question, pack: Pack) -> bool:
    """Whether the head has the pack's files; a branch that was cut before it was added has not."""
    return any(f"{pack.path.rstrip('/')}/{name}" in question.change.head.entries for name in pack.modules)


def _unreadable_packs(question: Question, pending: set[str]) -> Iterator[GovernedChange]:
    """Files in folders whose pack cannot be read on either side."""
    sides = [side for side in (question.before, question.after) if isinstance(side, Settings)]
    folders = {problem.pack.rstrip("/") for side in sides for problem in side.packs.problems if problem.pack}
    for folder in sorted(folders):
        touched = tuple(sorted(path for path in pending if path == folder or path.startswith(folder + "/")))
        if touched:
            message = f"{_count(len(touched), 'file')} of the pack in {folder} {_verb(touched)}: {_names(touched)}"
            yield GovernedChange(PACK_CHANGED, message, _changed(question, touched[0]), folder, touched)


def _pack_changed(question: Question, pack: Pack, touched: Sequence[str]) -> GovernedChange:
    message = f"{_count(len(touched), 'file')} of pack {pack.name} {_verb(touched)}: {_names(touched)}"
    return GovernedChange(PACK_CHANGED, message, _changed(question, touched[0]), f"Pack/{pack.name}", tuple(touched))


def _pack_removed(question: Question, pack: Pack, touched: Sequence[str]) -> GovernedChange:
    paths = tuple(touched) or (CONFIG,)
    location = _changed(question, paths[0])
    message = f"pack {pack.name} would no longer judge {_reach(question, pack)}"
    if isinstance(question.after, Settings):
        for problem in question.after.packs.problems:
            if problem.pack.rstrip("/") == pack.path.rstrip("/"):
                message += f": {problem.message}"
                location = problem.location
                break
    return GovernedChange(PACK_REMOVED, message, location, f"Pack/{pack.name}", paths)


def _milder_pack(question: Question, old: Pack, new: Pack, touched: Sequence[str]) -> Iterator[GovernedChange]:
    paths = tuple(touched) or (CONFIG,)
    subject = f"Pack/{new.name}"
    if MILDNESS[new.mode] > MILDNESS[old.mode]:
        message = f"pack {new.name} goes from {old.mode} to {new.mode} for {_reach(question, new)}"
        yield GovernedChange(MILDER_MODE, message, _changed(question, *paths, holding=r"\bmode\b"), subject, paths)
    modes_before, modes_after = _modes(old), _modes(new)
    gone = tuple(sorted(modes_before.keys() - modes_after.keys()))
    if gone:
        message = f"pack {new.name} loses {_count(len(gone), 'rule')} ({_names(gone)}) for {_reach(question, new)}"
        yield GovernedChange(RULE_REMOVED, message, _changed(question, *paths), subject, paths)
    for suffix, mode in modes_after.items():
        was = modes_before.get(suffix)
        # What the pack's own mode makes of all its rules was said once, above.
        if was is None or MILDNESS[mode] <= max(MILDNESS[was], MILDNESS[new.mode]):
            continue
        location = next(rule.location for rule in new.rules if rule.suffix == suffix)
        message = f"rule {new.name}/{suffix} goes from {was} to {mode} for {_reach(question, new)}"
        yield GovernedChange(MILDER_MODE, message, location, f"{new.name}/{suffix}", paths)
    if old.input == new.input == "document":
        lost = _lost(question, compile_patterns(old.match), compile_patterns(new.match))
        if lost:
            message = f"pack {new.name} would no longer judge {_count(len(lost), 'file')}: {_names(lost)}"
            location = _changed(question, *paths, holding=r"\bmatch\b")
            yield GovernedChange(NARROWER_MATCH, message, location, subject, paths)


def _modes(pack: Pack) -> dict[str, Mode]:
    """The strictest mode of the rules of each id."""
    out: dict[str, Mode] = {}
    for rule in pack.rules:
        mode = pack.mode_of(rule)
        if rule.suffix not in out or MILDNESS[mode] < MILDNESS[out[rule.suffix]]:
            out[rule.suffix] = mode
    return out


def _lost(question: Question, was: Callable[[str], bool], now: Callable[[str], bool]) -> tuple[str, ...]:
    entries = question.change.head.entries.items()
    return tuple(sorted(path for path, entry in entries if entry.mode in _FILES and was(path) and not now(path)))


def _reach(question: Question, pack: Pack) -> str:
    """Whom the pack judges, counted where its patterns say so."""
    if pack.input == "document":
        match = compile_patterns(pack.match)
        paths = tuple(
            path for path, entry in question.change.head.entries.items() if entry.mode in _FILES and match(path)
        )
        return _count(len(paths), "file") + (f" ({_names(sorted(paths))})" if paths else "")
    return {
        "flag-change": "every flag",
        "manifest-change": "every manifest",
        "placement-request": "every placement",
    }[pack.input]


# Settings


def _settings(question: Question) -> Iterator[GovernedChange]:
    if all(one.path != CONFIG for one in question.changes):
        return
    if isinstance(question.after, MaestroError):
        gone = CONFIG not in question.change.head.entries
        what = "is removed" if gone else "could no longer be read"
        message = f"{CONFIG} {what}: after the merge nothing would be judged"
        yield GovernedChange(SETTINGS_CHANGED, message, _changed(question, CONFIG), CONFIG, (CONFIG,))
        return
    if question.before is None:
        message = f"{CONFIG} is repaired: the target's cannot be read, so this change brings its own"
        yield GovernedChange(SETTINGS_CHANGED, message, _changed(question, CONFIG), CONFIG, (CONFIG,))
        return
    old, new = question.before.config, question.after.config
    said = {"packs"}  # what becomes of packs is said pack by pack
    for field, pointer, message in _milder_settings(old, new):
        said.add(field)
        yield GovernedChange(MILDER_SETTING, message, _setting(question, pointer), f"{CONFIG}#{field}", (CONFIG,))
    for field, message in _trust_settings(old, new):
        said.add(field)
        yield GovernedChange(TRUST_CHANGED, message, _setting(question, [field]), f"{CONFIG}#{field}", (CONFIG,))
    lost = _lost(question, question.at_head.governs, _governed_by(question.after))
    if lost:
        said.add("documents")
        message = f"{_count(len(lost), 'document file')} would no longer be governed: {_names(lost)}"
        yield GovernedChange(
            NARROWER_DOCUMENTS, message, _setting(question, ["documents"]), f"{CONFIG}#documents", (CONFIG,)
        )
    other = [field for field in type(new).model_fields if getattr(old, field) != getattr(new, field)]
    other = [field for field in other if field not in said]
    if other:
        message = f"{CONFIG} changes {', '.join(other)}"
        yield GovernedChange(SETTINGS_CHANGED, message, _setting(question, [other[0]]), CONFIG, (CONFIG,))


def _governed_by(settings: Settings) -> Callable[[str], bool]:
    return DocumentIndex(settings.snapshot, compile_patterns(settings.config.documents)).governs


def _milder_settings(old: Config, new: Config) -> Iterator[tuple[str, Sequence[str | int], str]]:
    """(field, pointer, message) of each setting that lets more through than before."""
    if (old.existing, new.existing) == ("block", "warn"):
        yield "existing", ["existing"], "findings that the target already has would no longer block"
    if new.approvals < old.approvals:
        message = f"a change to what decides would need {_count(new.approvals, 'approval')} instead of {old.approvals}"
        yield "approvals", ["approvals"], message
    limits = dict(old.flags.maximum_ttl_days)
    for kind, days in dict(new.flags.maximum_ttl_days).items():
        was = limits.get(kind)
        if was is not None and days > was:
            message = f"{kind} flags could live {days} days instead of {was}"
            yield "flags", ["flags", "maximum_ttl_days", kind], message
    if new.break_glass is None:
        return
    needed = _count(new.break_glass.approvals, "approval")
    if old.break_glass is None:
        yield "break_glass", ["break_glass"], f"a denied run could be forced with {needed}"
    elif new.break_glass.approvals < old.break_glass.approvals:
        message = f"forcing a denied run would need {needed} instead of {old.break_glass.approvals}"
        yield "break_glass", ["break_glass", "approvals"], message


def _trust_settings(old: Config, new: Config) -> Iterator[tuple[str, str]]:
    """(field, message) of each setting that says whom to trust."""
    if old.allowed_signers != new.allowed_signers:
        yield "allowed_signers", f"approvers would be read from {new.allowed_signers} instead of {old.allowed_signers}"
    was, now = {key.id: key for key in old.keys}, {key.id: key for key in new.keys}
    words = [f"{name} is added" for name in now if name not in was]
    words += [f"{name} is removed" for name in was if name not in now]
    words += [f"{name} is changed" for name in now if name in was and now[name] != was[name]]
    if words or old.keys != new.keys:
        yield "keys", f"the keys that verdicts and receipts are believed for change: {_names(words) or 'their order'}"


def _setting(question: Question, pointer: Sequence[str | int]) -> Location:
    documents = read(CONFIG, question.change.head.read(CONFIG), dialect="strict").documents
    return documents[0].locate(pointer) if documents else Location(CONFIG)


# Owners, trust, workflows, waivers


def _owners(question: Question) -> Iterator[GovernedChange]:
    touched = [one.path for one in question.changes if one.path in LOCATIONS]
    if not touched:
        return
    before, after = codeowners_of(question.change.policy), codeowners_of(question.change.head)
    governed = sorted(path for path in question.change.policy.entries if _decides(question, path))
    moved = [path for path in governed if before.owners_of(path) != after.owners_of(path)]
    message = "CODEOWNERS changes"
    if moved:
        owners = " ".join(after.owners_of(moved[0])) or "nobody"
        message += f": {_count(len(moved), 'file')} that decide would get other owners ({moved[0]}: {owners})"
    yield GovernedChange(OWNERS_CHANGED, message, _changed(question, touched[0]), touched[0], tuple(touched))


def _trust(question: Question) -> Iterator[GovernedChange]:
    signers = question.signers
    files = {signers: "approvers", revoked_path(signers): "revoked keys"}
    for change in question.changes:
        if change.path not in files:
            continue
        message = f"{change.path}, the list of {files[change.path]}, {_verb_of(change)}"
        if change.path == signers:
            old, new = (_principals(text) for text in _texts(question, change))
            words = [f"{name} is added" for name in new if name not in old]
            words += [f"{name} is removed" for name in old if name not in new]
            message += f": {_names(words)}" if words else ""
        yield GovernedChange(TRUST_CHANGED, message, _changed(question, change.path), change.path, (change.path,))


def _principals(text: bytes) -> list[str]:
    return [name for signer in listed(text) for name in signer.principals]


def _workflows(question: Question) -> Iterator[GovernedChange]:
    for change in question.changes:
        if _is_workflow(change.path):
            message = f"{change.path} {_verb_of(change)}: it can call, skip or imitate the check"
            yield GovernedChange(
                WORKFLOW_CHANGED, message, _changed(question, change.path), change.path, (change.path,)
            )


def _is_workflow(path: str) -> bool:
    return path.startswith(_WORKFLOW_FOLDERS) or path in _WORKFLOW_FILES


def _waivers(question: Question) -> Iterator[GovernedChange]:
    paths = [one.path for one in question.changes]
    old, new = _waivers_in(question.at_base, paths), _waivers_in(question.at_head, paths)
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before is not None and after is not None and _waiver(before) == _waiver(after):
            continue
        if after is not None:
            spec, location = _waiver(after).spec, after.locate(["spec", "until"])
            message = f"waiver {name} sets {spec.rule} for {spec.subject} aside until {spec.until}"
        elif before is not None:
            spec, location = _waiver(before).spec, Location(before.path)
            message = f"waiver {name} is removed: it set {spec.rule} for {spec.subject} aside"
        files = sorted({one.path for one in (before, after) if one is not None})
        yield GovernedChange(WAIVER_CHANGED, message, location, f"Waiver/{name}", tuple(files))


def _waivers_in(index: DocumentIndex, paths: Iterable[str]) -> dict[str, Document]:
    # A kind stands in the text letter for letter, unless there is a backslash (see document_index).
    holding = [path for path in paths if index.has(path) and re.search(rb"Waiver|\\", index.data(path))]
    return {document.name: document for document in index.documents(holding) if document.kind == "Waiver"}


def _waiver(document: Document) -> Waiver:
    return cast("Waiver", document.model)


# Documents that are still there, where nothing judges them


def _moved_documents(question: Question) -> Iterator[GovernedChange]:
    entries = question.change.head.entries
    arrived = [one for one in question.changes if one.after is not None and one.after.mode in _FILES]
    left = [one for one in question.changes if one.before is not None and one.path not in entries]
    outside = [one for one in arrived if not question.at_head.has(one.path)]
    told: set[str] = set()
    for origin, place, what in _moved_subjects(question, outside):
        told.add(origin)
        yield _out_of_scope(origin, place, f"{what} moves to {place}, which maestro.yaml does not govern")
    gone = [one for one in left if question.at_base.has(one.path)]
    for origin, place in _renamed(question, [one for one in gone if one.path not in told], outside, alike=False):
        told.add(origin)
        yield _out_of_scope(origin, place, f"{origin} moves to {place}, which maestro.yaml does not govern")
    for pack in question.before.packs.packs if question.before and left else ():
        if pack.input != "document" or pack.mode == "shadow":
            continue
        match = compile_patterns(pack.match)
        gone = [one for one in left if one.path not in told and match(one.path)]
        beyond = [one for one in arrived if not match(one.path)]
        for origin, place in _renamed(question, gone, beyond, alike=True):
            told.add(origin)
            message = f"{origin} moves to {place}, which pack {pack.name} does not judge"
            yield _out_of_scope(origin, place, message)


def _out_of_scope(origin: str, place: str, message: str) -> GovernedChange:
    return GovernedChange(OUT_OF_SCOPE, message, Location(place), origin, (origin,))


def _moved_subjects(question: Question, outside: Sequence[Change]) -> Iterator[tuple[str, str, str]]:
    """(old path, new path, subject) of documents that left the governed files and stand in others now."""
    if not outside:
        return
    paths = [one.path for one in question.changes]
    staying = {document.subject for document in question.at_head.documents(paths)}
    origins = {
        document.subject: document.path
        for document in question.at_base.documents(paths)
        if document.subject not in staying
    }
    if not origins:
        return
    texts = question.change.head.read_many([one.path for one in outside])
    for path, data in sorted(texts.items()):
        if b"maestro-conductor" not in data and b"\\" not in data:
            continue
        for document in parse(path, data).documents:
            origin = origins.pop(document.subject, None)
            if origin is not None:
                yield origin, path, document.subject


def _renamed(
    question: Question, gone: Sequence[Change], arrived: Sequence[Change], *, alike: bool
) -> Iterator[tuple[str, str]]:
    """(old path, new path) of files with the same content or, with ``alike``, the same name or half of the lines."""
    if not gone or not arrived:
        return
    contents: dict[str | None, str] = {}
    names: dict[str, str] = {}
    for one in arrived:
        contents.setdefault(one.after.oid if one.after else None, one.path)
        if one.before is None:
            names.setdefault(one.path.rpartition("/")[2], one.path)
    compared = alike and len(gone) * len(arrived) <= _PAIRS
    old = question.change.base.read_many([one.path for one in gone if one.before and one.before.mode in _FILES])
    new = question.change.head.read_many([one.path for one in arrived]) if compared else {}
    lines = {path: Counter(data.splitlines()) for path, data in new.items()}
    for one in gone:
        place = contents.get(one.before.oid if one.before else None)
        if place is None and alike:
            place = names.get(one.path.rpartition("/")[2])
        if place is None and compared and one.path in old:
            mine = Counter(old[one.path].splitlines())
            place = next((path for path, other in lines.items() if _similar(mine, other)), None)
        if place is not None:
            yield one.path, place


def _similar(one: Counter[bytes], other: Counter[bytes]) -> bool:
    return (one & other).total() >= _SIMILAR * max(one.total(), other.total(), 1)


# Links


def _links(question: Question) -> Iterator[GovernedChange]:
    for change in question.changes:
        if change.after is None or change.after.mode in _FILES:
            continue
        below = change.path + "/"
        replaced = [
            path
            for path in question.change.base.entries
            if (path == change.path or path.startswith(below)) and _decides(question, path)
        ]
        if not replaced and not _decides(question, change.path):
            continue
        kind = "a submodule" if change.after.mode == "160000" else "a symbolic link"
        message = f"{change.path} becomes {kind}"
        if replaced and replaced != [change.path]:
            message += f" in place of {_count(len(replaced), 'file')} that decide: {_names(replaced)}"
        paths = tuple(sorted({change.path, *replaced}))
        yield GovernedChange(LINK, message, Location(change.path), change.path, paths)


# What decides, and words


def _decides(question: Question, path: str) -> bool:
    """Whether the file at ``path`` decides, under the settings of either side."""
    if path == CONFIG or path in LOCATIONS or _is_workflow(path):
        return True
    if path in (question.signers, revoked_path(question.signers)):
        return True
    sides = [side for side in (question.before, question.after) if isinstance(side, Settings)]
    return any(_holds(pack, path) for side in sides for pack in side.packs.packs)


def _texts(question: Question, change: Change) -> tuple[bytes, bytes]:
    """The text before and after; empty where there is no regular file."""
    before = question.change.base.read(change.path) if change.before and change.before.mode in _FILES else b""
    after = question.change.head.read(change.path) if change.after and change.after.mode in _FILES else b""
    return before, after


def _changed(question: Question, *paths: str, holding: str | None = None) -> Location:
    """The first line that is new in one of ``paths``, preferably one that matches ``holding``."""
    fallback: Location | None = None
    for change in question.changes:
        if change.path not in paths:
            continue
        before, after = (data.decode("utf-8", "replace").split("\n") for data in _texts(question, change))
        known = set(before)
        fresh = [number for number, line in enumerate(after, start=1) if line not in known]
        if holding is not None:
            for number in fresh:
                if re.search(holding, after[number - 1]):
                    return Location(change.path, number)
        if fallback is None and (fresh or change.after is not None):
            fallback = Location(change.path, fresh[0] if fresh else 1)
    return fallback or Location(paths[0])


def _verb_of(change: Change) -> str:
    if change.before is None:
        return "is added"
    return "is removed" if change.after is None else "changes"


def _verb(paths: Sequence[str]) -> str:
    return "changes" if len(paths) == 1 else "change"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _names(words: Sequence[str]) -> str:
    """Up to three, and how many more."""
    more = f" and {len(words) - 3} more" if len(words) > 3 else ""
    return ", ".join(words[:3]) + more
