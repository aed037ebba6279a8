"""Only an installation from a commit on GitHub knows where it came from."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gates.init_files.origin import installed_from

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def record(url: str, commit: str = COMMIT) -> str:
    return json.dumps({"url": url, "vcs_info": {"vcs": "git", "requested_revision": "v1", "commit_id": commit}})


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/acme/conductor",
        "https://github.com/acme/conductor.git",
        "ssh://git@github.com/acme/conductor.git",
    ],
)
def test_a_commit_on_github(url: str) -> None:
    assert installed_from(record(url)) == f"acme/conductor@{COMMIT}"


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "[]",
        json.dumps({"url": "file:///somewhere", "dir_info": {"editable": True}}),
        record("https://github.com.evil.example/acme/conductor"),
        record("https://github.com/acme/conductor/../x"),
        record("https://github.com/acme/conductor", "main"),
        record("https://github.com/acme/conductor", COMMIT + "\n"),
    ],
)
def test_anything_else_is_unknown(text: str | None) -> None:
    assert installed_from(text) is None


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert installed_from(text) is None
