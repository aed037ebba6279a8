from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from gates.github_reviews import applies, review_approvals
from maestro.errors import ToolFailure

HEAD = "a" * 40
MERGE = "b" * 40
OLD = "c" * 40
PULL = "/repos/acme/governed/pulls/7"
ISSUE = PULL.replace("/pulls/", "/issues/")

Answers = dict[str, tuple[int, Any]]


class GitHub:
    """GitHub's REST API as far as reviews need it, answering from a table over loopback."""

    def __init__(self) -> None:
        self.answers: Answers = {}
        self.asked: list[str] = []
        self.page_size: int | None = None
        double = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path, _, query = self.path.partition("?")
                double.asked.append(path)
                status, value = double.answers.get(path, (404, {"message": "Not Found"}))
                self.send_response(status)
                if double.page_size and isinstance(value, list):
                    page = next((int(part[5:]) for part in query.split("&") if part.startswith("page=")), 1)
                    if page * double.page_size < len(value):
                        address = f"{double.url}{path}?page={page + 1}"
                        self.send_header("Link", f'<{address}>; rel="next"')
                    value = value[(page - 1) * double.page_size : page * double.page_size]
                body = value if isinstance(value, bytes) else json.dumps(value).encode()
                self.send_header("Content-Type", "application/json; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def pull(self, *reviews: dict[str, Any], author: str = "dev", commits: tuple[str, ...] = ("dev",)) -> None:
        self.answers[PULL] = (
            200,
            {
                "url": f"{self.url}{PULL}",
                "issue_url": f"{self.url}{ISSUE}",
                "number": 7,
                "state": "open",
                "user": {"login": author},
                "head": {"sha": HEAD, "ref": "stage", "label": "acme:stage"},
            },
        )
        self.answers[f"{PULL}/reviews"] = (200, list(reviews))
        self.answers[f"{ISSUE}/events"] = (200, [])
        self.answers[f"{PULL}/commits"] = (
            200,
            [{"sha": HEAD, "author": {"login": name}, "committer": {"login": "web-flow"}} for name in commits],
        )

    def team(self, slug: str, *members: str, state: str = "active") -> None:
        self.answers[f"/orgs/acme/teams/{slug}"] = (200, {"slug": slug, "id": 1})
        for member in members:
            self.answers[f"/orgs/acme/teams/{slug}/memberships/{member}"] = (200, {"state": state, "role": "member"})


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


def review(
    login: str | None, state: str = "APPROVED", commit: str = HEAD, at: str = "2026-11-23T12:00:00Z"
) -> dict[str, Any]:
    user = {"login": login} if login else None
    return {"id": 1, "user": user, "state": state, "commit_id": commit, "body": "", "submitted_at": at}


def ask(environ: dict[str, str], head: str | None = MERGE, owners: tuple[str, ...] = ()) -> list[str]:
    found = review_approvals(environ, head=head, owners=owners)
    assert all(approval.verified and approval.method == "github-review" for approval in found)
    return [approval.who for approval in found]


def test_an_approving_review_of_the_judged_head_counts(github: GitHub, environ: dict[str, str]) -> None:
    github.pull(review("alex"))
    [approval] = review_approvals(environ, head=MERGE, owners=["@alex"])
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
    [approval] = review_approvals(environ, head=MERGE, owners=owners)
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
    assert not applies({**environ, "GITHUB_EVENT_NAME": "push"})
    assert not applies({})
