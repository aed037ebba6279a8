"""What each pack is given of a change: the documents in scope, in the shape its kind of input has."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from gates.scene import Scene
from maestro.documents import Document
from maestro.documents.reading import RawDocument, read
from maestro.documents.rules import YAML_1_1
from maestro.findings import Finding, Location, Rule
from maestro.lfs_pointer import is_lfs_pointer
from maestro.patterns import compile_patterns
from maestro.repository import Snapshot

if TYPE_CHECKING:
    from maestro.documents.json_value import Json
    from policy.pack import Pack

UNREADABLE = Rule(
    "mc.policy/unreadable",
    "A file that a pack judges can be read",
    "repair the file, or take it out of the pack's `match`",
    hides=True,
)
READS_DIFFERENTLY = Rule(
    "mc.policy/yaml_1_1",
    "A scalar means the same in YAML 1.1 and 1.2",
    "put it in quotes, or write it so that both read the same",
    mode="warn",
)

_JUDGED_FILES = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class Judged:
    """One input of one pack: the value, and how to point into where it came from."""

    value: Json
    subject: str
    raw: RawDocument
    prefix: tuple[str | int, ...] = ()
    owner: str | None = None
    as_1_1: bool = False
    """The value is the other one, which YAML 1.1 reads in the same text."""
    place: str = ""
    """What tells it from others of the same subject: a foreign object's kind and name, else where it stands."""

    def locate(self, pointer: tuple[str | int, ...] | None) -> Location:
        """The place of ``pointer`` in the file, or the start of the document."""
        return self.raw.locate([*self.prefix, *(pointer or ())]) if pointer or self.prefix else self.raw.start


def inputs_of(scene: Scene, pack: Pack, found: Callable[[Finding], None]) -> Iterator[Judged]:
    """The inputs of ``pack`` in the scope of ``scene``; what is wrong with a file it judges goes to ``found``."""
    if pack.input == "document":
        yield from _documents(scene, pack, found)
    elif pack.input == "flag-change":
        yield from _changes(scene, "Flag")
    elif pack.input == "manifest-change":
        yield from _changes(scene, "Manifest")
    else:
        yield from _placements(scene)


def _documents(scene: Scene, pack: Pack, found: Callable[[Finding], None]) -> Iterator[Judged]:
    extra = {one.path: one.data for one in scene.extra_inputs if one.pack == pack.name}
    head = scene.change.head
    if scene.change.judge_all:
        candidates: Iterable[str] = head.entries
    else:
        candidates = scene.changed_paths
    matches = compile_patterns(pack.match)
    present = [path for path in candidates if path in head.entries]
    paths = sorted(path for path in present if head.entries[path].is_file and is_judged(path) and matches(path))
    for path in present:
        if not head.entries[path].is_file and not _harmless(head, path, matches):
            rule = Rule(UNREADABLE.id, UNREADABLE.title, UNREADABLE.remedy, pack.mode)
            what = "a submodule" if head.entries[path].mode == "160000" else "a symbolic link"
            message = f"{path} is {what}: what it leads to is not judged"
            remedy = "commit the files themselves, or take it out of the pack's `match`"
            found(rule.finding(message, Location(path), subject=path, remedy=remedy, owner=pack.owner))
    ours_and_sound = [path for path in paths if scene.at_head.has(path)]
    scene.at_head.load(ours_and_sound)
    ours_and_sound = [path for path in ours_and_sound if not scene.at_head.parsed(path).problems]
    for document in scene.at_head.documents(ours_and_sound):
        yield Judged(document.raw.value, document.subject, document.raw, owner=document.owner)
    contents = {**head.read_many(set(paths) - set(ours_and_sound)), **extra}
    for path, data in sorted(contents.items()):
        if is_lfs_pointer(data) and not scene.at_head.has(path):
            rule = Rule(UNREADABLE.id, UNREADABLE.title, UNREADABLE.remedy, pack.mode)
            message = f"{path} is a Git LFS pointer: what it stands for is not judged"
            remedy = f"take it out of LFS: `git lfs untrack {path}`, and commit the text"
            found(rule.finding(message, Location(path), subject=path, remedy=remedy, owner=pack.owner))
            continue
        reading = read(path, data, dialect="lenient")
        ours = "documents" in scene.gate_ids and scene.at_head.has(path)
        for problem in reading.problems:
            # The documents gate speaks of our own files; of others, this gate does, in the mode of the pack.
            if ours:
                continue
            mode = problem.rule.mode if problem.rule.mode == "warn" else pack.mode
            rule = Rule(UNREADABLE.id, UNREADABLE.title, UNREADABLE.remedy, mode)
            found(
                rule.finding(problem.message, problem.location, subject=path, remedy=problem.remedy, owner=pack.owner)
            )
        for note in () if ours else reading.notes:
            found(READS_DIFFERENTLY.finding(note.message, note.location, subject=path, remedy=note.remedy))
        for raw in reading.documents:
            yield from _elements(raw)
        if any(note.rule is YAML_1_1 for note in reading.notes):
            # Who reads the file next may read YAML 1.1 (conftest does, and Kubernetes): a deny of either counts.
            for raw in read(path, data, dialect="lenient", as_1_1=True).documents:
                yield from (replace(one, as_1_1=True) for one in _elements(raw))


def is_judged(path: str) -> bool:
    """Whether a pack that judges documents could read this file, by its ending."""
    return PurePosixPath(path).suffix.lower() in _JUDGED_FILES


def _harmless(head: Snapshot, path: str, matches: Callable[[str], bool]) -> bool:
    """Whether a link or submodule puts nothing unjudged where the pack judges: who reads a folder follows its links."""
    if not (matches(path) or matches(path + "/x.yaml")):
        return True
    if head.entries[path].mode != "120000":
        return False
    place = posixpath.join(posixpath.dirname(path), head.read(path).decode("utf-8", "surrogateescape"))
    target = posixpath.normpath(place)
    if _through_a_link(head, place):
        return False
    if target in head.entries:
        judged = is_judged(target) and matches(target)
        return head.entries[target].is_file and (judged or not is_judged(path))
    below = [other for other in head.entries if target == "." or other.startswith(target + "/")]
    return bool(below) and all(
        head.entries[other].is_file and (matches(other) or not is_judged(other)) for other in below
    )


def _through_a_link(head: Snapshot, place: str) -> bool:
    """Whether a folder on the way is a link or a submodule: `..` after it leads elsewhere than the text says."""
    folders: list[str] = []
    for part in place.split("/")[:-1]:
        if part == "..":
            folders = folders[:-1]
        elif part not in ("", "."):
            folders.append(part)
            if "/".join(folders) in head.entries:
                return True
    return False


def _elements(raw: RawDocument) -> Iterator[Judged]:
    """A foreign document, or the elements of a top-level list, as conftest evaluates them.

    Their subject is the path: whatever they call themselves, only governed documents have names of their own.
    """
    if isinstance(raw.value, list):
        for index, value in enumerate(raw.value):
            yield Judged(value, raw.path, raw, (index,), place=_place(value) or f"{raw.index}/{index}")
    else:
        yield Judged(raw.value, raw.path, raw, place=_place(raw.value) or (str(raw.index) if raw.index else ""))


def _place(value: Json) -> str:
    """``kind namespace/name`` of an object as Kubernetes writes them; empty for others."""
    metadata = value.get("metadata") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(metadata, dict):
        return ""
    kind, namespace, name = value.get("kind"), metadata.get("namespace", ""), metadata.get("name")
    named = isinstance(kind, str) and isinstance(namespace, str) and isinstance(name, str)
    return f"{kind} {namespace}/{name}" if named else ""


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
