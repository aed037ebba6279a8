"""What every object store must withstand of its service: inherit, and say how to open it through a faulty proxy."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from maestro.errors import ToolFailure
from maestro.ledger.store import Store
from tests.support.faulty_proxy import Fault, FaultyProxy

HARMLESS: list[list[Fault]] = [
    [429],
    [500],
    [503, 503, 503],
    ["cut"],
    ["hang"],
    ["accept-then-hang"],
    ["accept-then-cut"],
    ["accept-then-500"],
    ["hang", "accept-then-cut"],
    ["accept-then-500", 500],
]


class CloudFaults:
    """A store whose client gives up after half a second, behind a proxy."""

    @pytest.fixture
    def faulty(self) -> tuple[Store, FaultyProxy, Store]:
        """The store behind the proxy, the proxy, and the same place without one."""
        raise NotImplementedError

    @pytest.mark.parametrize("faults", HARMLESS, ids=str)
    def test_a_write_happens_once_whatever_the_answer(
        self, faulty: tuple[Store, FaultyProxy, Store], faults: list[Fault]
    ) -> None:
        store, proxy, direct = faulty
        proxy.faults = list(faults)
        assert store.create("claim", b"mine") is True
        assert proxy.faults == [] or faults == ["accept-then-500", 500]
        found = direct.read("claim")
        assert found is not None
        assert found.data == b"mine"
        proxy.faults = list(faults)
        assert store.replace("claim", b"again", found.version) is True
        now = direct.read("claim")
        assert now is not None
        assert now.data == b"again"
        proxy.faults = []
        assert store.replace("claim", b"stale", found.version) is False

    @pytest.mark.parametrize("fault", ["hang", 500])
    def test_somebody_else_was_first_while_nobody_answered(
        self, faulty: tuple[Store, FaultyProxy, Store], fault: Fault
    ) -> None:
        store, proxy, direct = faulty
        direct.create("claim", b"theirs")
        proxy.faults = [fault]
        assert store.create("claim", b"mine") is False
        seen = direct.read("claim")
        assert seen is not None
        direct.replace("claim", b"moved", seen.version)
        proxy.faults = [fault]
        assert store.replace("claim", b"mine", seen.version) is False
        now = direct.read("claim")
        assert now is not None
        assert now.data == b"moved"

    def test_412_is_somebody_else(self, faulty: tuple[Store, FaultyProxy, Store]) -> None:
        store, proxy, direct = faulty
        proxy.faults = [412]
        assert store.create("claim", b"mine") is False
        assert direct.read("claim") is None

    @pytest.mark.parametrize("fault", [429, 500, "cut"])
    def test_reading_tries_again(self, faulty: tuple[Store, FaultyProxy, Store], fault: Fault) -> None:
        store, proxy, direct = faulty
        direct.create("a/b", b"1")
        proxy.concerns = ("GET", "DELETE")
        for ask, answer in self._questions(store):
            proxy.faults = [fault]
            assert ask() == answer
        store.erase("a/b")
        assert direct.read("a/b") is None

    def _questions(self, store: Store) -> list[tuple[Callable[[], object], object]]:
        def data() -> bytes:
            found = store.read("a/b")
            return found.data if found else b""

        return [(data, b"1"), (lambda: list(store.names("a")), ["a/b"]), (lambda: store.read("none"), None)]

    def test_a_service_that_is_down_ends_in_a_clear_word(self, faulty: tuple[Store, FaultyProxy, Store]) -> None:
        store, proxy, _ = faulty
        proxy.faults = [503] * 20
        with pytest.raises(ToolFailure, match=r"does not answer: it says (503|ServiceUnavailable)") as caught:
            store.create("claim", b"mine")
        assert caught.value.remedy is not None
        assert len(proxy.seen) == 6

    def test_a_refusal_is_not_repeated(self, faulty: tuple[Store, FaultyProxy, Store]) -> None:
        store, proxy, _ = faulty
        proxy.faults = [403]
        with pytest.raises(ToolFailure, match="refuses"):
            store.create("claim", b"mine")
        assert len(proxy.seen) == 1
