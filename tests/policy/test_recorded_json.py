from __future__ import annotations

import datetime as dt
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro.errors import UsageError
from policy.recorded_decision import RecordedDecision, RecordedReason
from policy.recorded_json import read_lines, to_line

ONE = RecordedDecision(
    made_at=dt.datetime(2026, 12, 1, 9, tzinfo=dt.UTC),
    phase="merge",
    commit="1" * 40,
    policy_revision="2" * 40,
    pack="mc.flags",
    pack_digest="sha256:" + "3" * 64,
    mode="warn",
    engine="conftest",
    subject="Flag/x",
    path="flags/x.yaml",
    owner="@acme/checkout",
    input_digest="sha256:" + "4" * 64,
    allow=True,
    reasons=(RecordedReason("mc.flags/missing_ttl", "warn"),),
    error=None,
)


def read(data: bytes) -> list[RecordedDecision]:
    return list(read_lines(io.BytesIO(data), "d.jsonl"))


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)


@given(
    st.lists(
        st.builds(
            RecordedDecision,
            made_at=st.datetimes(timezones=st.just(dt.UTC)),
            phase=st.sampled_from(["check", "merge", "execution"]),
            commit=st.just("1" * 40),
            policy_revision=st.just("2" * 40),
            pack=TEXT,
            pack_digest=st.just("sha256:" + "3" * 64),
            mode=st.sampled_from(["enforce", "warn", "shadow"]),
            engine=TEXT,
            subject=TEXT,
            path=TEXT,
            owner=st.none() | TEXT,
            input_digest=st.just("sha256:" + "4" * 64),
            allow=st.just(False),
            reasons=st.lists(st.builds(RecordedReason, TEXT, st.sampled_from(["enforce", "warn"]))).map(tuple),
            error=st.none() | TEXT,
        ),
        max_size=3,
    )
)
def test_what_is_written_is_read(decisions: list[RecordedDecision]) -> None:
    assert read(b"\n".join(map(to_line, decisions))) == decisions


@given(st.binary(max_size=200))
def test_anything_else_is_refused_with_its_place(data: bytes) -> None:
    try:
        assert read(data) == []
    except UsageError as error:
        assert error.where is not None and error.where.startswith("d.jsonl:")


def changed(**members: object) -> str:
    return json.dumps({**json.loads(to_line(ONE)), **members})


@pytest.mark.parametrize(
    ("text", "at", "words"),
    [
        ("[]", "1", "one JSON object"),
        ('{"a": 1', "8", "not JSON"),
        ('{"a": 1, "a": 2}', "10", "'a' stands twice"),
        ('{"a": NaN}', "7", "no member 'a'"),
        ('{"b": 1}', "7", "no member 'b'"),
        ("{}", "1", "made_at is missing"),
        (changed(made_at="2026-02-30T00:00:00Z"), None, "made_at: a time in UTC"),
        (changed(made_at="2026-12-01T09:00:00+01:00"), None, "made_at: a time in UTC"),
        (changed(made_at=1), None, "made_at: a text"),
        (changed(allow=1), None, "allow: true or false"),
        (changed(phase="later"), None, "phase: one of check, merge, execution"),
        (changed(mode="enfroce"), None, "mode: one of"),
        (changed(commit="abc"), None, "commit: a commit"),
        (changed(pack_digest=""), None, "pack_digest: sha256:"),
        (changed(error="broken"), None, "what has an error allows nothing"),
        (changed(reasons=[{"rule": "x"}]), None, "reasons: a list of"),
        (changed(reasons={}), None, "reasons: a list"),
        (changed(owner=["x"]), None, "owner: a text"),
        (changed(subject="\ud800"), "1", "half of a surrogate pair"),
    ],
)
def test_a_line_that_is_none_is_refused_where_it_is_wrong(text: str, at: str | None, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(b"\n" + to_line(ONE) + text.encode("utf-8", "surrogatepass"))
    assert words in caught.value.message
    name, line, column = (caught.value.where or "").split(":")
    assert (name, line) == ("d.jsonl", "3")
    if at is not None:
        assert column == at
    else:
        key = words.split(":")[0] if ":" in words else "allow"
        assert text[: int(column) - 1].endswith(f'"{key}": ')
