"""What is to be judged, and against what: from the command line and the event that GitHub recorded. Pure.

| run by | what decides (target) | what is judged (head) |
|---|---|---|
| a person | the default branch | the working tree |
| pull_request, also from a fork | first parent of GitHub's merge commit | that merge commit |
| merge_group | base_sha: the target with what is queued before | the group's commit |
| push to the default branch | the branch's tip before the push | the tip after it, squashed or not |
| push to another branch | the default branch | the pushed commit |
| anything else on the default branch | itself | every document |

The push job judges what was merged once more, so what decides is the branch as it was before the push: with the tip
after it, a merge that went round the check would be judged by the policy it brought along. A push to any other branch
is judged as if it were to be merged, because ``before`` on one's own branch is one's own choice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from maestro.errors import UsageError

HEAD = "HEAD"


class Options(Protocol):
    """What the command line says; None and False where it says nothing."""

    @property
    def target(self) -> str | None: ...  # noqa: D102
    @property
    def head(self) -> str | None: ...  # noqa: D102
    @property
    def all(self) -> bool: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class SelectionOptions:
    """`Options` as a plain value."""

    target: str | None = None
    head: str | None = None
    all: bool = False


@dataclass(frozen=True, slots=True)
class PullRequest:
    """What a pull request's event names; ``maestro.change`` checks that the checkout is its merge commit."""

    number: int
    head_sha: str
    base_sha: str
    base_ref: str
    merge_sha: str | None = None
    """The merge commit that GitHub made for the event, where it says so (GITHUB_SHA)."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What to judge, still in words of revisions.

    Attributes:
        target: the revision that decides; None: the remote's default branch, not yet looked up.
        head: the revision that is judged; None: the working tree.
        all: every document, not only what changed.
        source: where this comes from, in words for the report.
        base: ``merge-base`` of both; or ``target`` itself where the head is built on it or replaces it.
        pull_request: set when target and head rely on the checkout being this pull request's merge commit.
        target_branch: the target's branch name where the event tells it, for words and for fetching.
    """

    target: str | None
    head: str | None
    all: bool
    source: str
    base: Literal["merge-base", "target"] = "merge-base"
    pull_request: PullRequest | None = None
    target_branch: str | None = None


def select(options: Options, environ: Mapping[str, str], event: object) -> Selection:
    """What to judge.

    Args:
        options: the command line; it goes before the event.
        environ: GITHUB_EVENT_NAME and GITHUB_REF say what kind of event it is.
        event: the event's parsed JSON; None when not run by GitHub Actions.

    Raises:
        UsageError: the event lacks what its kind must have.
    """
    if event is None or (options.target is not None and options.head is not None):
        chosen = Selection(target=None, head=None, all=False, source="the working tree")
    else:
        chosen = _from_event(environ, event)
    if options.target is not None:
        chosen = replace(chosen, target=options.target, base="merge-base", pull_request=None, target_branch=None)
    if options.head is not None:
        base: Literal["merge-base", "target"] = "merge-base"
        chosen = replace(chosen, head=options.head, base=base)
    if options.target is not None or options.head is not None:
        chosen = replace(chosen, all=False, source=_words(chosen))
    if options.all:
        chosen = replace(chosen, all=True, source=f"every document of {_head_words(chosen)} (--all)")
    return chosen


def _from_event(environ: Mapping[str, str], event: object) -> Selection:
    name = environ.get("GITHUB_EVENT_NAME", "")
    if name.startswith("pull_request"):
        return _pull_request(name, environ, event)
    if name == "merge_group":
        return _merge_group(event)
    if name == "push":
        return _push(environ, event)
    return _other(name, environ, event)


def _pull_request(name: str, environ: Mapping[str, str], event: object) -> Selection:
    pull = _Event(name, event).object("pull_request")
    number, head, base = pull.number("number"), pull.object("head"), pull.object("base")
    base_ref = base.text("ref")
    fork = " from a fork" if _is_fork(head, base) else ""
    # For pull_request_target GITHUB_SHA is the target's tip; only for these is it the merge commit.
    merge_sha = environ.get("GITHUB_SHA") if name in ("pull_request", "pull_request_review") else None
    return Selection(
        target="HEAD^1",
        head=HEAD,
        all=False,
        source=f"pull request #{number}{fork} into {base_ref}",
        base="target",
        pull_request=PullRequest(number, head.commit("sha"), base.commit("sha"), base_ref, merge_sha or None),
        target_branch=base_ref,
    )


def _is_fork(head: _Event, base: _Event) -> bool:
    """A deleted fork has a null repository."""
    theirs, ours = head.get("repo"), base.get("repo")
    if not isinstance(ours, dict):
        return False
    return not isinstance(theirs, dict) or theirs.get("full_name") != ours.get("full_name")


def _merge_group(event: object) -> Selection:
    group = _Event("merge_group", event).object("merge_group")
    branch = group.text("base_ref").removeprefix("refs/heads/")
    return Selection(
        target=group.commit("base_sha"),
        head=group.commit("head_sha"),
        all=False,
        source=f"merge queue of {branch}",
        base="target",
        target_branch=branch,
    )


def _push(environ: Mapping[str, str], event: object) -> Selection:
    push = _Event("push", event)
    ref = push.text("ref")
    branch = ref.removeprefix("refs/heads/")
    before, after = push.commit("before"), push.commit("after")
    default = default_branch_of(event)
    if _is_zero(after) or push.get("deleted") is True:
        return Selection(HEAD, HEAD, True, f"every document: {branch} was deleted, this is what remains")
    if ref != f"refs/heads/{default}":
        return _other("push", environ, event, ref=ref)
    if _is_zero(before):
        return Selection(HEAD, HEAD, True, f"every document: first push of {branch}", target_branch=branch)
    return Selection(
        target=before,
        head=after,
        all=False,
        source=f"push to {branch}, {before[:7]}..{after[:7]}",
        base="target",
        target_branch=branch,
    )


def _other(name: str, environ: Mapping[str, str], event: object, *, ref: str | None = None) -> Selection:
    default = default_branch_of(event)
    ref = ref or environ.get("GITHUB_REF", "")
    short = re.sub(r"^refs/(heads|tags|remotes)/", "", ref) or "the checkout"
    what = name or "an event without a name"
    if default is None or ref == f"refs/heads/{default}":
        return Selection(HEAD, HEAD, True, f"every document of {short} ({what})", target_branch=default)
    return Selection(
        target=f"origin/{default}",
        head=HEAD,
        all=False,
        source=f"{short} against {default} ({what})",
        target_branch=default,
    )


def default_branch_of(event: object) -> str | None:
    """What an event calls the repository's default branch; None where it does not."""
    repository = event.get("repository") if isinstance(event, dict) else None
    name = repository.get("default_branch") if isinstance(repository, dict) else None
    return name if isinstance(name, str) and _is_plain(name) else None


def _words(selection: Selection) -> str:
    against = selection.target or "the default branch"
    return f"{_head_words(selection)} against {against}"


def _head_words(selection: Selection) -> str:
    return "the working tree" if selection.head is None else selection.head


def _is_zero(oid: str) -> bool:
    return not oid.strip("0")


def _is_plain(name: str) -> bool:
    return bool(name) and name.isprintable() and not name.startswith("-")


class _Event:
    """A part of an event; what it must have and has not is an error that says where."""

    def __init__(self, where: str, value: object) -> None:
        self._where = where
        self._value = value

    def get(self, key: str) -> object:
        return self._value.get(key) if isinstance(self._value, dict) else None

    def object(self, key: str) -> _Event:
        value = self.get(key)
        if not isinstance(value, dict):
            raise self._lacks(key, "an object")
        return _Event(f"{self._where}.{key}", value)

    def text(self, key: str) -> str:
        value = self.get(key)
        if not isinstance(value, str) or not _is_plain(value):
            raise self._lacks(key, "a name")
        return value

    def commit(self, key: str) -> str:
        value = self.get(key)
        if not isinstance(value, str) or not re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", value):
            raise self._lacks(key, "a commit id")
        return value

    def number(self, key: str) -> int:
        value = self.get(key)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._lacks(key, "a number")
        return value

    def _lacks(self, key: str, what: str) -> UsageError:
        return UsageError(
            f"the GitHub event names no {self._where}.{key}, or not {what}",
            remedy="name what to judge yourself: --target REV --head REV",
            where="GITHUB_EVENT_PATH",
        )
