from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro.errors import UsageError
from maestro.github_event import read_event
from maestro.selection import PullRequest, Selection, SelectionOptions, select
from tests.support.github_event import EVENTS, environ, event

HEAD_SHA = "1f3a5b7c9d0e2f4a6b8c0d1e3f5a7b9c1d2e3f40"
BASE_SHA = "2a4c6e8f0b1d3f5a7c9e1b2d4f6a8c0e2b3d4f51"
PUSHED = "3b5d7f9a1c2e4a6b8d0f1c3e5a7b9d1f3c4e5a62"
BEFORE = "4c6e8a0b2d3f5b7c9e1a2d4f6b8c0e2a4d5f6b73"
QUEUED_FIRST = "5b1f0c1e4a3d2f6a7b8c9d0e1f2a3b4c5d6e7f80"
QUEUED_SECOND = "6e8a0c2d4f5b7d9e1c3a4f6b8d0e2a4c6f7b8d95"
ZERO = "0" * 40

RECORDED = {
    "pull_request": Selection(
        "HEAD^1",
        "HEAD",
        False,
        "pull request #42 into main",
        base="target",
        pull_request=PullRequest(42, HEAD_SHA, BASE_SHA, "main"),
        target_branch="main",
    ),
    "pull_request_fork": Selection(
        "HEAD^1",
        "HEAD",
        False,
        "pull request #43 from a fork into main",
        base="target",
        pull_request=PullRequest(43, HEAD_SHA, BASE_SHA, "main"),
        target_branch="main",
    ),
    "merge_group_second_of_two": Selection(
        QUEUED_FIRST, QUEUED_SECOND, False, "merge queue of main", base="target", target_branch="main"
    ),
    "push_after_squash_merge": Selection(
        BEFORE, PUSHED, False, "push to main, 4c6e8a0..3b5d7f9", base="target", target_branch="main"
    ),
    "push_new_branch": Selection("origin/main", "HEAD", False, "checkout-v2 against main (push)", target_branch="main"),
    "workflow_dispatch": Selection(
        "HEAD", "HEAD", True, "every document of main (workflow_dispatch)", target_branch="main"
    ),
    "schedule": Selection("HEAD", "HEAD", True, "every document of main (schedule)", target_branch="main"),
}


def chosen(
    name: str, *, target: str | None = None, head: str | None = None, all: bool = False, **changes: object
) -> Selection:
    return select(SelectionOptions(target, head, all), environ(name), event(name, **changes))


def test_every_recorded_event_is_in_the_table() -> None:
    assert {path.stem for path in EVENTS.glob("*.json")} == set(RECORDED)


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_events(name: str) -> None:
    assert chosen(name) == RECORDED[name]


def test_a_person_gets_the_default_branch_and_the_working_tree() -> None:
    selection = select(SelectionOptions(), {}, None)
    assert (selection.target, selection.head, selection.all) == (None, None, False)


@pytest.mark.parametrize(
    ("target", "head", "all_", "words"),
    [
        ("release", None, False, "the working tree against release"),
        (None, "topic", False, "topic against the default branch"),
        ("release", "topic", False, "topic against release"),
        (None, None, True, "every document of the working tree (--all)"),
        ("release", "topic", True, "every document of topic (--all)"),
    ],
)
def test_options_of_a_person(target: str | None, head: str | None, all_: bool, words: str) -> None:
    selection = select(SelectionOptions(target, head, all_), {}, None)
    assert selection == Selection(target, head, all_, words)


def test_options_go_before_the_event() -> None:
    assert chosen("pull_request", target="release") == Selection("release", "HEAD", False, "HEAD against release")
    assert chosen("pull_request", target="release", head="topic") == Selection(
        "release", "topic", False, "topic against release"
    )
    assert chosen("schedule", target="release", all=True) == Selection(
        "release", "HEAD", True, "every document of HEAD (--all)"
    )
    only_head = chosen("pull_request", head="topic")
    assert (only_head.target, only_head.head, only_head.base) == ("HEAD^1", "topic", "merge-base")
    assert only_head.pull_request is not None, "that HEAD^1 is the target's tip is still to be checked"


def test_both_options_together_need_no_event_at_all() -> None:
    options = SelectionOptions("release", "topic")
    assert select(options, environ("push_new_branch"), "garbage") == Selection(
        "release", "topic", False, "topic against release"
    )


def test_pull_request_target_and_reviews_are_judged_as_the_pull_request() -> None:
    """A job of pull_request_target stands on the target unless told otherwise: `open_change` then refuses, instead
    of judging the target and calling the pull request good."""
    for kind in ("pull_request_target", "pull_request_review"):
        selection = select(SelectionOptions(), environ("pull_request", GITHUB_EVENT_NAME=kind), event("pull_request"))
        assert selection == RECORDED["pull_request"]


def test_a_deleted_fork_is_still_a_fork() -> None:
    assert chosen("pull_request_fork", pull_request__head__repo=None).source == "pull request #43 from a fork into main"


def test_the_first_push_of_the_default_branch_is_judged_whole() -> None:
    selection = chosen("push_after_squash_merge", before=ZERO, created=True)
    assert (selection.target, selection.head, selection.all) == ("HEAD", "HEAD", True)


def test_a_new_commit_on_another_branch_is_judged_against_the_default_branch_not_its_own_past() -> None:
    selection = chosen("push_new_branch", before=BEFORE, created=False)
    assert (selection.target, selection.base) == ("origin/main", "merge-base")


def test_a_deleted_branch_leaves_the_default_branch_to_judge() -> None:
    selection = chosen("push_new_branch", before=BEFORE, after=ZERO, deleted=True)
    assert (selection.target, selection.head, selection.all) == ("HEAD", "HEAD", True)
    assert "deleted" in selection.source


def test_a_tag_is_judged_against_the_default_branch() -> None:
    selection = chosen("push_new_branch", ref="refs/tags/v1.0")
    assert (selection.target, selection.source) == ("origin/main", "v1.0 against main (push)")


def test_a_dispatch_on_another_branch_is_judged_against_the_default_branch() -> None:
    selection = select(
        SelectionOptions(), environ("workflow_dispatch", GITHUB_REF="refs/heads/topic"), event("workflow_dispatch")
    )
    assert (selection.target, selection.head, selection.all) == ("origin/main", "HEAD", False)


@pytest.mark.parametrize(
    ("name", "changes", "lacks"),
    [
        ("pull_request", {"pull_request": None}, "pull_request.pull_request"),
        ("pull_request", {"pull_request__head": []}, "pull_request.pull_request.head"),
        ("pull_request", {"pull_request__head__sha": "HEAD"}, "head.sha"),
        ("pull_request", {"pull_request__base__ref": "--upload-pack=x"}, "base.ref"),
        ("pull_request", {"pull_request__base__ref": "a\n::error::b"}, "base.ref"),
        ("pull_request", {"pull_request__number": True}, "number"),
        ("merge_group_second_of_two", {"merge_group__base_sha": ""}, "base_sha"),
        ("merge_group_second_of_two", {"merge_group__base_ref": None}, "base_ref"),
        ("push_after_squash_merge", {"before": None}, "before"),
        ("push_after_squash_merge", {"after": "main"}, "after"),
        ("push_after_squash_merge", {"ref": 5}, "ref"),
    ],
)
def test_an_event_that_lacks_what_its_kind_must_have(name: str, changes: dict[str, object], lacks: str) -> None:
    with pytest.raises(UsageError) as caught:
        select(SelectionOptions(), environ(name), event(name, **changes))
    assert lacks in caught.value.message
    assert "--target" in str(caught.value.remedy)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just(ZERO) | st.just(HEAD_SHA),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_KINDS = st.sampled_from(
    ["pull_request", "pull_request_target", "merge_group", "push", "schedule", "", "issue_comment"]
)


@given(kind=_KINDS, ref=st.text(max_size=12), value=_JSON)
def test_no_event_raises_anything_but_a_usage_error(kind: str, ref: str, value: Any) -> None:
    try:
        selection = select(SelectionOptions(), {"GITHUB_EVENT_NAME": kind, "GITHUB_REF": ref}, value)
    except UsageError:
        return
    assert selection.source


@given(st.data())
def test_no_damaged_event_raises_anything_but_a_usage_error(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(RECORDED)))
    damaged = event(name)
    place: Any = damaged
    while True:
        key = data.draw(st.sampled_from(sorted(place)))
        if not isinstance(place[key], dict) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    if data.draw(st.booleans()):
        del place[key]
    else:
        place[key] = data.draw(_JSON)
    try:
        selection = select(SelectionOptions(), environ(name), damaged)
    except UsageError:
        return
    assert selection.target is not None
    assert selection.source.isprintable()


# Reading the event.


def test_outside_of_actions_there_is_no_event() -> None:
    assert read_event({"GITHUB_EVENT_PATH": str(EVENTS / "push_new_branch.json")}) is None


def test_the_recorded_event_is_read() -> None:
    assert read_event(environ("schedule")) == event("schedule")


@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff", b"null", b"[" * 200_000])
def test_an_event_that_cannot_be_read_is_not_taken_for_none(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "event.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match="no readable event"):
        read_event({"GITHUB_ACTIONS": "true", "GITHUB_EVENT_PATH": str(path)})
    with pytest.raises(UsageError):
        read_event({"GITHUB_ACTIONS": "true"})


def test_the_recorded_events_name_nobody() -> None:
    for path in EVENTS.glob("*.json"):
        text = json.dumps(json.loads(path.read_text()))
        assert "@" not in text.replace("dev@acme.example", "").replace("noreply@github.com", "")
