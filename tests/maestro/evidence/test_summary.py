"""A summary is taken as a pass only where it says so in every respect."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro.evidence.errors import BadEvidence
from maestro.evidence.signer import sign_statement
from maestro.evidence.statement import Statement, Subject
from maestro.evidence.summary import read_summary, summary
from maestro.evidence.trust import trust_of
from tests.maestro.chain.chains import NOW
from tests.maestro.evidence import keys

SHA256 = "a" * 64
RESOURCE = "pkg:generic/api@1"


def made(level: int | None = 3) -> Statement:
    subject = Subject("api.tar", {"sha256": SHA256})
    return summary(
        [subject], resource=RESOURCE, policy_sha256="b" * 64, inputs={}, level=level, signers=["somebody"], now=NOW
    )


def read(
    statement: Statement,
    *,
    sha256: str = SHA256,
    signer: str = "release",
    level: int = 3,
    now: dt.datetime = NOW,
    row: keys.Row | None = None,
) -> Mapping[str, Any]:
    data = sign_statement(statement, keys.signer(signer))
    return read_summary(data, trust_of([row or keys.row()]), sha256=sha256, resource=RESOURCE, level=level, now=now)


def test_a_pass_is_one_and_names_the_signers() -> None:
    assert read(made())["urn:maestro-conductor:signers"] == ["somebody"]


DAY = dt.timedelta(days=1)


def test_a_clock_that_is_a_day_off() -> None:
    assert read(made(), now=NOW + DAY)
    with pytest.raises(BadEvidence, match="yet to come"):
        read(made(), now=NOW - DAY)
    assert read(made(), now=NOW + DAY, row=keys.row(valid_from=NOW - DAY, valid_until=NOW + DAY))
    for row in (keys.row(valid_from=NOW + DAY), keys.row(valid_until=NOW - DAY)):
        with pytest.raises(BadEvidence, match=r"valid (only from|until)"):
            read(made(), now=NOW + DAY, row=row)


def changed(**fields: object) -> Callable[[], object]:
    return lambda: read(replace(made(), predicate={**made().predicate, **fields}), level=0)


@pytest.mark.parametrize(
    "refused",
    [
        lambda: read(made(None), level=0),
        lambda: read(made(2)),
        lambda: read(made(), sha256="c" * 64),
        lambda: read(made(), signer="somebody"),
        changed(verificationResult="FAILED"),
        changed(verificationResult="passed"),
        changed(verificationResult=None),
        changed(verifiedLevels=["FAILED"]),
        changed(verifiedLevels=[]),
        changed(verifiedLevels=["SLSA_BUILD_LEVEL_9"]),
        changed(verifiedLevels="SLSA_BUILD_LEVEL_3"),
        changed(resourceUri="pkg:generic/api@2"),
        changed(verifier={"id": "urn:else"}),
        changed(timeVerified="yesterday"),
    ],
)
def test_everything_else_is_not(refused: Callable[[], object]) -> None:
    with pytest.raises(BadEvidence):
        refused()


@given(st.sampled_from(sorted(made().predicate)), st.none() | st.booleans() | st.text() | st.lists(st.integers()))
def test_no_odd_member_is_a_crash(member: str, value: object) -> None:
    try:
        read(replace(made(), predicate={**made().predicate, member: value}))
    except BadEvidence:
        return
    assert member not in ("verificationResult", "verifiedLevels", "resourceUri", "verifier", "timeVerified")
