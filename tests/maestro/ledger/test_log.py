"""The log: what is appended is there once, in one order, whatever happens in between."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import random
import time
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maestro.errors import ToolFailure
from maestro.evidence.errors import BadEvidence
from maestro.ledger import entry as entries
from maestro.ledger import head as heads
from maestro.ledger import log as logs
from maestro.ledger import merkle
from maestro.ledger.folder import FolderStore
from maestro.ledger.log import HEAD, Log
from maestro.ledger.store import Store, Stored
from tests.maestro.evidence import keys
from tests.maestro.ledger.entries import NOW, TRUST, entry
from tests.support.memory_store import MemoryStore

SIGNER = keys.signer()


def append(store: Store, *new: entries.Entry, since: dt.datetime = NOW) -> heads.Head:
    log = Log(store, sleep=lambda _seconds: None)
    return log.append(list(new), SIGNER, TRUST, since=since, origin="example.com/log")


def names(store: Store) -> list[str]:
    log = Log(store)
    head = log.head()
    return [] if head is None else [entries.parse(one).name for one in log.entries(head)]


def test_what_is_appended_is_read_in_order() -> None:
    store = MemoryStore()
    assert Log(store).head() is None
    append(store, entry(0), entry(1))
    head = append(store, entry(2))
    assert head.size == 3
    assert head.checkpoint.origin == "example.com/log"
    assert names(store) == [entry(number).name for number in range(3)]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=8))
def test_the_root_and_the_proofs_are_those_of_a_plain_tree(batches: list[int]) -> None:
    store = MemoryStore()
    plain: list[bytes] = []
    sizes = [0]
    for size in batches:
        new = [entry(len(plain) + number) for number in range(size)]
        head = append(store, *new)
        plain += [one.to_bytes() for one in new]
        sizes.append(len(plain))
        assert head.checkpoint.root == merkle.root(map(merkle.leaf_hash, plain))
    log = Log(store)
    final = log.head()
    assert final is not None
    assert list(log.entries(final)) == plain
    for index in {0, len(plain) // 2, len(plain) - 1}:
        proof = log.inclusion_proof(final, index)
        assert merkle.includes(final.checkpoint.root, final.size, index, merkle.leaf_hash(plain[index]), proof)
    for old in sizes:
        root = merkle.root(map(merkle.leaf_hash, plain[:old]))
        assert log.root_at(final, old) == root
        assert merkle.continues(root, old, final.checkpoint.root, final.size, log.consistency_proof(final, old))


def test_a_level_above_the_first_full_tile(monkeypatch: pytest.MonkeyPatch) -> None:
    """With tiles of 4 instead of 256, three levels are reached with little."""
    monkeypatch.setattr("maestro.ledger.tiles.WIDTH", 4)
    monkeypatch.setattr("maestro.ledger.tiles.HEIGHT", 2)
    monkeypatch.setattr("maestro.ledger.tiles.hashes", lambda data, width: _hashes(data, len(data) // 32))
    monkeypatch.setattr("maestro.ledger.tiles.tile_path", lambda level, index: f"tile/{level}/{index}")
    monkeypatch.setattr("maestro.ledger.tiles.bundle_path", lambda index: f"tile/entries/{index}")
    store = MemoryStore()
    plain = []
    for number in range(150):
        append(store, entry(number))
        plain.append(entry(number).to_bytes())
    log = Log(store)
    head = log.head()
    assert head is not None
    assert head.checkpoint.root == merkle.root(map(merkle.leaf_hash, plain))
    assert list(log.entries(head)) == plain
    assert "log/tile/2/1" in store.files
    for old in range(151):
        root = merkle.root(map(merkle.leaf_hash, plain[:old]))
        assert log.root_at(head, old) == root
        assert merkle.continues(root, old, head.checkpoint.root, 150, log.consistency_proof(head, old))


def _hashes(data: bytes, width: int) -> list[bytes]:
    assert len(data) == width * 32
    return [data[at : at + 32] for at in range(0, len(data), 32)]


def test_tiles_are_only_written_when_committed_and_full() -> None:
    store = MemoryStore()
    append(store, *[entry(number) for number in range(256)])
    assert sorted(store.files) == [HEAD]
    append(store, entry(256))
    assert sorted(store.files) == [HEAD, "log/tile/0/000", "log/tile/entries/000"]
    head = Log(store).head()
    assert head is not None
    assert (len(head.tail), [len(level) for level in head.tiles]) == (1, [1])


def test_an_entry_is_entered_once() -> None:
    store = MemoryStore()
    append(store, *[entry(number) for number in range(300)])
    later = NOW + dt.timedelta(minutes=1)
    head = append(store, entry(0, when=later), entry(299, when=later), entry(300, when=later), entry(300, when=later))
    assert head.size == 301
    assert len(set(names(store))) == 301


def test_entries_before_the_time_in_question_are_not_read_again() -> None:
    store = MemoryStore()
    long_ago = NOW - dt.timedelta(days=30)
    append(store, *[entry(number, when=long_ago) for number in range(600)], since=long_ago)
    read: list[str] = []

    class Watched(MemoryStore):
        def read(self, name: str) -> Stored | None:
            read.append(name)
            return super().read(name)

    watched = Watched()
    watched.files = store.files
    append(watched, entry(600))
    assert set(read) == {HEAD}


def writers(store: Store, each: int, *, count: int = 2) -> None:
    def write(writer: str) -> None:
        log = Log(store, sleep=lambda seconds: time.sleep(seconds / 50))
        for number in range(each):
            log.append([entry(number, writer)], SIGNER, TRUST, since=NOW)

    threads = [Thread(target=write, args=(f"w{number}",)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_two_writers_of_a_thousand_lose_nothing_and_duplicate_nothing() -> None:
    store = MemoryStore()
    writers(store, 1000)
    found = names(store)
    assert len(found) == 2000
    assert set(found) == {entry(number, writer).name for number in range(1000) for writer in ("w0", "w1")}
    for writer in ("w0", "w1"):
        assert [name for name in found if f"/{writer}-" in name] == [entry(n, writer).name for n in range(1000)]


def _write_folder(folder: str, writer: str, pem: bytes, each: int) -> None:
    from maestro.evidence import ecdsa_signer
    from maestro.evidence.trust import trust_of

    signer = ecdsa_signer.from_pem(pem, where="test")
    trust = trust_of([keys.Row("release", signer.public_key_pem)])
    log = Log(FolderStore(Path(folder)))
    for number in range(each):
        log.append([entry(number, writer)], signer, trust, since=NOW)


def test_two_processes_on_one_folder_killed_at_random_lose_nothing_that_was_answered(tmp_path: Path) -> None:
    """Each is killed (SIGKILL) again and again and starts over from its beginning; what is there is passed over."""
    context = multiprocessing.get_context("spawn")
    chance = random.Random(7)
    each = 60
    for round_ in range(4):
        started = [
            context.Process(target=_write_folder, args=(str(tmp_path), writer, keys.pem(), each)) for writer in "ab"
        ]
        for process in started:
            process.start()
        if round_ < 3:
            for process in started:
                process.join(0.6 + chance.random() * 0.5)
                process.kill()
        for process in started:
            process.join()
    assert [process.exitcode for process in started] == [0, 0]
    found = names(FolderStore(tmp_path))
    assert sorted(found) == sorted(entry(number, writer).name for number in range(each) for writer in "ab")


class Dying(MemoryStore):
    """Dies before or after its ``n``-th write."""

    def __init__(self, files: dict[str, bytes], at: int, *, after: bool) -> None:
        super().__init__()
        self.files = files
        self._left = at
        self._after = after

    def create(self, name: str, data: bytes) -> bool:
        self._die_before()
        answer = super().create(name, data)
        self._die_after()
        return answer

    def replace(self, name: str, data: bytes, version: str) -> bool:
        self._die_before()
        answer = super().replace(name, data, version)
        self._die_after()
        return answer

    def _die_before(self) -> None:
        self._left -= 1
        if self._left == 0 and not self._after:
            raise KeyboardInterrupt

    def _die_after(self) -> None:
        if self._left == 0 and self._after:
            raise KeyboardInterrupt


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("size", [0, 1, 255, 256, 511, 512, 700])
def test_death_at_every_write_leaves_a_sound_log(size: int, after: bool) -> None:
    base = MemoryStore()
    if size:
        append(base, *[entry(number) for number in range(size)])
    for at in range(1, 10):
        store = MemoryStore()
        store.files = dict(base.files)
        died = False
        try:
            append(Dying(store.files, at, after=after), *[entry(number) for number in range(size, size + 300)])
        except KeyboardInterrupt:
            died = True
        append(store, *[entry(number) for number in range(size, size + 300)])
        assert names(store) == [entry(number).name for number in range(size + 300)]
        if not died:
            return
    raise AssertionError("no append takes that many writes")


class Forgetful(MemoryStore):
    """Accepts a write, says that somebody else was first: what a time-out between two writers may come to."""

    def __init__(self) -> None:
        super().__init__()
        self._writes = 0

    def replace(self, name: str, data: bytes, version: str) -> bool:
        self._writes += 1
        return super().replace(name, data, version) and self._writes % 3 != 0


def test_a_write_that_was_accepted_and_denied_is_not_repeated() -> None:
    store = Forgetful()
    for number in range(50):
        append(store, entry(number))
    assert names(store) == [entry(number).name for number in range(50)]


def test_others_that_are_always_faster_end_in_a_clear_word() -> None:
    store = MemoryStore()
    append(store, entry(0))
    store.replace = lambda name, data, version: False  # type: ignore[method-assign]
    times = iter(range(0, 10_000, 30))
    log = Log(store, sleep=lambda _seconds: None, clock=lambda: float(next(times)))
    with pytest.raises(ToolFailure, match="others were faster for 120 seconds"):
        log.append([entry(1)], SIGNER, TRUST, since=NOW)


def test_waiting_grows_and_is_spread() -> None:
    store = MemoryStore()
    append(store, entry(0))
    answers = iter([False] * 8)
    real = store.replace
    store.replace = lambda name, data, version: next(answers, None) is None and real(name, data, version)  # type: ignore[method-assign]
    waited: list[float] = []
    Log(store, sleep=waited.append).append([entry(1)], SIGNER, TRUST, since=NOW)
    assert len(waited) == 8
    assert 0.005 <= waited[0] <= 0.015
    assert waited[-1] > 0.6


def test_nothing_is_built_upon_a_head_that_a_stranger_signed() -> None:
    store = MemoryStore()
    stranger = keys.signer("stranger")
    from maestro.evidence.trust import trust_of

    Log(store).append([entry(0)], stranger, trust_of([keys.row("stranger")]), since=NOW)
    with pytest.raises(BadEvidence, match=r"no key that maestro\.yaml lists"):
        append(store, entry(1))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"runs/a-1/", b"runs/b-1/", "changed after signing"),
        (b"log/v1", b"log/v2", "upgrade"),
        (b'"tail":', b'"tial":', "malformed"),
        (b"{", b"", "cannot be read"),
        (b"example.com/log", b"example.com/gol", "no key that maestro.yaml lists"),
    ],
)
def test_a_changed_head_is_not_built_upon(old: bytes, new: bytes, words: str) -> None:
    store = MemoryStore()
    append(store, entry(0), entry(1))
    store.files[HEAD] = store.files[HEAD].replace(old, new, 1)
    with pytest.raises((BadEvidence, ToolFailure)) as caught:
        append(store, entry(2))
    assert words in f"{caught.value.message} {caught.value.remedy}"


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b"\xff", b"{" * 100_000, b'{"schema": 1}'])
def test_garbage_for_a_head_is_told(data: bytes) -> None:
    with pytest.raises(BadEvidence):
        heads.parse(data)


def test_garbage_in_the_place_of_a_tile_is_told_and_nothing_is_entered() -> None:
    store = MemoryStore()
    append(store, *[entry(number) for number in range(256)])
    store.files["log/tile/entries/000"] = b"garbage"
    with pytest.raises(BadEvidence, match="not what the log has committed") as caught:
        append(store, entry(256))
    assert "move it away" in str(caught.value.remedy)
    del store.files["log/tile/entries/000"]
    assert append(store, entry(256)).size == 257


def test_an_entry_too_large_for_a_bundle_is_refused() -> None:
    with pytest.raises(ValueError, match="no entry"):
        entries.Entry("segment", "x" * 70_000, "0" * 64, NOW.isoformat()).to_bytes()


@pytest.mark.parametrize("data", [b"{}", b"[]", b"", b'{"kind":"a"}', entry(0).to_bytes() + b" ", b"\xff"])
def test_a_leaf_that_is_no_entry_is_refused(data: bytes) -> None:
    with pytest.raises(BadEvidence):
        entries.parse(data)


def test_a_proof_as_others_read_it() -> None:
    store = MemoryStore()
    head = append(store, entry(0), entry(1), entry(2))
    text = logs.proof_text(entry(1).to_bytes(), 1, Log(store).inclusion_proof(head, 1), head.checkpoint)
    assert text.startswith("c2sp.org/tlog-proof@v1\nextra ")
    assert text.endswith("\n\n" + head.checkpoint.to_bytes().decode())
