"""From a selection to the change that is judged: what decides, what it is compared with, what differs."""

from __future__ import annotations

from dataclasses import dataclass

from maestro.errors import UsageError
from maestro.repository import NOTHING, Change, Repository, Snapshot, compare
from maestro.selection import PullRequest, Selection

CONFIG_PATH = "maestro.yaml"


@dataclass(frozen=True)
class ChangeSet:
    """The change to be judged.

    Attributes:
        policy: the policy revision, the target's tip: the only place from which what decides is read.
        base: the change base: says only what changed. Without a common ancestor it is `NOTHING`.
        head: what is judged.
        changes: what differs between base and head, sorted by path.
        judge_all: every document is judged, not only what changed.
        preview: the policy revision has no maestro.yaml but the head has: its copy is used and only warns.
        on_default_branch: the head is the target itself (with or without uncommitted work).
        source: what is judged against what, in words for the report.
    """

    policy: Snapshot
    base: Snapshot
    head: Snapshot
    changes: tuple[Change, ...]
    judge_all: bool
    preview: bool
    on_default_branch: bool
    source: str


def open_change(repository: Repository, selection: Selection, *, default_branch: str | None = None) -> ChangeSet:
    """Look up what the selection names.

    Args:
        repository: an open one.
        selection: from `maestro.selection.select`.
        default_branch: what maestro.yaml calls it; for repositories whose remote does not say.

    Raises:
        UsageError: a revision is not there, too little history was fetched, or the checkout is not the pull
            request's merge commit.
    """
    head, head_commit = _head(repository, selection)
    if head_commit is None and selection.target is None and repository.default_branch_rev(default_branch) is None:
        return _first_commit(head)
    target, base_is_target = _target(repository, selection, default_branch)
    policy = repository.snapshot(target)
    bases = (policy,) if base_is_target else _bases(repository, repository.resolve(target), head_commit, target)
    base = bases[0]
    changes = _changes(bases, head)
    implicit = selection.target is None and selection.head is None
    on_target = head_commit == policy.commit
    if not on_target and implicit and not changes:  # on the default branch, but behind its remote
        on_target = repository.current_branch() == target.removeprefix("origin/")
    judge_all = selection.all or (implicit and on_target and not changes)
    return ChangeSet(
        policy=policy,
        base=base,
        head=head,
        changes=changes,
        judge_all=judge_all,
        preview=CONFIG_PATH not in policy.entries and CONFIG_PATH in head.entries,
        on_default_branch=on_target,
        source=_words(selection, target, judge_all=judge_all),
    )


def _head(repository: Repository, selection: Selection) -> tuple[Snapshot, str | None]:
    """What is judged, and the commit it stands on (None before a branch's first one)."""
    if selection.head is None:
        return repository.worktree(), repository.find("HEAD")
    head = repository.snapshot(selection.head)
    return head, head.commit


def _words(selection: Selection, target: str, *, judge_all: bool) -> str:
    if selection.target is not None or selection.all:
        return selection.source
    if judge_all:
        return f"every document: nothing differs from {target}"
    what = "the working tree" if selection.head is None else selection.head
    return f"{what} against {target}"


def _first_commit(head: Snapshot) -> ChangeSet:
    return ChangeSet(
        policy=NOTHING,
        base=NOTHING,
        head=head,
        changes=compare(NOTHING, head),
        judge_all=True,
        preview=CONFIG_PATH in head.entries,
        on_default_branch=True,
        source="every document: the repository has no commit yet",
    )


def _target(repository: Repository, selection: Selection, default_branch: str | None) -> tuple[str, bool]:
    """The revision that decides, and whether it is the change base as well."""
    base_is_target = selection.base == "target"
    if selection.pull_request is not None:
        return _pull_request_target(repository, selection.pull_request, base_is_target=base_is_target)
    if selection.target is not None:
        if repository.find(selection.target) is None and selection.target_branch is not None:
            raise _not_fetched(selection.target, selection.target_branch)
        return selection.target, base_is_target
    found = repository.default_branch_rev(default_branch)
    if found is None:
        raise UsageError(
            "cannot tell which branch this is to be merged into",
            remedy="name it: --target BRANCH; or once for all: `git remote set-head origin --auto`, or at a desk "
            "default_branch in maestro.yaml",
        )
    return found, False


def _pull_request_target(repository: Repository, pull: PullRequest, *, base_is_target: bool) -> tuple[str, bool]:
    """The first parent of GitHub's merge commit. Were the checkout anything else, `HEAD^1` could be the author's own
    commit, and the pull request would judge itself."""
    head = repository.resolve("HEAD")
    parents = repository.parents(head)
    # A branch that is checked out by name can have moved on meanwhile, to a merge of the author's own making.
    is_githubs = pull.merge_sha is None or head == pull.merge_sha
    if len(parents) == 2 and parents[1] == pull.head_sha and is_githubs:
        if repository.find(parents[0]) is None:
            raise _not_fetched("HEAD^1", pull.base_ref)
        return parents[0], base_is_target
    if head == pull.head_sha:
        for rev in (f"origin/{pull.base_ref}", pull.base_sha):
            if repository.find(rev) is not None:
                return rev, False
        raise _not_fetched(pull.base_ref, pull.base_ref)
    raise UsageError(
        f"the checkout ({head[:12]}) is neither the merge commit of pull request #{pull.number} nor its head",
        remedy="let actions/checkout check out its default ref, with `fetch-depth: 2`, in a `pull_request` workflow",
    )


def _bases(
    repository: Repository, target_commit: str, head_commit: str | None, target: str
) -> tuple[Snapshot, *tuple[Snapshot, ...]]:
    if head_commit is None:
        return (NOTHING,)
    if head_commit == target_commit or repository.parents(head_commit)[:1] == (target_commit,):
        return (repository.snapshot(target_commit),)
    found = repository.merge_bases(target_commit, head_commit)
    if found:
        return (repository.snapshot(found[0]), *(repository.snapshot(commit) for commit in found[1:]))
    if repository.shallow:
        raise UsageError(
            f"this shallow clone does not reach back to where {head_commit[:12]} left {target}",
            remedy="fetch the history: git fetch --unshallow (actions/checkout: `fetch-depth: 0`)",
        )
    return (NOTHING,)


def _changes(bases: tuple[Snapshot, *tuple[Snapshot, ...]], head: Snapshot) -> tuple[Change, ...]:
    """What differs between the head and the base; or any base, where branches were merged crosswise.

    A merge then weighs all of them, so a file that is as the first base has it can still replace the target's.
    """
    first, *others = bases
    found = {change.path: change for change in compare(first, head)}
    for other in others:
        for change in compare(other, head):
            found.setdefault(change.path, Change(change.path, first.entries.get(change.path), change.after))
    return tuple(found[path] for path in sorted(found))


def _not_fetched(rev: str, branch: str) -> UsageError:
    return UsageError(
        f"{rev!r}, the tip of {branch} that decides, has not been fetched",
        remedy=f"actions/checkout: `fetch-depth: 2` for pull requests, 0 otherwise; by hand: git fetch origin "
        f"{rev if rev.isalnum() else branch}",
    )
