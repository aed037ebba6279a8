"""What the ledger remembers of bundles: only ever more."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro.errors import ToolFailure
from policy.bundle.last_seen import Seen, remember, seen
from tests.support.memory_store import MemoryStore


def test_nothing_is_known_of_what_was_never_seen() -> None:
    assert seen(MemoryStore(), "policy") is None


@given(st.lists(st.integers(1, 50), min_size=1))
def test_it_is_the_highest_whatever_the_order(revisions: list[int]) -> None:
    store = MemoryStore()
    for revision in revisions:
        remember(store, "policy", Seen(revision, f"sha256:{revision}"))
    highest = max(revisions)
    assert seen(store, "policy") == Seen(highest, f"sha256:{highest}")


def test_bundles_are_told_apart() -> None:
    store = MemoryStore()
    remember(store, "a", Seen(9, "x"))
    remember(store, "b", Seen(2, "y"))
    assert (seen(store, "a"), seen(store, "b")) == (Seen(9, "x"), Seen(2, "y"))


def test_of_many_at_once_the_highest_stays() -> None:
    store = MemoryStore()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda revision: remember(store, "policy", Seen(revision, "x")), [*range(1, 200)] * 2))
    assert seen(store, "policy") == Seen(199, "x")


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"revision":"1","content":"x"}', b'{"revision":true,"content":"x"}']
)
def test_what_makes_no_sense_is_no_answer(data: bytes) -> None:
    """It may have been damaged so that an old bundle is let in again: nothing is, until it is put right."""
    store = MemoryStore()
    store.files["bundles/policy.json"] = data
    with pytest.raises(ToolFailure, match="cannot be read"):
        seen(store, "policy")
    with pytest.raises(ToolFailure, match="cannot be read"):
        remember(store, "policy", Seen(1, "x"))
