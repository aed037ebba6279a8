"""What an execution is called."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from maestro.canonical_json import digest
from runner.execution import execution_id

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(run_id=TEXT, subject=TEXT, index=st.none() | st.integers())
def test_an_id_is_made_of_the_digest_of_run_manifest_and_index(run_id: str, subject: str, index: int | None) -> None:
    assert execution_id(run_id, subject, index) == digest(["execution", run_id, subject, index])[7:39]


def test_ids_stay_what_they_are_in_the_ledgers_there_are() -> None:
    assert execution_id("run-1", "Manifest/a", None) == "8bc3db9b653d225244fb5099f8121273"
    assert execution_id("run-1", "Manifest/a", 0) == "e9ea40e2f8b078b5d1cf96bbb60704e2"
