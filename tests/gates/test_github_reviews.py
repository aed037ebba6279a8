from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gates.github_reviews import applies, review_approvals
from maestro.errors import ToolFailure
from maestro.snapshot import Snapshot
from tests.support.github_api import BASE, HEAD, ISSUE, MERGE, OLD, PULL, GitHub, review


@pytest.fixture
def github() -> Iterator[GitHub]:
    double = GitHub()
    yield double
    double.close()


@pytest.fixture
def environ(github: GitHub, tmp_path: Path) -> dict[str, str]:
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": 7, "head": {"sha": HEAD}}}))
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": "pull_request",
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_REPOSITORY": "acme/governed",
        "GITHUB_SHA": MERGE,
        "GITHUB_API_URL": github.url,
        "GITHUB_TOKEN": "not-a-secret",
    }


def at(commit: str | None, files: dict[str, bytes] | None = None) -> Snapshot:
    return Snapshot.of_files(files or {}, commit=commit)


def ask(environ: dict[str, str], head: str | None = MERGE, owners: tuple[str, ...] = ()) -> list[str]:
    found = review_approvals(environ, policy=at(OLD), head=at(head), owners=owners)
    assert all(approval.verified and approval.method == "github-review" for approval in found)
    return [approval.who for approval in found]


def test_an_approving_review_of_the_judged_head_counts(github: GitHub, environ: dict[str, str]) -> None:
    github.pull(review("alex"))
    [approval] = review_approvals(environ, policy=at(OLD), head=at(MERGE), owners=["@alex"])
    assert (approval.who, approval.identity, approval.stands_for) == ("@alex", "github:alex", ("@alex",))
    assert ask(environ, head=HEAD) == ["@alex"], "a job that checks out the head itself"


@pytest.mark.parametrize(
    "reviews",
    [
        [review("alex", commit=OLD)],
        [review("alex", "COMMENTED")],
        [review("alex", "PENDING")],
        [review("alex", "DISMISSED")],
        [review("alex"), review("alex", "CHANGES_REQUESTED")],
        [review("alex"), review("alex", "DISMISSED")],
        [review("alex"), review("alex", commit=OLD)],
        [review("dev")],
        [review("DEV")],
        [review(None)],
        [],
    ],
)
def test_what_does_not_count(github: GitHub, environ: dict[str, str], reviews: list[dict[str, Any]]) -> None:
    github.pull(*reviews)
    assert ask(environ) == []


def test_a_comment_after_an_approval_leaves_it_standing(github: GitHub, environ: dict[str, str]) -> None:
    github.pull(review("alex", "CHANGES_REQUESTED", OLD), review("alex"), review("alex", "COMMENTED"))
    assert ask(environ) == ["@alex"]


def test_nobody_approves_what_they_wrote(github: GitHub, environ: dict[str, str]) -> None:
    github.pull(review("alex"), review("sam"), commits=("dev", "Alex"))
    assert ask(environ) == ["@sam"]


def test_a_review_from_before_the_pull_request_changed_its_branch_does_not_count(
    github: GitHub, environ: dict[str, str]
) -> None:
    """Approved as a small change of a branch of the author's own, then pointed at the default branch."""
    github.pull(review("alex", at="2026-11-23T12:00:00Z"), review("sam", at="2026-11-23T14:00:00Z"))
    github.answers[f"{ISSUE}/events"] = (
        200,
        [
            {"event": "renamed", "created_at": "2026-11-23T15:00:00Z"},
            {"event": "base_ref_changed", "created_at": "2026-11-23T13:00:00Z"},
        ],
    )
    assert ask(environ) == ["@sam"]


def test_more_commits_than_github_lists_are_an_error(github: GitHub, environ: dict[str, str]) -> None:
    """The first beyond them could be the reviewer's own."""
    github.pull(review("alex"), commits=("dev",) * 250)
    with pytest.raises(ToolFailure, match="no more than 250 commits"):
        ask(environ)
    github.pull(review("alex"), commits=("dev",) * 249)
    assert ask(environ) == ["@alex"]


def test_reviews_beyond_the_first_page_are_read(github: GitHub, environ: dict[str, str]) -> None:
    github.page_size = 2
    github.pull(review("one", "COMMENTED"), review("two", "COMMENTED"), review("alex"), review("alex", "DISMISSED"))
    assert ask(environ) == []


def test_teams_are_expanded_where_the_token_can(github: GitHub, environ: dict[str, str]) -> None:
    github.pull(review("alex"))
    github.team("platform", "alex")
    github.team("security")
    github.team("pending", "alex", state="pending")
    owners = ["@Acme/Platform", "@acme/security", "@acme/pending", "@acme/hidden", "dev@acme.example"]
    [approval] = review_approvals(environ, policy=at(OLD), head=at(MERGE), owners=owners)
    assert approval.stands_for == ("@alex", "@acme/platform")
    assert approval.detail.endswith("the token may not read who is in @acme/hidden")


def test_reviews_of_another_commit_than_the_judged_are_not_even_asked_for(
    github: GitHub, environ: dict[str, str]
) -> None:
    github.pull(review("alex"))
    assert ask(environ, head=OLD) == []
    assert ask(environ, head=None) == [], "an uncommitted tree was reviewed by nobody"
    assert github.asked == []


def test_in_a_merge_queue_the_branch_names_the_pull_request(github: GitHub, environ: dict[str, str]) -> None:
    github.pull(review("alex"))
    environ["GITHUB_EVENT_NAME"] = "merge_group"
    group = {"head_ref": f"refs/heads/gh-readonly-queue/main/pr-7-{OLD}", "head_sha": MERGE, "base_sha": OLD}
    event = Path(environ["GITHUB_EVENT_PATH"])
    event.write_text(json.dumps({"merge_group": group}))
    assert ask(environ) == ["@alex"]
    assert ask(environ, head=HEAD) == []
    event.write_text(json.dumps({"merge_group": {**group, "head_ref": "refs/heads/main"}}))
    assert ask(environ) == []


@pytest.mark.parametrize("answer", [(500, {"message": "oops"}), (403, {"message": "no"}), (200, b"<html>"), (200, [])])
def test_an_outage_is_an_error_and_no_answer(github: GitHub, environ: dict[str, str], answer: tuple[int, Any]) -> None:
    github.answers[PULL] = answer
    with pytest.raises(ToolFailure, match="could not be asked"):
        ask(environ)


def test_an_outage_while_teams_are_read_is_an_error(github: GitHub, environ: dict[str, str]) -> None:
    github.pull(review("alex"))
    github.answers["/orgs/acme/teams/platform"] = (503, {"message": "later"})
    with pytest.raises(ToolFailure, match="503"):
        ask(environ, owners=("@acme/platform",))


def test_nobody_listens(environ: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and never listening: refuses for certain
        environ["GITHUB_API_URL"] = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ToolFailure, match="could not be asked") as caught:
            ask(environ)
    assert "not-a-secret" not in caught.value.message


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pull_request": {"number": "7", "head": {"sha": 1}}}'])
def test_an_unreadable_event_is_an_error(environ: dict[str, str], text: str) -> None:
    Path(environ["GITHUB_EVENT_PATH"]).write_text(text)
    with pytest.raises(ToolFailure, match="the event"):
        ask(environ)


def test_reviews_apply_only_to_jobs_of_pull_requests_that_have_a_token(environ: dict[str, str]) -> None:
    assert applies(environ)
    assert applies({**environ, "GITHUB_TOKEN": "", "GH_TOKEN": "x"})
    assert not applies({**environ, "GITHUB_TOKEN": ""})
    assert not applies({**environ, "GITHUB_ACTIONS": "false"})
    assert applies({**environ, "GITHUB_EVENT_NAME": "push"})
    assert not applies({**environ, "GITHUB_EVENT_NAME": "schedule"})
    assert not applies({})


COMMITS = f"/repos/acme/governed/commits/{MERGE}/pulls"
BEFORE = {"a": b"1", "b": b"1", "gone": b"1"}
REVIEWED = {"a": b"1", "b": b"2", "new": b"1"}
MERGED = {"a": b"2", "b": b"2", "new": b"1"}
"""``a`` had changed on the branch meanwhile."""


class Merged:
    """The job on push after that."""

    def __init__(self, github: GitHub, environ: dict[str, str]) -> None:
        self.github = github
        self.environ = {**environ, "GITHUB_EVENT_NAME": "push"}
        self.policy = at(OLD, {**BEFORE, "a": b"2"})
        github.pull(review("alex"))
        github.merged(before=OLD, after=MERGE, base=BASE)
        github.tree(BASE, at(BASE, BEFORE).entries)
        github.tree(HEAD, at(HEAD, REVIEWED).entries)
        self.event()

    def event(self, **other: Any) -> None:
        pushed = {"ref": "refs/heads/main", "before": OLD, "after": MERGE, "repository": {"default_branch": "main"}}
        Path(self.environ["GITHUB_EVENT_PATH"]).write_text(json.dumps(pushed | other))

    def ask(self, merged: dict[str, bytes] = MERGED) -> list[tuple[str, bool, str]]:
        found = review_approvals(self.environ, policy=self.policy, head=at(MERGE, merged), owners=())
        return [(one.who, one.verified, one.detail) for one in found]


@pytest.fixture
def merged(github: GitHub, environ: dict[str, str]) -> Merged:
    return Merged(github, environ)


def test_after_the_merge_a_review_given_before_it_counts(merged: Merged) -> None:
    assert merged.ask() == [("@alex", True, "reviewed pull request 7")]


@pytest.mark.parametrize(
    ("content", "path"),
    [
        (MERGED | {"policy/more": b"1"}, "policy/more"),
        (MERGED | {"new": b"2"}, "new"),
        ({"a": b"2", "b": b"2"}, "new"),
        (MERGED | {"gone": b"1"}, "gone"),
        (MERGED | {"a": b"1"}, "a"),
    ],
    ids=["more", "altered", "left-out", "kept", "undone"],
)
def test_what_was_not_reviewed_is_not_approved_under_the_name_of_what_was(
    merged: Merged, content: dict[str, bytes], path: str
) -> None:
    [(who, verified, detail)] = merged.ask(content)
    assert (who, verified) == ("@alex", False)
    assert f"{path} was merged otherwise than it was reviewed" in detail


def test_a_review_after_the_merge_approves_nothing(merged: Merged) -> None:
    reviews = [
        review("alex", at="2026-11-23T13:00:01Z"),
        review("sam"),
        review("sam", "DISMISSED", at="2026-11-24T01:00:00Z"),
    ]
    merged.github.answers[f"{PULL}/reviews"] = (200, reviews)
    assert merged.ask() == [("@sam", True, "reviewed pull request 7")], "and a word taken back afterwards was given"


@pytest.mark.parametrize(
    "event",
    [
        {"ref": "refs/heads/topic"},
        {"before": BASE},
        {"after": HEAD},
        {"repository": {"default_branch": "trunk"}},
    ],
    ids=str,
)
def test_a_push_that_is_not_this_merge_is_approved_by_nobody(merged: Merged, event: dict[str, Any]) -> None:
    merged.event(**event)
    assert merged.ask() == []
    assert merged.github.asked == []


@pytest.mark.parametrize(
    "pull",
    [{"merged_at": None}, {"merge_commit_sha": HEAD}, {"base": {"ref": "topic"}}],
    ids=str,
)
def test_a_pull_request_that_was_not_merged_by_this_push_says_nothing(merged: Merged, pull: dict[str, Any]) -> None:
    merged.github.answers[COMMITS][1][0].update(pull)
    assert merged.ask() == []


def test_two_pull_requests_merged_by_one_commit_are_one_too_many(merged: Merged) -> None:
    merged.github.answers[COMMITS][1].append({**merged.github.answers[COMMITS][1][0], "number": 8})
    assert merged.ask() == []


def test_files_that_github_does_not_list_are_not_vouched_for(merged: Merged) -> None:
    merged.github.tree(HEAD, at(HEAD, REVIEWED).entries, truncated=True)
    [(_, verified, detail)] = merged.ask()
    assert not verified
    assert "lists not all of its files" in detail


def test_a_token_that_may_not_read_pull_requests_is_said_and_ends_nothing(merged: Merged) -> None:
    merged.github.answers[COMMITS] = (403, {"message": "Resource not accessible by integration"})
    assert merged.ask() == [("reviews", False, "the job's token may not read them: it needs `pull-requests: read`")]


@pytest.mark.parametrize(
    "path", [COMMITS, PULL, f"/repos/acme/governed/git/trees/{HEAD}", f"/repos/acme/governed/compare/{OLD}...{HEAD}"]
)
def test_an_outage_after_the_merge_is_an_error(merged: Merged, path: str) -> None:
    merged.github.answers[path] = (502, {"message": "later"})
    with pytest.raises(ToolFailure, match="reviews of the push"):
        merged.ask()
