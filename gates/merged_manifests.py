"""What may be executed at all: manifests that are merged, and still say the same at the tip of the default branch."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gates.assemble import settings_at
from gates.document_index import DocumentIndex
from gates.scene import Settings
from maestro.default_branch import default_branch_rev
from maestro.documents.document import Document
from maestro.errors import SelectionError, UsageError
from maestro.patterns import compile_patterns
from maestro.repository import Repository, Snapshot, compare
from policy.bundle.door import BundleDoor
from runner.errors import Refused


@dataclass(frozen=True)
class Merged:
    """The commit to execute from, and the tip that decides.

    ``policy_revision`` and ``commit`` are the commits of ``tip`` and ``source``.
    """

    tip: Snapshot
    source: Snapshot
    policy_revision: str
    commit: str
    settings: Settings
    at_source: DocumentIndex
    at_tip: DocumentIndex


def open_merged(repository: Repository, rev: str | None, now: dt.datetime, environ: Mapping[str, str]) -> Merged:
    """The merged state to run from: ``rev``, or the tip of the default branch, as of ``now``.

    Raises:
        UsageError: there is no default branch, no such revision, or no maestro.yaml at the tip.
        Refused: ``rev`` is not merged.
    """
    branch = default_branch_rev(repository, environ)
    policy_revision = repository.resolve(branch)
    commit = policy_revision if rev is None else repository.resolve(rev)
    if commit != policy_revision and not repository.is_ancestor(commit, policy_revision):
        hint = " (in a shallow clone this cannot be seen: fetch-depth: 0)" if repository.shallow else ""
        raise Refused(
            f"{commit[:12]} is not merged: it is no ancestor of {branch} at {policy_revision[:12]}{hint}",
            remedy=f"merge it, fetch {branch}, and run again",
        )
    tip = repository.snapshot(policy_revision)
    source = tip if commit == policy_revision else repository.snapshot(commit)
    settings = settings_at(tip, day=now.astimezone(dt.UTC).date(), door=BundleDoor(repository.root, now, environ))
    governs = compile_patterns(settings.config.documents)
    at_tip = DocumentIndex(tip, governs)
    at_source = at_tip if source is tip else DocumentIndex(source, governs)
    return Merged(tip, source, policy_revision, commit, settings, at_source, at_tip)


def by_name(merged: Merged, names: Sequence[str]) -> list[Document]:
    """The manifests of these names, in the order given, each once.

    Raises:
        SelectionError: one that is not there.
        UsageError: a name that two documents bear.
    """
    wanted = list(dict.fromkeys(name.removeprefix("Manifest/") for name in names))
    found: dict[str, list[Document]] = {name: [] for name in wanted}
    for document in merged.at_source.documents(merged.at_source.holding(wanted)):
        if document.kind == "Manifest" and document.name in found:
            found[document.name].append(document)
    for name, documents in found.items():
        if not documents:
            raise _no_such(merged, name)
        if len(documents) > 1:
            places = ", ".join(document.path for document in documents)
            raise UsageError(f"two manifests are called {name}: {places}", remedy="see `maestro check --all`")
    return [found[name][0] for name in wanted]


def _no_such(merged: Merged, name: str) -> SelectionError:
    index = merged.at_source
    names = [one.name for one in index.documents(index.holding(["Manifest"])) if one.kind == "Manifest"]
    broken = [path for path in index.holding([name]) if index.parsed(path).problems]
    near = difflib.get_close_matches(name, names, 1)
    remedy = f"did you mean {near[0]}?" if near else f"there are: {', '.join(sorted(names)[:20]) or 'none'}"
    if broken:
        remedy = f"{broken[0]} speaks of it and cannot be read: see `maestro check`"
    return SelectionError(f"there is no manifest {name!r} at {merged.commit[:12]}", remedy=remedy)


def changed(merged: Merged, before: Snapshot) -> list[Document]:
    """The manifests that are new or different since ``before``, by path."""
    paths = [change.path for change in compare(before, merged.source) if change.after is not None]
    then = DocumentIndex(before, merged.at_source.governs)
    said = {(one.path, one.name): one.raw.value for one in then.documents(paths) if one.kind == "Manifest"}
    return [
        document
        for document in merged.at_source.documents(paths)
        if document.kind == "Manifest" and said.get((document.path, document.name)) != document.raw.value
    ]


def require_unchanged(merged: Merged, documents: Iterable[Document]) -> None:
    """Insist that the tip still has the very files these manifests were read from.

    Raises:
        Refused: one was changed or removed since.
    """
    for document in documents:
        there = merged.tip.entries.get(document.path)
        if there is None or there != merged.source.entries[document.path]:
            what = "gone from" if there is None else "different at"
            raise Refused(
                f"{document.subject} of {merged.commit[:12]} is {what} the tip of the default branch",
                where=document.path,
                remedy="run it as it is merged now: leave --rev out",
            )
