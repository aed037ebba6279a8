"""GitHub's REST API as far as reviews need it: one pull request, answering from a table over loopback."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from maestro.snapshot import Entry

BASE = "d" * 40
HEAD = "a" * 40
MERGE = "b" * 40
OLD = "c" * 40
PULL = "/repos/acme/governed/pulls/7"
ISSUE = PULL.replace("/pulls/", "/issues/")

Answers = dict[str, tuple[int, Any]]


class GitHub:
    """The server."""

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

    def merged(self, *, before: str, after: str, base: str, at: str = "2026-11-23T13:00:00Z") -> None:
        """The pull request was merged, as ``after`` into ``before``; ``base`` is what they had in common."""
        pull = {"merged_at": at, "merge_commit_sha": after, "base": {"ref": "main"}}
        self.answers[PULL][1].update(pull)
        listed = {"number": 7, "url": f"{self.url}{PULL}", **pull}
        self.answers[f"/repos/acme/governed/commits/{after}/pulls"] = (200, [listed])
        comparison = {"merge_base_commit": {"sha": base}}
        self.answers[f"/repos/acme/governed/compare/{before}...{HEAD}"] = (200, comparison)

    def tree(self, commit: str, entries: Mapping[str, Entry], *, truncated: bool = False) -> None:
        """Every file of a commit, and a folder."""
        listed = [
            {"path": path, "mode": entry.mode, "type": "blob", "sha": entry.oid} for path, entry in entries.items()
        ]
        folder = {"path": "folder", "mode": "040000", "type": "tree", "sha": "e" * 40}
        answer = {"sha": commit, "tree": [folder, *listed], "truncated": truncated}
        self.answers[f"/repos/acme/governed/git/trees/{commit}"] = (200, answer)


def review(
    login: str | None, state: str = "APPROVED", commit: str = HEAD, at: str = "2026-11-23T12:00:00Z"
) -> dict[str, Any]:
    user = {"login": login} if login else None
    return {"id": 1, "user": user, "state": state, "commit_id": commit, "body": "", "submitted_at": at}
