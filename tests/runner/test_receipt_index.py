"""The index finds what a search through everything would find, and survives whatever its file is."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro.errors import UsageError
from runner.receipt_index import VERSION, ReceiptIndex, _create, with_index
from runner.receipt_row import Row, Wanted, cursor_of, key_in

text = st.sampled_from(["", "a", "b", "é", "\U0001f600", "' OR 1=1 --", "%", "\x00", "a_"])
days = st.sampled_from(["2026-01-31", "2026-02-01"])
commits = st.sampled_from(["abcd" * 10, "abce" * 10, "ffff" * 10])
outcomes = st.sampled_from(["succeeded", "failed", "it's"])
digests = st.sampled_from(["sha256:1", "sha256:2", '"; DROP TABLE receipts'])


@st.composite
def ledgers(draw: st.DrawFn) -> dict[str, list[Row]]:
    """Rows of some runs, no id twice."""
    made: dict[str, list[Row]] = {}
    for number in range(draw(st.integers(0, 12))):
        run = draw(st.sampled_from(["r1", "r2", "r3"]))
        cited = tuple(draw(st.lists(digests, max_size=2)))
        row = Row(
            draw(text), draw(days), draw(text), f"{number * 7919 % 256:032x}", run, draw(commits), draw(outcomes), cited
        )
        made.setdefault(run, []).append(row)
    return made


questions = st.builds(
    Wanted,
    id=st.none() | st.integers(0, 255).map(lambda n: f"{n:032x}"),
    run=st.none() | st.sampled_from(["r1", "r2"]),
    tenant=st.none() | text,
    day=st.none() | days,
    workflow=st.none() | text,
    commit=st.none() | st.sampled_from(["abcd", "abc" + "e", "abcd" * 10, "0000"]),
    decision=st.none() | digests,
    outcome=st.none() | outcomes,
)


def never(said: str) -> None:
    raise AssertionError(said)


def in_memory() -> ReceiptIndex:
    """An index that no file keeps."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    _create(connection, "here")
    return ReceiptIndex(connection)


def by_hand(ledger: dict[str, list[Row]], wanted: Wanted) -> list[Row]:
    """What a search through everything finds."""
    return sorted((row for rows in ledger.values() for row in rows if wanted.matches(row)), key=lambda row: row.key)


@given(ledgers(), questions)
def test_it_finds_what_a_search_through_everything_finds(ledger: dict[str, list[Row]], wanted: Wanted) -> None:
    index = in_memory()
    for run, rows in ledger.items():
        index.put(run, "1", rows)
    assert index.find(wanted, None, 100) == by_hand(ledger, wanted)


@given(ledgers(), questions, st.integers(1, 3))
def test_pages_in_order_make_up_the_whole(ledger: dict[str, list[Row]], wanted: Wanted, size: int) -> None:
    index = in_memory()
    for run, rows in ledger.items():
        index.put(run, "1", rows)
    found: list[Row] = []
    after = None
    while page := index.find(wanted, after, size):
        found += page
        after = key_in(cursor_of(page[-1].key))
    assert found == by_hand(ledger, wanted)


@given(ledgers(), questions, st.data())
def test_in_whatever_order_it_was_filled_it_is_as_if_made_anew(
    ledger: dict[str, list[Row]], wanted: Wanted, data: st.DataObject
) -> None:
    grown = in_memory()
    for run in data.draw(st.lists(st.sampled_from(["r1", "r2", "r3"]), max_size=6)):
        rows = ledger.get(run, [])
        if data.draw(st.booleans()):
            grown.put(run, None, rows[: data.draw(st.integers(0, len(rows)))])
        else:
            grown.forget(run)
    for run in data.draw(st.permutations(["r1", "r2", "r3"])):
        grown.put(run, "1", ledger.get(run, []))
    assert grown.find(wanted, None, 100) == by_hand(ledger, wanted)


ROW = Row("acme", "2026-01-31", "a", "0" * 32, "r1", "abcd" * 10, "failed", ("sha256:1",))


def filled(index: ReceiptIndex) -> list[Row]:
    if not index.stamps():
        index.put("r1", "1", [ROW])
    return index.find(Wanted(tenant="acme"), None, 10)


def garbage(path: Path) -> None:
    path.write_bytes(b"no database at all" * 100)


def newer(path: Path) -> None:
    with_index(path, "here", filled, never)
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    db.close()


def foreign(path: Path) -> None:
    with_index(path, "there", filled, never)


def half(path: Path) -> None:
    with_index(path, "here", filled, never)
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE receipts")
    db.close()


def cut(path: Path) -> None:
    with_index(path, "here", filled, never)
    path.write_bytes(path.read_bytes()[:5000])


def no_file(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("spoil", "says", "kept"),
    [
        (garbage, "was no use", True),
        (newer, "newer version", False),
        (foreign, "another ledger's", True),
        (half, "no such table", True),
        (cut, "was no use", True),
        (no_file, "without it", False),
    ],
)
def test_a_spoilt_file_is_said_and_never_believed(tmp_path: Path, spoil, says: str, kept: bool) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "index.sqlite"
    spoil(path)
    told: list[str] = []
    assert with_index(path, "here", filled, told.append) == [ROW]
    assert says in told[0]
    if kept:
        assert with_index(path, "here", lambda index: index.stamps(), never) == {"r1": "1"}


def test_a_newer_file_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    newer(path)
    before = path.read_bytes()
    with_index(path, "here", filled, lambda said: None)
    assert path.read_bytes() == before


def test_locked_by_another_it_is_passed_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.receipt_index.BUSY_SECONDS", 0.05)
    path = tmp_path / "index.sqlite"
    with_index(path, "here", lambda index: None, never)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    told: list[str] = []
    assert with_index(path, "here", filled, told.append) == [ROW]
    assert "locked" in told[0]
    other.execute("ROLLBACK")
    other.close()


def test_where_nothing_can_be_written_it_is_passed_by(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told: list[str] = []
    assert with_index(tmp_path / "file" / "index.sqlite", "here", filled, told.append) == [ROW]
    assert "without it" in told[0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_folder_is_passed_by(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    told: list[str] = []
    assert with_index(tmp_path / "index.sqlite", "here", filled, told.append) == [ROW]
    assert told
    tmp_path.chmod(0o700)


def test_what_fails_halfway_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    with_index(path, "here", filled, never)

    def twice(index: ReceiptIndex) -> None:
        with pytest.raises(sqlite3.IntegrityError):
            index.put("r2", "1", [Row("b", "2026-01-31", "b", "1" * 32, "r2", "abcd", "failed", ()), ROW])

    with_index(path, "here", twice, never)
    assert with_index(path, "here", lambda index: index.stamps(), never) == {"r1": "1"}


@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "WyJhIl0", "💥", "WzEsMiwzLDRd"])
def test_what_is_no_cursor_is_said(cursor: str) -> None:
    with pytest.raises(UsageError, match="no place in a listing"):
        key_in(cursor)


@given(st.text(max_size=60))
def test_any_cursor_is_a_place_or_refused(cursor: str) -> None:
    with suppress(UsageError):
        assert len(key_in(cursor)) == 4


def test_a_file_whose_own_words_cannot_be_read_is_made_anew(tmp_path: Path) -> None:
    """sqlite says what is wrong with a schema by quoting it, also where that is no text."""
    path = tmp_path / "index.sqlite"
    with_index(path, "here", filled, never)
    path.write_bytes(path.read_bytes().replace(b"CREATE UNIQUE INDEX", b"CREATE UNIQUE INDE\xd8", 1))
    told: list[str] = []
    assert with_index(path, "here", filled, told.append) == [ROW]
    assert told
