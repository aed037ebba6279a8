"""Gate ``documents``: what stands in the repository can be read, is well formed, unique, and refers to what exists."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Iterable, Iterator, Sequence

from gates.document_index import DocumentIndex
from gates.owners import unresolved
from gates.scene import Scene
from gates.unique_names import clashes
from maestro.config import CONFIG_PATH
from maestro.documents import Document, rules
from maestro.documents.manifest import Manifest
from maestro.documents.problem import Problem
from maestro.documents.waiver import Waiver
from maestro.errors import MaestroError
from maestro.findings import Edit, Finding, Fix, GateResult, Location, Rule, Skipped, result_of
from maestro.lfs_pointer import is_lfs_pointer
from maestro.path_hazards import hazards
from maestro.repository import Entry

ID = "documents"
NEEDS_REGO = False
OF_THE_CHANGE_ITSELF = False

LINK = Rule(
    "mc.documents/link", "A document is a regular file", "commit the file itself in place of the link", hides=True
)
SUBMODULE = Rule(
    "mc.documents/submodule", "Documents do not live in submodules", "commit the files themselves", hides=True
)
COLLISION = Rule(
    "mc.documents/path_collision",
    "No two paths differ only by case or by Unicode form",
    "rename one of them: on some machines they are one file",
)
PATH = Rule("mc.documents/path_not_utf8", "Paths are UTF-8", "rename the file")
GIT_FOLDER = Rule("mc.documents/git_folder", "No folder is named .git", "rename the folder: git would not look into it")
LFS = Rule(
    "mc.documents/lfs_pointer",
    "A document's text is in git itself",
    "take the file out of LFS: `git lfs untrack` it and commit the text",
    hides=True,
)
CONFIG = Rule(
    "mc.documents/config", "maestro.yaml can be read", "repair maestro.yaml: after the merge nothing would be judged"
)
DUPLICATE = Rule("mc.documents/duplicate_name", "Names are unique per kind", "give one of the two another name")
REFERENCE = Rule("mc.documents/reference", "What a document refers to exists", "correct the name, or add what it names")
STILL_REFERRED = Rule(
    "mc.documents/still_referred",
    "What others refer to is not removed",
    "change the documents that refer to it in the same pull request",
)
OWNER = Rule(
    "mc.documents/owner_unresolved",
    "An owner occurs in CODEOWNERS or in maestro.yaml's owners",
    "use an owner that occurs there, or add this one to maestro.yaml's `owners`",
)

RULES = (
    LINK,
    SUBMODULE,
    COLLISION,
    PATH,
    GIT_FOLDER,
    LFS,
    CONFIG,
    DUPLICATE,
    REFERENCE,
    STILL_REFERRED,
    OWNER,
    *rules.RULES,
)

_HAZARD_RULES = {
    "link": LINK,
    "escaping_link": LINK,
    "submodule": SUBMODULE,
    "case_collision": COLLISION,
    "unicode_collision": COLLISION,
    "not_utf8": PATH,
    "git_folder": GIT_FOLDER,
}


def judge(scene: Scene) -> GateResult:
    """Judge every governed file in scope, and what refers to what the change adds or removes."""
    scope = scene.scope
    removed = _removed(scene)
    findings = [*_config(scene), *_hazards(scene)]
    if not (scope or removed or findings):
        return Skipped("no governed document was touched")
    readable: list[Document] = []
    scene.at_head.load(scope)
    for path in scope:
        if is_lfs_pointer(scene.at_head.data(path)):
            findings.append(LFS.finding(f"{path} is a Git LFS pointer, not the document", Location(path), subject=path))
            continue
        parsed = scene.at_head.parsed(path)
        findings.extend(_problem(problem, path, scene.today) for problem in parsed.problems)
        readable.extend(parsed.documents)
    findings.extend(_duplicates(scene, readable))
    findings.extend(_references(scene.at_head, readable))
    findings.extend(_still_referred(scene.at_head, removed))
    findings.extend(
        found
        for document in readable
        if document.kind != "Flag" and (found := unresolved(OWNER, document, scene.settings.owners))
    )
    return result_of(len(scope) + len(removed), findings)


def _config(scene: Scene) -> Iterator[Finding]:
    error = scene.head_settings
    # Whether it may be taken away is a question to its owners: the gate governance asks it.
    if isinstance(error, MaestroError) and CONFIG_PATH in scene.change.head.entries:
        place = (error.where or "maestro.yaml").split(":")
        line, column = (int(part) if part.isdigit() else 1 for part in [*place[1:3], "1", "1"][:2])
        yield CONFIG.finding(
            error.message, Location(place[0], line, column), subject="maestro.yaml", remedy=error.remedy
        )


def _hazards(scene: Scene) -> Iterator[Finding]:
    """Hazardous entries among what is governed; of a change, only those that it brings."""
    index = scene.at_head
    entries: dict[str, Entry] = {
        path: entry for path, entry in index.snapshot.entries.items() if _concerns(index, path, entry)
    }
    touched = None if scene.change.judge_all else set(scene.changed_paths)
    for path, kind, other in hazards(entries, index.snapshot.read):
        if touched is not None and path not in touched and other not in touched:
            continue
        words = {
            "link": f"{path} is a symbolic link",
            "escaping_link": f"{path} is a symbolic link that leaves the repository ({other})",
            "submodule": f"{path} is a submodule: what it holds is not in this repository",
            "case_collision": f"{path} and {other} differ only by case",
            "unicode_collision": f"{path} and {other} are the same name in two Unicode forms",
            "not_utf8": f"{path!r} is not UTF-8",
            "git_folder": f"{path} holds a folder named .git",
        }[kind]
        yield _HAZARD_RULES[kind].finding(words, Location(path), subject=path)


def _concerns(index: DocumentIndex, path: str, entry: Entry) -> bool:
    if entry.mode in ("100644", "100755"):
        return index.governs(path)
    # A link or submodule may stand in place of a file or of a whole folder of them.
    return index.governs(path) or index.governs(path + "/x.yaml")


def _problem(problem: Problem, path: str, today: dt.date) -> Finding:
    fix = problem.fix
    if problem.rule is rules.RELATIVE_TTL and problem.days is not None and fix is None:
        date = (today + dt.timedelta(days=problem.days)).isoformat()
        fix = Fix(f"write the date: {date}", (Edit(problem.location, date),))
    return problem.rule.finding(
        problem.message,
        problem.location,
        subject=problem.subject or path,
        remedy=problem.remedy,
        fix=fix,
        discriminator=f"{problem.pointer or ''} {problem.message}",
    )


def _duplicates(scene: Scene, documents: Sequence[Document]) -> Iterator[Finding]:
    mine = [document for document in documents if document.kind != "Flag"]
    for document, other in clashes(mine, scene.at_head):
        yield DUPLICATE.finding(
            f"{document.subject} is also defined in {other.path}",
            document.locate(["metadata", "name"]),
            subject=document.subject,
            owner=document.owner,
            discriminator=document.path,
        )


def _names(index: DocumentIndex, kind: str, name: str) -> bool:
    return any(document.kind == kind and document.name == name for document in index.documents(index.holding([name])))


def _referred(document: Document) -> Iterator[tuple[Sequence[str | int], str, str]]:
    """(pointer, kind, name) of everything a document refers to."""
    model = document.model
    if isinstance(model, Manifest) and model.spec.pool is not None:
        yield ["spec", "pool"], "Pool", model.spec.pool
    if isinstance(model, Waiver):
        kind, slash, name = model.spec.subject.partition("/")
        if slash and kind in ("Manifest", "Flag", "Pool"):
            yield ["spec", "subject"], kind, name


def _references(index: DocumentIndex, documents: Iterable[Document]) -> Iterator[Finding]:
    for document in documents:
        for pointer, kind, name in _referred(document):
            if _names(index, kind, name):
                continue
            near = _nearest(index, kind, name)
            hint = f"did you mean {near!r}? " if near else ""
            yield REFERENCE.finding(
                f"{document.subject} refers to {kind}/{name}, which does not exist",
                document.locate(pointer),
                subject=document.subject,
                owner=document.owner,
                remedy=hint + REFERENCE.remedy,
                discriminator=f"{kind}/{name}",
            )


def _nearest(index: DocumentIndex, kind: str, name: str) -> str | None:
    known = [document.name for document in index.documents(index.holding([kind])) if document.kind == kind]
    near = difflib.get_close_matches(name, known, 1)
    return near[0] if near else None


def _removed(scene: Scene) -> list[Document]:
    """Documents of the base that the change leaves nowhere, under their (kind, name)."""
    if scene.change.judge_all:
        return []
    before = list(scene.at_base.documents(scene.changed_paths))
    if not before:
        return []
    after = {
        (document.kind, document.name)
        for document in scene.at_head.documents(scene.at_head.holding(document.name for document in before))
    }
    return [document for document in before if (document.kind, document.name) not in after]


def _still_referred(index: DocumentIndex, removed: Sequence[Document]) -> Iterator[Finding]:
    gone = {(document.kind, document.name) for document in removed if document.kind != "Waiver"}
    if not gone:
        return
    for document in index.documents(index.holding(name for _, name in gone)):
        for pointer, kind, name in _referred(document):
            if (kind, name) in gone:
                yield STILL_REFERRED.finding(
                    f"{kind}/{name} is removed, but {document.subject} refers to it",
                    document.locate(pointer),
                    subject=document.subject,
                    owner=document.owner,
                    discriminator=f"{kind}/{name}",
                )
