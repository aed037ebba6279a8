"""What of a change alters whose artifacts are believed: trust.yaml, and the root files that it pins."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gates.governed.question import (
    FILES,
    TRUST,
    GovernedChange,
    Question,
    changed_line,
    names,
    texts,
    trust_policy_of,
    verb_of,
)
from gates.governed.rules import TRUST_CHANGED
from maestro.errors import MaestroError
from maestro.findings import Location

if TYPE_CHECKING:
    from maestro.provenance.trust_changes import TrustChange
    from maestro.provenance.trust_policy import Root
    from maestro.snapshot import Snapshot


def trusted_artifact_changes(question: Question) -> Iterator[GovernedChange]:
    """One finding for each root, key or entry of trust.yaml that changes, and for each root file."""
    changed = {one.path: one for one in question.changes}
    told: set[str] = set()
    if TRUST in changed:
        for one in _policy_changes(question):
            told.update(one.paths)
            yield one
    for path in sorted(question.trust_roots & changed.keys() - told):
        change = changed[path]
        message = f"{path}, a root of {TRUST}, {verb_of(change)}"
        policy = trust_policy_of(question.change.head)
        digest = hashlib.sha256(texts(question, change)[1]).hexdigest()
        if policy is not None and any(one.path == path and one.sha256 != digest for one in policy.roots):
            message += ": it is not the file whose digest is pinned, so nothing would be proven by it"
        yield GovernedChange(TRUST_CHANGED, message, changed_line(question, path), path, (path,))


def _policy_changes(question: Question) -> Iterator[GovernedChange]:
    from maestro.provenance.trust_changes import trust_changes
    from maestro.provenance.trust_policy import TrustPolicy

    change = next(one for one in question.changes if one.path == TRUST)
    old, new = trust_policy_of(question.change.base), trust_policy_of(question.change.head)
    place = changed_line(question, TRUST)
    if new is None:
        what = "is removed" if change.after is None else "could no longer be read"
        message = f"{TRUST} {what}: after the merge no artifact would be believed"
        yield GovernedChange(TRUST_CHANGED, message, place, TRUST, (TRUST,))
        return
    if old is None and change.before is not None:
        message = f"{TRUST} is repaired: before, it could not be read; all of it is new"
        yield GovernedChange(TRUST_CHANGED, message, place, TRUST, (TRUST,))
    before = old or TrustPolicy(apiVersion="maestro-conductor/v1", kind="TrustPolicy")
    found = trust_changes(before, new)
    if not found and old is None and change.before is None:
        message = f"{TRUST} is added, and believes nobody"
        yield GovernedChange(TRUST_CHANGED, message, place, TRUST, (TRUST,))
    for one in found:
        yield _finding(question, one)


def _finding(question: Question, found: TrustChange) -> GovernedChange:
    words = [*found.words, *_inside(question, found.root)]
    message = f"{TRUST}: {found.subject} {'; '.join(words)}"
    roots = {one.path for one in found.root or () if one is not None}
    touched = {one.path for one in question.changes} & roots
    paths = (TRUST, *sorted(touched))
    return GovernedChange(TRUST_CHANGED, message, _place(question, found), f"{TRUST}#{found.subject}", paths)


def _place(question: Question, found: TrustChange) -> Location:
    from maestro.documents.reading import read

    documents = read(TRUST, question.change.head.read(TRUST), dialect="strict").documents
    return documents[0].locate(found.steps) if documents else Location(TRUST)


def _inside(question: Question, roots: tuple[Root | None, Root | None] | None) -> Iterator[str]:
    """What the other file of a replaced root believes: its digest alone tells a reviewer nothing."""
    if roots is None or roots[0] is None or roots[1] is None or roots[0].sha256 == roots[1].sha256:
        return
    from maestro.provenance.root_changes import root_changes
    from maestro.provenance.trusted_root import load

    sides = zip((question.change.base, question.change.head), roots, strict=True)
    try:
        old, new = (
            load(_text(files, one), name=one.id, where=one.path, sha256=one.sha256) for files, one in sides if one
        )
    except MaestroError as error:
        yield f"what it holds cannot be told: {error.where}: {error.message}"
        return
    words = root_changes(old, new)
    yield names(words) if words else "it believes the same"


def _text(files: Snapshot, root: Root) -> bytes:
    entry = files.entries.get(root.path)
    return files.read(root.path) if entry is not None and entry.mode in FILES else b""
