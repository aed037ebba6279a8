"""The contract of every store: inherit from ``StoreContract``, say how to open one, and run it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from maestro.errors import ToolFailure
from maestro.evidence.trust import trust_of
from maestro.ledger.store import Store
from runner.execution import Task, executions_of
from runner.run_folder import run_folder
from runner.stored_run import StoredRun, TakenOver
from tests.maestro.evidence import keys
from tests.runner.plans import NOW, RUN

BAD_NAMES = ("", "/a", "a/", "a//b", ".", "..", "a/../b", ".hidden", "a/.b", "a\\b", "a b", "a\n", "é", "x" * 300)


class StoreContract:
    """What any store must keep. ``opened`` opens the same place anew each time it is called: another process's view."""

    @pytest.fixture
    def opened(self) -> Callable[[], Store]:
        raise NotImplementedError

    @pytest.fixture
    def store(self, opened: Callable[[], Store]) -> Store:
        return opened()

    writers = 4
    """How many write at once where that is tried."""
    erases = True
    """Whether it can forget; one that cannot says so."""

    def test_what_was_created_is_read_by_everybody(self, opened: Callable[[], Store]) -> None:
        data = bytes(range(256)) * 10
        assert opened().read("a/b") is None
        assert opened().create("a/b", data)
        found = opened().read("a/b")
        assert found is not None
        assert found.data == data
        assert found.version

    def test_an_empty_file_is_a_file(self, store: Store) -> None:
        assert store.create("empty", b"")
        found = store.read("empty")
        assert found is not None
        assert found.data == b""
        assert not store.create("empty", b"x")

    def test_nothing_is_created_twice(self, opened: Callable[[], Store]) -> None:
        assert opened().create("a", b"first")
        assert not opened().create("a", b"second")
        found = opened().read("a")
        assert found is not None
        assert found.data == b"first"

    def test_creating_the_same_bytes_again_is_somebody_elses_word_too(self, opened: Callable[[], Store]) -> None:
        assert opened().create("claim", b"same")
        assert not opened().create("claim", b"same")

    def test_only_what_was_read_is_replaced(self, opened: Callable[[], Store]) -> None:
        store, other = opened(), opened()
        store.create("head", b"1")
        seen = store.read("head")
        assert seen is not None
        assert other.replace("head", b"2", seen.version)
        assert not store.replace("head", b"3", seen.version)
        now = store.read("head")
        assert now is not None
        assert now.data == b"2"
        assert store.replace("head", b"4", now.version)
        last = other.read("head")
        assert last is not None
        assert last.data == b"4"

    def test_what_is_not_there_is_not_replaced(self, store: Store) -> None:
        store.create("a", b"1")
        seen = store.read("a")
        assert seen is not None
        assert not store.replace("never/was", b"2", seen.version)
        assert store.read("never/was") is None
        if self.erases:
            store.erase("a")
            assert not store.replace("a", b"2", seen.version)
            assert store.read("a") is None

    def test_names_by_prefix_in_order(self, opened: Callable[[], Store]) -> None:
        store = opened()
        assert list(store.names("")) == []
        for name in ("b/2", "b/10", "a", "b-c", "bb/1", "b/x/y"):
            assert store.create(name, b".")
        assert list(opened().names("")) == ["a", "b-c", "b/10", "b/2", "b/x/y", "bb/1"]
        assert list(opened().names("b/")) == ["b/10", "b/2", "b/x/y"]
        assert list(opened().names("b")) == ["b-c", "b/10", "b/2", "b/x/y", "bb/1"]
        assert list(opened().names("b/1")) == ["b/10"]
        assert list(opened().names("no/such")) == []

    def test_much_is_read_as_it_was_at_one_moment_or_later(self, opened: Callable[[], Store]) -> None:
        assert list(opened().now().names("")) == []
        assert opened().now().read("a/0") is None
        store = opened()
        for number in range(3):
            store.create(f"a/{number}", b"%d" * number)
        store.create("b", b"b")
        there = opened().now()
        assert there.address == store.address
        assert list(there.names("a/")) == ["a/0", "a/1", "a/2"]
        for name in there.names(""):
            found = there.read(name)
            assert found is not None
            assert found == store.read(name)
        assert there.read("never/was") is None
        found = there.read("b")
        assert found is not None
        assert store.replace("b", b"c", found.version)
        later = store.now().read("b")
        assert later is not None
        assert later.data == b"c"
        again = there.read("b")
        assert again is not None
        assert again.data in (b"b", b"c")

    @pytest.mark.parametrize("name", BAD_NAMES)
    def test_nor_is_such_a_name_read_among_many(self, store: Store, name: str) -> None:
        with pytest.raises(ValueError, match="no name"):
            store.now().read(name)

    def test_what_is_erased_is_gone_and_erasing_again_is_nothing(self, opened: Callable[[], Store]) -> None:
        store = opened()
        store.create("inputs/a", b"personal")
        store.create("inputs/b", b"other")
        store.erase("never/was")
        if not self.erases:
            with pytest.raises(ToolFailure, match="erased"):
                store.erase("inputs/a")
            return
        store.erase("inputs/a")
        store.erase("inputs/a")
        assert opened().read("inputs/a") is None
        assert list(opened().names("inputs/")) == ["inputs/b"]
        assert opened().create("inputs/a", b"again")

    @pytest.mark.parametrize("name", BAD_NAMES)
    def test_a_name_that_not_every_store_can_keep_is_refused(self, store: Store, name: str) -> None:
        with pytest.raises(ValueError, match="no name"):
            store.create(name, b"")
        with pytest.raises(ValueError, match="no name"):
            store.read(name)
        with pytest.raises(ValueError, match="no name"):
            store.replace(name, b"", "1")
        with pytest.raises(ValueError, match="no name"):
            store.erase(name)

    def test_one_of_many_creates(self, opened: Callable[[], Store]) -> None:
        stores = [opened() for _ in range(self.writers)]
        with ThreadPoolExecutor(self.writers) as pool:
            for turn in range(5):
                name = f"claims/{turn}"
                told = list(pool.map(lambda one, at=name: stores[one].create(at, b"%d" % one), range(self.writers)))
                assert told.count(True) == 1
                found = opened().read(name)
                assert found is not None
                assert found.data == b"%d" % told.index(True)

    def test_no_addition_is_lost_between_writers(self, opened: Callable[[], Store]) -> None:
        opened().create("count", b"0")
        turns = 5

        def add(_: int) -> None:
            store = opened()
            done = 0
            while done < turns:
                seen = store.read("count")
                assert seen is not None
                done += store.replace("count", b"%d" % (int(seen.data) + 1), seen.version)

        with ThreadPoolExecutor(self.writers) as pool:
            list(pool.map(add, range(self.writers)))
        found = opened().read("count")
        assert found is not None
        assert int(found.data) == turns * self.writers

    def test_of_the_sessions_of_a_run_only_the_last_one_goes_on(
        self, opened: Callable[[], Store], tmp_path: Path
    ) -> None:
        trust, executions = trust_of([keys.row()]), executions_of(RUN, Task("Manifest/a", ("true",)), 300)
        stored = []
        for number, name in enumerate(("first", "second"), 1):
            folder = run_folder(tmp_path / name, RUN)
            folder.create()
            one = StoredRun(opened(), folder, keys.signer(), trust, lambda: NOW)
            stored.append(one)
            one.pull()
            assert sorted(one.lost()) == sorted(each.id for each in executions[:200] if number == 2)
            folder.add_numbered("sessions", number, f"session {number}".encode())
            assert one.begin(number)
            if number == 1:
                one.claim(executions[:200])
                (folder.path / "logs" / "x.1.log").write_bytes(b"said")
                one.keep("logs/x.1.log")
                one.flush()
            else:
                assert (folder.path / "logs" / "x.1.log").read_bytes() == b"said"
        with pytest.raises(TakenOver, match="session 2"):
            stored[0].claim(executions[200:])
        stored[1].claim(executions[200:])
        assert len(list(opened().names(f"runs/{RUN}/steps/"))) == 5

    def test_it_says_where_it_is(self, store: Store) -> None:
        assert store.address
