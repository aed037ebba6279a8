"""Approvals that are GitHub reviews: the adapter around the REST API (PyGithub, imported when a review is wanted).

A review counts when it approves exactly the commit that is judged, is its author's last word, was not dismissed, and
comes from somebody who wrote nothing of the pull request, given after it was last pointed at another branch. Teams are
expanded where the token may read them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gates.approvals import Approval
from maestro.codeowners import canonical_owner
from maestro.errors import ToolFailure

if TYPE_CHECKING:
    from github import Github
    from github.PullRequest import PullRequest
    from github.PullRequestReview import PullRequestReview

EVENTS = ("pull_request", "pull_request_review", "merge_group")
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


def applies(environ: Mapping[str, str]) -> bool:
    """Whether reviews can be read at all: a pull request's (or its merge queue's) job with a token."""
    return (
        environ.get("GITHUB_ACTIONS") == "true"
        and environ.get("GITHUB_EVENT_NAME") in EVENTS
        and bool(_token(environ) and environ.get("GITHUB_EVENT_PATH") and environ.get("GITHUB_REPOSITORY"))
    )


def review_approvals(environ: Mapping[str, str], *, head: str | None, owners: Iterable[str]) -> tuple[Approval, ...]:
    """The approving reviews of the pull request that the job is about.

    Args:
        environ: the job's environment (event, repository, API address, token).
        head: the commit that is judged; reviews of anything else say nothing about it.
        owners: those whose agreement is asked for; teams among them are expanded.

    Raises:
        ToolFailure: the event cannot be read, or GitHub did not answer.
    """
    wanted = _wanted(environ, head)
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
            pull = client.get_repo(environ["GITHUB_REPOSITORY"]).get_pull(wanted.number)
            reviewed = wanted.reviewed or pull.head.sha
            return tuple(_approval(client, pull, login, teams) for login in _approvers(pull, reviewed))
    except (GithubException, BadAttributeException, OSError, ValueError, TypeError, KeyError, AssertionError) as error:
        status = f" (status {error.status})" if isinstance(error, GithubException) else ""
        raise ToolFailure(
            f"GitHub could not be asked for the reviews of pull request {wanted.number}{status}: {_words(error)}",
            remedy="run the job again; its token needs `pull-requests: read`. `maestro approve` needs no GitHub",
        ) from error


def _token(environ: Mapping[str, str]) -> str:
    return environ.get("GITHUB_TOKEN") or environ.get("GH_TOKEN") or ""


def _wanted(environ: Mapping[str, str], head: str | None) -> _Wanted | None:
    path = environ["GITHUB_EVENT_PATH"]
    try:
        event = json.loads(Path(path).read_bytes())
        if environ["GITHUB_EVENT_NAME"] == "merge_group":
            return _queued(event["merge_group"], head)
        number, reviewed = event["pull_request"]["number"], event["pull_request"]["head"]["sha"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ToolFailure(f"the event cannot be read: {_words(error)}", where=path) from error
    if not isinstance(number, int) or not isinstance(reviewed, str):
        raise ToolFailure("the event names no pull request", where=path)
    # GITHUB_SHA is the merge of that head with the target, made by GitHub; some jobs check out the head itself.
    if head is None or head not in (environ.get("GITHUB_SHA"), reviewed):
        return None
    return _Wanted(number, reviewed)


def _queued(group: Mapping[str, Any], head: str | None) -> _Wanted | None:
    """In a merge queue the branch's name, given by GitHub, says which pull request the group adds to its parent."""
    branch = _QUEUE_BRANCH.fullmatch(group["head_ref"])
    if branch is None or head is None or head != group["head_sha"]:
        return None
    return _Wanted(int(branch[1]), None)


def _approvers(pull: PullRequest, reviewed: str) -> list[str]:
    """Logins whose last word approves the commit ``reviewed``, without those who wrote any of it."""
    last: dict[str, PullRequestReview] = {}
    for review in pull.get_reviews():
        # GitHub lists them in the order of time; somebody whose account is gone has no name and no say.
        if review.user is not None and review.state in _LAST_WORDS:
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
