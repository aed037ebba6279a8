"""GitHub's rules of a branch, over HTTP, from a server of our own."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from gates.github_rules import branch_rules, repository_of
from maestro.errors import ToolFailure


@contextmanager
def github(status: int, answer: Any) -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    asked: list[tuple[str, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers.get("Authorization")))
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_rules_of_a_branch_with_a_slash() -> None:
    with github(200, [{"type": "pull_request"}]) as (address, asked):
        rules = branch_rules({"GITHUB_API_URL": address, "GH_TOKEN": "t"}, "acme/shop", "release/next")
    assert rules == [{"type": "pull_request"}]
    assert [(path.split("?")[0], token) for path, token in asked] == [
        ("/repos/acme/shop/rules/branches/release%2Fnext", "token t")
    ]


@pytest.mark.parametrize(("status", "answer"), [(404, {"message": "Not Found"}), (200, {"no": "list"}), (200, ["x"])])
def test_no_answer_is_no_pass(status: int, answer: Any) -> None:
    with github(status, answer) as (address, _), pytest.raises(ToolFailure, match="acme/shop"):
        branch_rules({"GITHUB_API_URL": address}, "acme/shop", "main")


def test_nobody_there() -> None:
    with pytest.raises(ToolFailure):
        branch_rules({"GITHUB_API_URL": "http://127.0.0.1:9"}, "acme/shop", "main")


@pytest.mark.parametrize(
    ("remote", "name"),
    [
        ("https://github.com/acme/shop.git\n", "acme/shop"),
        ("https://user@github.com/acme/shop", "acme/shop"),
        ("git@github.com:acme/shop.git", "acme/shop"),
        ("ssh://git@github.com/acme/shop.git", "acme/shop"),
        ("https://github.com.evil.example/acme/shop", None),
        ("https://gitlab.com/acme/shop", None),
        ("/srv/git/shop.git", None),
        ("", None),
    ],
)
def test_which_repository_a_remote_is(remote: str, name: str | None) -> None:
    assert repository_of(remote) == name
