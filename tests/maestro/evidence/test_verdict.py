"""A verdict on a tree: signed by `check --attest`, believed by `run` for that tree and that policy alone."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from maestro.evidence import verdict
from maestro.evidence.errors import BadEvidence
from maestro.evidence.signer import sign_statement
from maestro.evidence.statement import Statement, Subject
from maestro.evidence.trust import trust_of
from maestro.evidence.types import VERDICT
from maestro.evidence.verdict import TreeVerdict
from tests.maestro.evidence import keys

GOOD = TreeVerdict(
    tree="4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    allowed=True,
    policy_revision="a" * 40,
    made_at=dt.datetime(2026, 11, 1, 12, tzinfo=dt.UTC),
    tool_version="0.1.0",
    engine="conftest 0.71.1",
    summary={"blocking": 0},
    gates={"flags": "passed"},
)
TRUST = trust_of([keys.row()])


def test_comes_back_as_it_was_signed() -> None:
    again = verdict.read_attested(verdict.attest(GOOD, keys.signer()), TRUST)
    assert again == GOOD
    assert again.digest == GOOD.digest
    verdict.require(again, tree=GOOD.tree, policy_revision=GOOD.policy_revision)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"tree": "b" * 40}, "is about the tree"),
        ({"policy_revision": "b" * 40}, "comes from the policy"),
        ({"allowed": False, "gates": {"flags": "failed", "policy": "errored"}}, "flags, policy"),
    ],
)
def test_counts_for_its_own_tree_and_policy_only(change: dict[str, object], says: str) -> None:
    other = replace(GOOD, **change)  # type: ignore[arg-type]
    with pytest.raises(BadEvidence, match=says):
        verdict.require(other, tree=GOOD.tree, policy_revision=GOOD.policy_revision)


def test_a_strangers_verdict_is_refused() -> None:
    with pytest.raises(BadEvidence, match="does not list"):
        verdict.read_attested(verdict.attest(GOOD, keys.signer("stranger")), TRUST)


@pytest.mark.parametrize(
    "change",
    [
        {"allowed": "yes"},
        {"allowed": 1},
        {"policy_revision": None},
        {"tool": {}},
        {"summary": {"blocking": True}},
        {"gates": ["flags"]},
        {"conditions": "only on Tuesdays"},
        {"made_at": "yesterday"},
    ],
    ids=str,
)
def test_a_malformed_predicate_is_refused(change: dict[str, object]) -> None:
    said = GOOD.statement()
    odd = Statement(said.subjects, VERDICT, {**said.predicate, **change})
    with pytest.raises(BadEvidence):
        verdict.read_attested(sign_statement(odd, keys.signer()), TRUST)


def test_a_verdict_on_something_else_is_refused() -> None:
    odd = Statement((Subject("image", {"sha256": "0" * 64}),), VERDICT, GOOD.statement().predicate)
    with pytest.raises(BadEvidence, match="not about one git tree"):
        verdict.read_attested(sign_statement(odd, keys.signer()), TRUST)


@pytest.mark.parametrize(
    ("later", "says"),
    [
        (dt.timedelta(hours=24), None),
        (dt.timedelta(hours=24, seconds=1), "24 hours old"),
        (dt.timedelta(minutes=-10), None),
        (dt.timedelta(minutes=-11), "yet to come"),
    ],
)
def test_a_verdict_is_of_today(later: dt.timedelta, says: str | None) -> None:
    if says is None:
        verdict.require_fresh(GOOD, GOOD.made_at + later)
    else:
        with pytest.raises(BadEvidence, match=says):
            verdict.require_fresh(GOOD, GOOD.made_at + later)
