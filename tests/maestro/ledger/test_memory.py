"""The store of the tests keeps the contract of the real ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from maestro.ledger.store import Store
from tests.maestro.ledger.contract import StoreContract
from tests.support.memory_store import MemoryStore


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def opened(self) -> Callable[[], Store]:
        store = MemoryStore()
        return lambda: store
