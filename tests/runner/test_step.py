"""What steps say, and what is not believed of them."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro.evidence.errors import BadEvidence
from maestro.evidence.signer import sign_statement
from maestro.evidence.trust import trust_of
from runner import step as steps
from runner.execution import Execution, Task
from runner.step import Step, claims_of, indices_in, taken
from tests.maestro.evidence import keys
from tests.runner.plans import NOW, RUN

TRUST = trust_of([keys.row()])
STEP = Step(RUN, 1, 1, "a" * 64, NOW.isoformat(), {"Manifest/a": "0-2,7", "Manifest/b": ""}, {})


def signed(step: Step, **changes: object) -> bytes:
    said = step.statement()
    return sign_statement(replace(said, predicate={**said.predicate, **changes}), keys.signer())


def read(data: bytes, number: int = 1) -> Step:
    return steps.read(data, TRUST, run_id=RUN, number=number)


def test_what_was_signed_is_read() -> None:
    found = read(signed(STEP))
    assert replace(found, files={}) == STEP
    assert len(dict(found.claimed())) == 5


@given(st.sets(st.integers(0, 20_000), min_size=1))
def test_claims_name_exactly_what_they_were_made_of(indices: set[int]) -> None:
    task = Task("Manifest/a", ("true",))
    (text,) = claims_of(Execution(str(index), task, index) for index in indices).values()
    assert indices_in(text) == sorted(indices)


def test_one_that_is_no_array_is_claimed_without_an_index() -> None:
    assert claims_of([Execution("x", Task("Manifest/a", None))]) == {"Manifest/a": ""}
    assert indices_in("") == [None]


@pytest.mark.parametrize(
    "changes",
    [
        {"run": "another"},
        {"number": 2},
        {"session": None},
        {"session": {"number": "1", "sha256": "a" * 64}},
        {"session": {"number": 1, "sha256": "b" * 64}},
        {"claims": ["0-3"]},
        {"claims": {"Manifest/a": 3}},
        {"claims": {"Manifest/a": "3-1"}},
        {"claims": {"Manifest/a": "3,3"}},
        {"claims": {"Manifest/a": "1-2,2-3"}},
        {"claims": {"Manifest/a": "-1"}},
        {"claims": {"Manifest/a": "0-٣"}},
        {"claims": {"Manifest/a": "0-9999999"}},
        {"made_at": "yesterday"},
    ],
    ids=str,
)
def test_what_is_malformed_is_not_believed(changes: dict[str, object]) -> None:
    with pytest.raises(BadEvidence):
        read(signed(STEP, **changes))


def test_nobody_else_takes_a_step() -> None:
    foreign = sign_statement(STEP.statement(), keys.signer("other"))
    with pytest.raises(BadEvidence, match="does not list"):
        read(foreign)


@given(st.binary(max_size=200))
def test_garbage_is_not_believed(data: bytes) -> None:
    with pytest.raises(BadEvidence):
        read(data)


def following(*sessions: int) -> list[Step]:
    return [
        replace(STEP, number=number, session=session, session_sha256=str(session) * 64)
        for number, session in enumerate(sessions, 1)
    ]


def test_steps_fold_into_who_claimed_what() -> None:
    later = (NOW + dt.timedelta(hours=1)).isoformat()
    found = taken([*following(1, 1), replace(following(1, 1, 3)[2], made_at=later)])
    assert found.last_session == 3
    assert {tuple(claim.session for claim in claims) for claims in found.claims.values()} == {(1, 3)}
    assert len(found.claims) == 5


@pytest.mark.parametrize(
    "bad",
    [
        following(1, 1)[1:],
        [*following(1), *following(1, 1, 1)[2:]],
        following(1, 2, 1),
        [following(1)[0], replace(following(1, 1)[1], session_sha256="f" * 64)],
    ],
    ids=["first gone", "middle gone", "an older session after a later one", "two sessions of one number"],
)
def test_what_does_not_follow_is_not_believed(bad: list[Step]) -> None:
    with pytest.raises(BadEvidence):
        taken(bad)
