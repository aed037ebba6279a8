"""Records of merges: whatever is written is read again, and nothing else is read."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro.evidence import bundle
from maestro.evidence.errors import BadEvidence
from maestro.evidence.signer import sign_statement
from maestro.evidence.statement import Statement, parse
from maestro.evidence.trust import trust_of
from maestro.evidence.types import CHECKED_MERGE, UNCHECKED_MERGE, VERDICT
from policy.merge_record import Blocking, GateOutcome, MergeRecord, name_of, read, sign
from policy.recorded_decision import RecordedDecision, RecordedReason
from tests.maestro.evidence import keys

TRUST = trust_of([keys.row()])
NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
OIDS = st.text("0123456789abcdef", min_size=40, max_size=40)


@st.composite
def records(draw: st.DrawFn) -> MergeRecord:
    commit, revision = draw(OIDS), draw(OIDS)
    made_at = draw(
        st.datetimes(dt.datetime(2021, 1, 1), dt.datetime(2100, 1, 1), timezones=st.just(dt.UTC), allow_imaginary=False)
    )
    decision = st.builds(
        RecordedDecision,
        made_at=st.just(made_at),
        phase=st.just("merge"),
        commit=st.just(commit),
        policy_revision=st.just(revision),
        pack=WORDS,
        pack_digest=WORDS,
        mode=WORDS,
        engine=WORDS,
        subject=WORDS,
        path=WORDS,
        owner=st.none() | WORDS,
        input_digest=WORDS,
        allow=st.booleans(),
        reasons=st.lists(st.builds(RecordedReason, WORDS, WORDS), max_size=2).map(tuple),
        error=st.none() | WORDS,
    )
    return MergeRecord(
        commit=commit,
        tree=draw(OIDS),
        policy_revision=revision,
        made_at=made_at,
        tool_version=draw(WORDS),
        engine=draw(st.none() | WORDS),
        allowed=draw(st.booleans()),
        summary=draw(st.dictionaries(WORDS, st.integers(0, 9), max_size=2)),
        gates=draw(
            st.dictionaries(WORDS, st.builds(GateOutcome, WORDS, st.integers(0, 9), st.none() | WORDS), max_size=2)
        ),
        blocking=tuple(draw(st.lists(st.builds(Blocking, WORDS, WORDS), max_size=2))),
        decisions=tuple(draw(st.lists(decision, max_size=3))),
    )


@given(records())
def test_what_is_written_is_read(record: MergeRecord) -> None:
    (made,) = sign(record, keys.signer())
    assert read(made.data, TRUST, name=made.name) == record
    assert (CHECKED_MERGE if record.allowed else UNCHECKED_MERGE).encode() in bundle.parse(made.data).payload


RECORD = MergeRecord("c" * 40, "d" * 40, "e" * 40, NOW, "0.1.0", None, True, {}, {}, (), ())


def resigned(**predicate: object) -> bytes:
    said = RECORD.statement()
    return sign_statement(Statement(said.subjects, said.predicate_type, {**said.predicate, **predicate}), keys.signer())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"allowed": False}, "more, or less"),
        ({"allowed": 1}, "more, or less"),
        ({"decisions": None}, "more, or less"),
        ({"decisions": [{}]}, "more, or less"),
        ({"gates": {"policy": {"outcome": "passed"}}}, "more, or less"),
        ({"summary": {"blocking": -1}}, "more, or less"),
        ({"part": 2, "parts": 1}, "more, or less"),
        ({"part": True}, "more, or less"),
        ({"policy_revision": "main"}, "more, or less"),
        ({"tool": "9"}, "more, or less"),
        ({"made_at": "yesterday"}, "not a time"),
        ({"made_at": "2026-11-23T12:00:00"}, "no offset"),
        ({"quorum": 3}, "more, or less"),
    ],
    ids=lambda value: " ".join(f"{key}-{item}" for key, item in value.items()) if isinstance(value, dict) else None,
)
def test_what_is_not_a_record_is_not_believed_though_the_signature_holds(changes: dict[str, object], says: str) -> None:
    data = resigned(**changes)
    name = name_of(RECORD, bundle.parse(data).payload)
    with pytest.raises(BadEvidence, match=says):
        read(data, TRUST, name=name)


def test_another_statement_is_no_record() -> None:
    said = RECORD.statement()
    data = sign_statement(Statement(said.subjects, VERDICT, said.predicate), keys.signer())
    with pytest.raises(BadEvidence, match="no record of a merge"):
        read(data, TRUST, name="records/x")


def test_the_statement_is_an_in_toto_statement_about_commit_and_tree() -> None:
    (made,) = sign(RECORD, keys.signer())
    said = parse(bundle.parse(made.data).payload, predicate_type=CHECKED_MERGE)
    assert [dict(one.digest) for one in said.subjects] == [{"gitCommit": "c" * 40}, {"gitTree": "d" * 40}]


def test_only_errors_leave_it_undecided() -> None:
    blocked = replace(RECORD, allowed=False)
    assert replace(blocked, summary={"blocking": 0, "errored": 1}).undecided
    assert not replace(blocked, summary={"blocking": 1, "errored": 1}).undecided
    assert not replace(blocked, summary={}).undecided
    assert not replace(RECORD, summary={"errored": 1}).undecided
