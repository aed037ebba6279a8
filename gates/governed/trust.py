"""What of a change alters whom we trust: owners, approvers, the calling workflows; and links in place of any of it."""

from __future__ import annotations

from collections.abc import Iterator

from gates.approvals import codeowners_of, revoked_path
from gates.governed.packs import holds
from gates.governed.question import (
    CONFIG,
    FILES,
    TRUST,
    GovernedChange,
    Question,
    changed_line,
    count,
    names,
    texts,
    verb_of,
)
from gates.governed.rules import LINK, OWNERS_CHANGED, PARITY_CHANGED, TRUST_CHANGED, WORKFLOW_CHANGED
from gates.scene import Settings
from gates.ssh_signatures import listed
from maestro.codeowners import LOCATIONS
from maestro.findings import Location
from policy.parity.lock import LOCK_PATH, lock_at

_WORKFLOW_FOLDERS = (".github/workflows/", ".github/actions/", ".circleci/")
_WORKFLOW_FILES = (
    ".gitlab-ci.yml",
    ".pre-commit-config.yaml",
    "Jenkinsfile",
    "azure-pipelines.yml",
    "bitbucket-pipelines.yml",
)


def owner_changes(question: Question) -> Iterator[GovernedChange]:
    """A change to any of the three places of CODEOWNERS, as one."""
    touched = [one.path for one in question.changes if one.path in LOCATIONS]
    if not touched:
        return
    before, after = codeowners_of(question.change.policy), codeowners_of(question.change.head)
    governed = sorted(path for path in question.change.policy.entries if decides(question, path))
    moved = [path for path in governed if before.owners_of(path) != after.owners_of(path)]
    message = "CODEOWNERS changes"
    if moved:
        owners = " ".join(after.owners_of(moved[0])) or "nobody"
        message += f": {count(len(moved), 'file')} that decide would get other owners ({moved[0]}: {owners})"
    # A new file in another place replaces the one in force, so its owners have to agree, too.
    paths = sorted({*touched, *_in_force(question)})
    yield GovernedChange(OWNERS_CHANGED, message, changed_line(question, touched[0]), touched[0], tuple(paths))


def _in_force(question: Question) -> list[str]:
    entries = question.change.policy.entries
    return [path for path in LOCATIONS if path in entries and entries[path].is_file][:1]


def trust_changes(question: Question) -> Iterator[GovernedChange]:
    """Changes to the approvers and to the revoked keys."""
    signers = question.signers
    files = {signers: "approvers", revoked_path(signers): "revoked keys"}
    for change in question.changes:
        if change.path not in files:
            continue
        message = f"{change.path}, the list of {files[change.path]}, {verb_of(change)}"
        if change.path == signers:
            old, new = (_principals(text) for text in texts(question, change))
            words = [f"{name} is added" for name in new if name not in old]
            words += [f"{name} is removed" for name in old if name not in new]
            message += f": {names(words)}" if words else ""
        yield GovernedChange(TRUST_CHANGED, message, changed_line(question, change.path), change.path, (change.path,))


def _principals(text: bytes) -> list[str]:
    return [name for signer in listed(text) for name in signer.principals]


def parity_changes(question: Question) -> Iterator[GovernedChange]:
    """A change to the packs that regopy may judge without conftest."""
    change = next((one for one in question.changes if one.path == LOCK_PATH), None)
    if change is None:
        return
    sides = (lock_at(question.change.policy), lock_at(question.change.head))
    before, after = ({(name, one.program) for name, one in side.packs.items() if one.alike} for side in sides)
    words = [f"{name} may be judged by regopy" for name, _ in sorted(after - before)]
    words += [f"{name} as it was no longer" for name, _ in sorted(before - after)]
    message = f"{LOCK_PATH} {verb_of(change)}" + (f": {names(words)}" if words else "")
    yield GovernedChange(PARITY_CHANGED, message, changed_line(question, LOCK_PATH), LOCK_PATH, (LOCK_PATH,))


def workflow_changes(question: Question) -> Iterator[GovernedChange]:
    """Changes to what calls the check."""
    for change in question.changes:
        if is_workflow(change.path):
            message = f"{change.path} {verb_of(change)}: it can call, skip or imitate the check"
            yield GovernedChange(
                WORKFLOW_CHANGED, message, changed_line(question, change.path), change.path, (change.path,)
            )


def is_workflow(path: str) -> bool:
    """Whether the file at ``path`` can call the check."""
    return path.startswith(_WORKFLOW_FOLDERS) or path in _WORKFLOW_FILES


def links_in_place(question: Question) -> Iterator[GovernedChange]:
    """Links and submodules where something decides."""
    for change in question.changes:
        if change.after is None or change.after.mode in FILES:
            continue
        below = change.path + "/"
        replaced = [
            path
            for path in question.change.base.entries
            if (path == change.path or path.startswith(below)) and decides(question, path)
        ]
        if not replaced and not decides(question, change.path):
            continue
        kind = "a submodule" if change.after.mode == "160000" else "a symbolic link"
        message = f"{change.path} becomes {kind}"
        if replaced and replaced != [change.path]:
            message += f" in place of {count(len(replaced), 'file')} that decide: {names(replaced)}"
        paths = tuple(sorted({change.path, *replaced}))
        yield GovernedChange(LINK, message, Location(change.path), change.path, paths)


def decides(question: Question, path: str) -> bool:
    """Whether the file at ``path`` decides, under the settings of either side."""
    if path in (CONFIG, LOCK_PATH) or path in LOCATIONS or is_workflow(path):
        return True
    if path in (question.signers, revoked_path(question.signers), TRUST) or path in question.trust_roots:
        return True
    sides = [side for side in (question.before, question.after) if isinstance(side, Settings)]
    return any(holds(pack, path) for side in sides for pack in side.packs.packs)
