"""Judging a log: each thing that can be done to its files has a word, and nothing passes."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maestro.errors import MaestroError
from maestro.evidence.trust import Trust, trust_of
from maestro.ledger import tiles
from maestro.ledger.checkpoint import Checkpoint
from maestro.ledger.log import HEAD, Log
from maestro.ledger.log_check import LogReport, check_log
from tests.maestro.evidence import keys
from tests.maestro.ledger.entries import NOW, TRUST, entry
from tests.support.memory_store import MemoryStore

BUNDLE, TILE = "log/tile/entries/001", "log/tile/0/001"


def made(size: int) -> tuple[MemoryStore, Checkpoint]:
    """A log whose entries name files that are there."""
    store = MemoryStore()
    for number in range(size):
        name = entry(number).name
        store.files[name] = name.encode()
    log = Log(store)
    head = log.append([entry(number) for number in range(size)], keys.signer(), TRUST, since=NOW)
    return store, head.checkpoint


SOUND, HEADED = made(600)


def sound() -> MemoryStore:
    store = MemoryStore()
    store.files = dict(SOUND.files)
    return store


def judged(store: MemoryStore, known: Checkpoint | None = HEADED, trust: Trust = TRUST) -> LogReport:
    return check_log(Log(store), trust, known, None)


def kinds(report: LogReport) -> list[tuple[str, str]]:
    return [(one.kind, one.name) for one in report.flaws]


def test_what_is_sound_has_no_flaw() -> None:
    report = judged(sound())
    assert report.flaws == []
    assert report.covered == len(report.entries) == 600


def test_a_bundle_and_a_tile_that_are_gone() -> None:
    store = sound()
    del store.files[BUNDLE]
    assert kinds(judged(store)) == [("missing", BUNDLE)]
    store = sound()
    del store.files[TILE]
    assert kinds(judged(store)) == [("missing", TILE)]


def test_entries_in_another_order() -> None:
    store = sound()
    entries = tiles.unbundle(store.files[BUNDLE], 256)
    entries[3], entries[7] = entries[7], entries[3]
    store.files[BUNDLE] = tiles.bundle(entries)
    report = judged(store)
    assert kinds(report) == [("reordered", BUNDLE)]
    assert "259, 263" in report.flaws[0].message


def test_an_entry_that_was_changed() -> None:
    store = sound()
    store.files[BUNDLE] = store.files[BUNDLE].replace(entry(300).sha256.encode(), b"0" * 64)
    report = judged(store)
    assert ("changed", BUNDLE) in kinds(report)
    assert "the entries 300 are not" in report.flaws[0].message


def test_an_entry_and_its_hash_that_were_changed_together() -> None:
    from maestro.ledger.merkle import leaf_hash

    store = sound()
    store.files[BUNDLE] = store.files[BUNDLE].replace(entry(300).sha256.encode(), b"0" * 64)
    entries = tiles.unbundle(store.files[BUNDLE], 256)
    store.files[TILE] = b"".join(map(leaf_hash, entries))
    assert ("changed", HEAD) in kinds(judged(store))


def test_a_bundle_cut_short() -> None:
    store = sound()
    store.files[BUNDLE] = store.files[BUNDLE][:-1]
    assert kinds(judged(store))[0] == ("changed", BUNDLE)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(name for name in SOUND.files if name.startswith("log/"))),
    st.integers(0),
    st.integers(1, 255),
)
def test_no_byte_of_the_log_can_be_changed_unseen(name: str, place: int, change: int) -> None:
    store = sound()
    data = bytearray(store.files[name])
    data[place % len(data)] ^= change
    store.files[name] = bytes(data)
    try:
        report = judged(store)
    except MaestroError:
        return
    assert report.flaws


def test_a_shorter_state_that_was_signed_is_truncated() -> None:
    store, _ = made(10)
    report = judged(store, known=made_again(store, 20))
    assert kinds(report) == [("truncated", HEAD)]


def made_again(store: MemoryStore, size: int) -> Checkpoint:
    """The checkpoint of the same log after more was entered, elsewhere."""
    other = MemoryStore()
    other.files = dict(store.files)
    return Log(other).append([entry(number) for number in range(size)], keys.signer(), TRUST, since=NOW).checkpoint


def test_a_known_checkpoint_of_a_revoked_key_counts_only_where_it_is_proven_to_be_older() -> None:
    store, known = made(5)
    revoked = NOW + dt.timedelta(days=30)
    trust = trust_of([keys.row(revoked_at=revoked)])
    assert {kind for kind, _ in kinds(judged(store, known, trust))} == {"not-believed"}
    assert {kind for kind, _ in kinds(judged(store, known, trust.since(revoked)))} == {"not-believed"}
    report = judged(store, known, trust.since(NOW + dt.timedelta(hours=1)))
    assert report.flaws == []
    assert report.covered == 5


def test_a_time_before_the_entries_is_false() -> None:
    store, known = made(5)
    report = judged(store, known, TRUST.since(NOW - dt.timedelta(days=1)))
    assert [one.kind for one in report.flaws] == ["not-believed"]
    assert "5 of its entries are later" in report.flaws[0].message
    assert report.covered == 0


def test_tiles_of_an_append_that_died_are_no_garbage() -> None:
    store, known = made(256)
    head = Log(store).head()
    assert head is not None
    for path, data in head.full_tiles():
        store.files[f"log/{path}"] = data
    assert judged(store, known).flaws == []
    store.files["log/tile/0/000"] = b"something else"
    assert kinds(judged(store, known)) == [("extra", "log/tile/0/000")]


@pytest.mark.parametrize("origin", ["example.com/other"])
def test_the_origin_of_maestro_yaml_is_insisted_upon(origin: str) -> None:
    report = check_log(Log(sound()), TRUST, None, origin)
    assert [one.kind for one in report.flaws] == ["foreign"]
