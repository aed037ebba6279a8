"""A store in memory: for tests of what stands on stores. It passes the same contract."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator

from maestro.ledger.store import Reader, Stored, checked


class MemoryStore:
    """Files in a dictionary, safe between threads."""

    erases = True

    def __init__(self) -> None:
        self.address = "memory"
        self.files: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def read(self, name: str) -> Stored | None:
        data = self.files.get(checked(name))
        return None if data is None else Stored(data, hashlib.sha256(data).hexdigest())

    def create(self, name: str, data: bytes) -> bool:
        with self._lock:
            if checked(name) in self.files:
                return False
            self.files[name] = data
            return True

    def replace(self, name: str, data: bytes, version: str) -> bool:
        with self._lock:
            found = self.read(name)
            if found is None or found.version != version:
                return False
            self.files[name] = data
            return True

    def names(self, prefix: str) -> Iterator[str]:
        return iter(sorted(name for name in self.files if name.startswith(prefix)))

    def prefetch(self, names: Iterable[str]) -> None:
        pass

    def now(self) -> Reader:
        return self

    def erase(self, name: str) -> None:
        with self._lock:
            self.files.pop(checked(name), None)
