"""Approvals that are GitHub reviews: the adapter around the REST API (PyGithub, imported when a review is wanted).

A review counts when it approves exactly the commit that is judged, is its author's last word, was not dismissed, and
comes from somebody who wrote nothing of the pull request, given after it was last pointed at another branch. Teams are
expanded where the token may read them.

After the merge (a push to the default branch) the reviews given before it count once more, where what was pushed is
that one pull request and nothing else: whoever may push could bring more along under the name of what was approved.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gates.approvals import Approval
from gates.merged_content import beyond
from maestro.codeowners import canonical_owner
from maestro.errors import ToolFailure
from maestro.snapshot import Entry, Snapshot

if TYPE_CHECKING:
    from github import Github
    from github.PullRequest import PullRequest
    from github.PullRequestReview import PullRequestReview
    from github.Repository import Repository

EVENTS = ("pull_request", "pull_request_review", "merge_group", "push")
TIMEOUT_SECONDS = 15
_QUEUE_BRANCH = re.compile(r"refs/heads/gh-readonly-queue/.+/pr-(\d+)-[0-9a-f]{40,64}")
_MOST_COMMITS = 250
"""GitHub lists no more of a pull request."""
_LAST_WORDS = ("APPROVED", "CHANGES_REQUESTED", "DISMISSED")
"""States that replace what the same person said before; a comment or a pending review does not."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Whose reviews are wanted: the pull request, and the commit reviewed if the event fixes it."""

    number: int
    reviewed: str | None


@dataclass(frozen=True, slots=True)
class _Push:
    """What was pushed to the default branch."""

    branch: str
    before: str
    after: str


def applies(environ: Mapping[str, str]) -> bool:
    """Whether reviews can be read at all: the job of a pull request, its merge queue or its merge, with a token."""
    return (
        environ.get("GITHUB_ACTIONS") == "true"
        and environ.get("GITHUB_EVENT_NAME") in EVENTS
        and bool(_token(environ) and environ.get("GITHUB_EVENT_PATH") and environ.get("GITHUB_REPOSITORY"))
    )


def review_approvals(
    environ: Mapping[str, str], *, policy: Snapshot, head: Snapshot, owners: Iterable[str]
) -> tuple[Approval, ...]:
    """The approving reviews of the pull request that the job is about.

    Args:
        environ: the job's environment (event, repository, API address, token).
        policy: the policy revision; after a merge, the branch before it.
        head: what is judged; reviews of anything else say nothing about it.
        owners: those whose agreement is asked for; teams among them are expanded.

    Raises:
        ToolFailure: the event cannot be read, or GitHub did not answer.
    """
    wanted = _wanted(environ, policy.commit, head.commit)
    if wanted is None:
        return ()
    from github import Auth, BadAttributeException, Github, GithubException

    teams = sorted({canonical_owner(owner) for owner in owners if owner.startswith("@") and "/" in owner})
    try:
        with Github(
            auth=Auth.Token(_token(environ)),
            base_url=environ.get("GITHUB_API_URL") or "https://api.github.com",
            timeout=TIMEOUT_SECONDS,
            per_page=100,
            lazy=True,
            retry=2,
            seconds_between_requests=None,
        ) as client:
            repository = client.get_repo(environ["GITHUB_REPOSITORY"])
            if isinstance(wanted, _Push):
                return _after_the_merge(client, repository, wanted, policy, head, teams)
            pull = repository.get_pull(wanted.number)
            reviewed = wanted.reviewed or pull.head.sha
            return tuple(_approval(client, pull, login, teams) for login in _approvers(pull, reviewed))
    except (GithubException, BadAttributeException, OSError, ValueError, TypeError, KeyError, AssertionError) as error:
        status = f" (status {error.status})" if isinstance(error, GithubException) else ""
        which = "the push" if isinstance(wanted, _Push) else f"pull request {wanted.number}"
        raise ToolFailure(
            f"GitHub could not be asked for the reviews of {which}{status}: {_words(error)}",
            remedy="run the job again; its token needs `pull-requests: read`. `maestro approve` needs no GitHub",
        ) from error


def _after_the_merge(
    client: Github, repository: Repository, push: _Push, policy: Snapshot, head: Snapshot, teams: list[str]
) -> tuple[Approval, ...]:
    from github import GithubException

    try:
        pulls = [
            pull
            for pull in repository.get_commit(push.after).get_pulls()
            if pull.merged_at and pull.merge_commit_sha == push.after and pull.base.ref == push.branch
        ]
    except GithubException as error:
        if error.status != 403:
            raise
        # No error: a job whose approvals are all signed needs no such token.
        return (_void("reviews", "the job's token may not read them: it needs `pull-requests: read`"),)
    if len(pulls) != 1:
        return ()
    pull = repository.get_pull(pulls[0].number)
    logins = _approvers(pull, pull.head.sha, until=pull.merged_at)
    if not logins:
        return ()
    base = repository.compare(push.before, pull.head.sha).merge_base_commit.sha
    files = [_files(repository, commit) for commit in (base, pull.head.sha)]
    if None in files:
        fault: str | None = "GitHub lists not all of its files, so it is not known that nothing else was merged"
    else:
        stranger = beyond(files[0] or {}, policy.entries, files[1] or {}, head.entries)
        fault = stranger and (
            f"{stranger} was merged otherwise than it was reviewed; the branch was not up to date, or more was pushed"
        )
    if fault:
        return tuple(_void(f"@{login}", f"reviewed pull request {pull.number}, and {fault}") for login in logins)
    return tuple(_approval(client, pull, login, teams) for login in logins)


def _void(who: str, why: str) -> Approval:
    return Approval(who, "github-review", False, why)


def _files(repository: Repository, commit: str) -> dict[str, Entry] | None:
    """Every file of a commit as GitHub lists it; None where it lists not all."""
    tree = repository.get_git_tree(commit, recursive=True)
    if tree.raw_data["truncated"]:
        return None
    return {one.path: Entry(one.mode, one.sha) for one in tree.tree if one.type != "tree"}


def _token(environ: Mapping[str, str]) -> str:
    return environ.get("GITHUB_TOKEN") or environ.get("GH_TOKEN") or ""


def _wanted(environ: Mapping[str, str], policy: str | None, head: str | None) -> _Wanted | _Push | None:
    path, name = environ["GITHUB_EVENT_PATH"], environ["GITHUB_EVENT_NAME"]
    try:
        event = json.loads(Path(path).read_bytes())
        if name == "merge_group":
            return _queued(event["merge_group"], head)
        if name == "push":
            return _pushed(event, policy, head)
        number, reviewed = event["pull_request"]["number"], event["pull_request"]["head"]["sha"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ToolFailure(f"the event cannot be read: {_words(error)}", where=path) from error
    if not isinstance(number, int) or not isinstance(reviewed, str):
        raise ToolFailure("the event names no pull request", where=path)
    # GITHUB_SHA is the merge of that head with the target, made by GitHub; some jobs check out the head itself.
    if head is None or head not in (environ.get("GITHUB_SHA"), reviewed):
        return None
    return _Wanted(number, reviewed)


def _pushed(event: Mapping[str, Any], policy: str | None, head: str | None) -> _Push | None:
    """Of a push to another branch ``before`` is its pusher's choice, and so is whom it was merged into."""
    branch = event["repository"]["default_branch"]
    if event["ref"] != f"refs/heads/{branch}" or (event["before"], event["after"]) != (policy, head):
        return None
    return _Push(branch, event["before"], event["after"])


def _queued(group: Mapping[str, Any], head: str | None) -> _Wanted | None:
    """In a merge queue the branch's name, given by GitHub, says which pull request the group adds to its parent."""
    branch = _QUEUE_BRANCH.fullmatch(group["head_ref"])
    if branch is None or head is None or head != group["head_sha"]:
        return None
    return _Wanted(int(branch[1]), None)


def _approvers(pull: PullRequest, reviewed: str, *, until: dt.datetime | None = None) -> list[str]:
    """Logins whose last word (``until`` then) approves the commit ``reviewed``, without those who wrote any of it."""
    last: dict[str, PullRequestReview] = {}
    for review in pull.get_reviews():
        # GitHub lists them in the order of time; somebody whose account is gone has no name and no say.
        late = until is not None and review.state in _LAST_WORDS and review.submitted_at > until
        if review.user is not None and review.state in _LAST_WORDS and not late:
            last[review.user.login] = review
    approving = [one for one in last.values() if one.state == "APPROVED" and one.commit_id == reviewed]
    if not approving:
        return []
    # Into another branch the same commits were another change: less of it may have been shown to who approved.
    retargeted = [event.created_at for event in pull.get_issue_events() if event.event == "base_ref_changed"]
    wrote = {pull.user.login.lower()} if pull.user else set()
    listed = 0
    for listed, commit in enumerate(pull.get_commits(), start=1):  # noqa: B007 - the count is wanted
        wrote.update(person.login.lower() for person in (commit.author, commit.committer) if person and person.login)
    if listed >= _MOST_COMMITS:
        raise ValueError(f"it lists no more than {_MOST_COMMITS} commits, so it is not known who wrote the others")
    return [
        one.user.login
        for one in approving
        if one.user.login.lower() not in wrote and all(one.submitted_at > moment for moment in retargeted)
    ]


def _approval(client: Github, pull: PullRequest, login: str, teams: list[str]) -> Approval:
    stands_for, unknown = [f"@{login}"], []
    for team in teams:
        member = _is_member(client, team, login)
        if member:
            stands_for.append(team)
        elif member is None:
            unknown.append(team)
    detail = f"reviewed pull request {pull.number}"
    if unknown:
        detail += f"; the token may not read who is in {', '.join(unknown)}"
    return Approval(f"@{login}", "github-review", True, detail, f"github:{login.lower()}", tuple(stands_for))


def _is_member(client: Github, team: str, login: str) -> bool | None:
    """Whether ``login`` is an active member; None where the token cannot see the team."""
    from github import GithubException

    organisation, _, slug = team.removeprefix("@").partition("/")
    address = f"/orgs/{organisation}/teams/{slug}"
    try:
        client.requester.requestJsonAndCheck("GET", address)
    except GithubException as error:
        if error.status in (401, 403, 404):
            return None
        raise
    try:
        _, membership = client.requester.requestJsonAndCheck("GET", f"{address}/memberships/{login}")
    except GithubException as error:
        if error.status == 404:
            return False
        raise
    return bool(membership["state"] == "active")


def _words(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}"
