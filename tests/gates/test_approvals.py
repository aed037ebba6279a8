from __future__ import annotations

import datetime as dt
import json
import os
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gates.approvals import (
    FILE_LIMIT,
    LONGEST,
    NAMESPACE,
    Approvable,
    Approval,
    Statement,
    approvable,
    collect_approvals,
    file_name,
    people,
    revoked_path,
    ssh_approvals,
)
from gates.ssh_signatures import sign
from maestro.change import ChangeSet
from maestro.repository import NOTHING, Snapshot, compare
from tests.support.ssh_keys import key

ENVIRON = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
COMMIT = "1" * 40
DEV = "dev@acme.example"


def allowed() -> bytes:
    lines = [f"{DEV},@acme/platform,@dev {key('alice').public}", f"sam@acme.example,@acme/platform {key('bob').public}"]
    return "\n".join(lines).encode()


def change(
    approvals: dict[str, bytes] | None = None,
    *,
    policy: dict[str, bytes] | None = None,
    head: dict[str, bytes] | None = None,
    commit: str = COMMIT,
) -> ChangeSet:
    before = Snapshot.of_files({"policy/allowed_signers": allowed(), "a": b"1", **(policy or {})}, commit=commit)
    files = {"policy/allowed_signers": allowed(), "a": b"2", **(head or {}), **(approvals or {})}
    after = Snapshot.of_files(files, commit="2" * 40)
    return ChangeSet(before, before, after, compare(before, after), False, False, False, "")


def statement(of: ChangeSet, who: str = DEV, **other: Any) -> Statement:
    subject = approvable(of)
    assert subject is not None
    hour = dt.timedelta(hours=1)
    return replace(Statement(who, subject, NOW - hour, NOW + dt.timedelta(days=7)), **other)


def written(said: Statement, signer: str = "alice", *, namespace: str = NAMESPACE, **fields: Any) -> bytes:
    signature = sign(said.message(), key(signer).private, namespace=namespace, environ=ENVIRON)
    return json.dumps({**said.fields(), "signature": signature, **fields}).encode()


def only(of: ChangeSet, now: dt.datetime = NOW) -> Approval:
    [approval] = ssh_approvals(of, ENVIRON, now)
    return approval


def test_a_signature_of_exactly_this_change_approves_it() -> None:
    said = statement(change())
    path = file_name(said)
    assert path.startswith("approvals/") and path.endswith("-dev-acme-example.json")
    approval = only(change({path: written(said)}))
    assert approval.verified, approval.detail
    assert (approval.who, approval.method, approval.path) == (DEV, "ssh", path)
    assert approval.stands_for == (DEV, "@acme/platform", "@dev"), "the same key's other names, asked of ssh-keygen"
    assert approval.identity.startswith("SHA256:")


def test_a_second_approval_leaves_the_first_standing() -> None:
    one, two = statement(change()), statement(change(), "sam@acme.example")
    both = ssh_approvals(change({file_name(one): written(one), file_name(two): written(two, "bob")}), ENVIRON, NOW)
    assert [approval.verified for approval in both] == [True, True]
    assert people(both) == 2


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"who": "sam@acme.example"}, "signature does not hold"),
        ({"who": "@acme/platform"}, "signature does not hold"),
        ({"expires": "2026-12-01T00:00:00Z"}, "signature does not hold"),
        ({"signed_at": "2026-11-22T00:00:00Z"}, "signature does not hold"),
        ({"signature": ""}, "signature does not hold"),
        ({"signature": 1}, "signature is not a text"),
        ({"policy_revision": "3" * 40}, "another policy revision"),
        ({"head_tree": "3" * 40}, "other content"),
        ({"diff_digest": "sha256:" + "3" * 64}, "other content"),
        ({"policy_revision": "main"}, "is not an id"),
        ({"expires": "soon"}, "not a time"),
        ({"expires": "2026-02-30T00:00:00Z"}, "not a time"),
        ({"expires": "2027-11-30T00:00:00Z"}, "longer than 30 days"),
        ({"who": "*"}, "not one principal"),
        ({"schema": "other"}, "not an approval this version knows"),
        ({"method": "email"}, "not an approval this version knows"),
        ({"more": "x"}, "'more' is unknown"),
    ],
)
def test_a_file_that_was_tampered_with_does_not_count(fields: dict[str, Any], words: str) -> None:
    data = written(statement(change()), **fields)
    approval = only(change({"approvals/x.json": data}))
    assert not approval.verified
    assert words in approval.detail


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"\xff", b'{"who": "a", "who": "b"}', b"null", b"[" * 100_000, b" " * 70_000, b"{}"]
)
def test_a_malformed_file_does_not_count_and_is_named(data: bytes) -> None:
    approval = only(change({"approvals/x.json": data}))
    assert (approval.verified, approval.path) == (False, "approvals/x.json")
    assert approval.detail


def test_only_regular_json_files_of_the_folder_are_read() -> None:
    data = written(statement(change()))
    assert not only(change({"approvals/x.txt": data})).verified
    assert ssh_approvals(change(head={"deep/approvals/x.json": data}), ENVIRON, NOW) == ()


def test_a_foreign_key_another_namespace_and_a_missing_list_do_not_count() -> None:
    said = statement(change())
    assert not only(change({"approvals/x.json": written(said, "mallory")})).verified
    assert not only(change({"approvals/x.json": written(said, "bob")})).verified, "a listed key, another's name"
    assert not only(change({"approvals/x.json": written(said, namespace="git")})).verified
    none = change(policy={"policy/allowed_signers": b""})
    assert not only(
        change({"approvals/x.json": written(statement(none))}, policy={"policy/allowed_signers": b""})
    ).verified


def test_keys_that_the_change_itself_adds_do_not_count() -> None:
    mine = {"policy/allowed_signers": f"mallory@acme.example {key('mallory').public}".encode()}
    said = statement(change(head=mine), "mallory@acme.example")
    assert not only(change({"approvals/x.json": written(said, "mallory")}, head=mine)).verified


def test_a_key_revoked_at_the_policy_revision_does_not_count() -> None:
    revoked = {"policy/revoked_signers": key("alice").public.encode()}
    said = statement(change(policy=revoked))
    approval = only(change({"approvals/x.json": written(said)}, policy=revoked))
    assert not approval.verified and "revoked" in approval.detail.lower()
    # Revoking in the change is for the next one; it cannot undo a signature that stands for this one.
    assert revoked_path("policy/allowed_signers") == "policy/revoked_signers"
    assert revoked_path("allowed_signers") == "revoked_signers"


def test_it_holds_from_signing_to_expiry_whatever_the_clock_says() -> None:
    said = statement(change())
    there = change({"approvals/x.json": written(said)})
    assert only(there, said.expires - dt.timedelta(seconds=1)).verified
    assert "expired" in only(there, said.expires).detail
    assert only(there, said.signed_at).verified
    early = only(there, said.signed_at - dt.timedelta(minutes=11))
    assert not early.verified and "clocks" in early.detail
    longest = statement(change(), expires=NOW - dt.timedelta(hours=1) + LONGEST)
    assert only(change({"approvals/x.json": written(longest)})).verified


def test_it_lapses_when_anything_moves() -> None:
    data = written(statement(change()))
    assert not only(change({"approvals/x.json": data}, commit="4" * 40)).verified, "the target moved on"
    assert not only(change({"approvals/x.json": data}, head={"b": b"1"})).verified, "another file came along"
    assert not only(change({"approvals/x.json": data}, head={"a": b"3"})).verified, "the content changed"
    assert not only(change({"approvals/x.json": data}, policy={"a": b"0"})).verified, "what it is compared with changed"


def test_approvals_merged_long_ago_are_passed_over() -> None:
    old = {"approvals/old.json": b"garbage"}
    assert ssh_approvals(change(old, policy=old), ENVIRON, NOW) == ()


def test_a_flood_of_approvals_is_bounded_and_said() -> None:
    flood = {f"approvals/{number:03}.json": b"{}" for number in range(FILE_LIMIT + 3)}
    found = ssh_approvals(change(flood), ENVIRON, NOW)
    assert len(found) == FILE_LIMIT + 3
    assert sum("not looked at" in approval.detail for approval in found) == 3


def test_without_a_commit_nothing_can_be_approved() -> None:
    head = Snapshot.of_files({"approvals/x.json": b"{}"})
    first = ChangeSet(NOTHING, NOTHING, head, compare(NOTHING, head), True, False, True, "")
    assert approvable(first) is None
    assert collect_approvals(first, ENVIRON, NOW) == ()


def test_approvals_leave_what_is_approved_as_it_was() -> None:
    assert approvable(change()) == approvable(change({"approvals/x.json": b"1", "approvals/y/z": b"2"}))
    assert approvable(change()) != approvable(change(head={"approvalsx": b"1"}))


def ssh(who: str, identity: str, *others: str) -> Approval:
    return Approval(who, "ssh", True, "", identity, (who, *others))


def review(login: str) -> Approval:
    return Approval(f"@{login}", "github-review", True, "", f"github:{login}", (f"@{login}",))


@pytest.mark.parametrize(
    ("approvals", "number"),
    [
        ([], 0),
        ([ssh("a", "k1"), ssh("b", "k2")], 2),
        ([ssh("a", "k1"), ssh("b", "k1")], 1),
        ([ssh("a", "k1"), ssh("a", "k2")], 1),
        ([ssh("@acme/platform", "k1"), ssh("@Acme/platform", "k2")], 1),
        ([ssh("a", "k1"), ssh("b", "k2"), ssh("a", "k2")], 1),
        ([review("x"), review("y")], 2),
        ([review("x"), ssh("a", "k1")], 1),
        ([review("x"), ssh("a", "k1", "@X")], 1),
        ([review("x"), ssh("a", "k1", "@y")], 2),
        ([review("x"), ssh("a", "k1", "@acme/platform")], 1),
        ([replace(ssh("a", "k1"), verified=False)], 0),
    ],
)
def test_people_are_counted_once(approvals: list[Approval], number: int) -> None:
    assert people(approvals) == number
    assert people(reversed(approvals)) == number


_ONES = st.builds(
    Approval,
    st.sampled_from(["a", "b", "@x", "@y"]),
    st.sampled_from(["ssh", "github-review"]),
    st.booleans(),
    st.just(""),
    st.sampled_from(["k1", "k2", "k3"]),
    st.lists(st.sampled_from(["@x", "@y", "@acme/t"]), max_size=2).map(tuple),
)


@given(st.lists(_ONES, max_size=6))
def test_never_more_people_than_keys_or_names(approvals: list[Approval]) -> None:
    verified = [approval for approval in approvals if approval.verified]
    assert people(approvals) <= len({approval.identity for approval in verified})
    assert people(approvals) <= len({approval.who for approval in verified})
    assert people([*approvals, *approvals]) == people(approvals)
    assert (people(approvals) > 0) == any(a.method == "ssh" or a.method == "github-review" for a in verified)


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    assert not only(change({"approvals/x.json": data})).verified


@given(st.text(max_size=80))
def test_file_names_are_plain(who: str) -> None:
    subject = Approvable(COMMIT, COMMIT, "sha256:" + "a" * 64)
    name = file_name(Statement(who, subject, NOW, NOW))
    assert name.startswith("approvals/aaaaaaaaaaaa-")
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-./")
    assert ".." not in name
