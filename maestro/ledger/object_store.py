"""Stores made of objects with conditional writes, and the one policy for services that answer badly or not at all.

The clients of the clouds try once and give up after seconds; what is tried again, how often and after which pause is
decided here, because only here it is known how to find out whether a write that nobody answered has happened.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from maestro.errors import ToolFailure
from maestro.ledger.store import Reader, Stored, checked, is_name

ATTEMPTS = 6
_FIRST_PAUSE = 0.2
"""Seconds; doubled each time, spread by half: 6 s in all."""
CONNECT_SECONDS, READ_SECONDS = 2.0, 10.0
"""Until a client gives up: a region far away connects in 0.3 s, and an object of 100 KB arrives in 1 s."""

T = TypeVar("T")


class Temporary(Exception):
    """No answer, or one that asks to come again: throttled, broken, unavailable. It may have been done all the same."""


class Objects(Protocol):
    """What a service can do with one request. Keys are complete; every method raises Temporary or ToolFailure."""

    @property
    def address(self) -> str:
        """What people call it, without the prefix."""

    def get(self, key: str) -> Stored | None:
        """The object and its version."""

    def put_new(self, key: str, data: bytes) -> bool:
        """Write where nothing is; False where something is."""

    def put_over(self, key: str, data: bytes, version: str) -> bool:
        """Write over exactly this version; False where another stands there, or none."""

    def keys(self, prefix: str) -> Iterator[str]:
        """The keys with this prefix."""

    def delete(self, key: str) -> None:
        """Delete it, where it is there."""


class ObjectStore:
    """See ``Store``."""

    erases = True

    def __init__(self, objects: Objects, prefix: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._objects = objects
        self._prefix = f"{prefix}/" if prefix else ""
        self._sleep = sleep
        self.address = f"{objects.address}/{prefix}" if prefix else objects.address

    def read(self, name: str) -> Stored | None:
        """See ``Store``."""
        key = self._prefix + checked(name)
        return self._again(lambda: self._objects.get(key), name)

    def create(self, name: str, data: bytes) -> bool:
        """See ``Store``."""
        key = self._prefix + checked(name)
        return self._write(name, data, None, lambda: self._objects.put_new(key, data))

    def replace(self, name: str, data: bytes, version: str) -> bool:
        """See ``Store``."""
        key = self._prefix + checked(name)
        return self._write(name, data, version, lambda: self._objects.put_over(key, data, version))

    def names(self, prefix: str) -> Iterator[str]:
        """See ``Store``."""
        found = self._again(lambda: list(self._objects.keys(self._prefix + prefix)), prefix)
        return iter(sorted(name for key in found if is_name(name := key.removeprefix(self._prefix))))

    def prefetch(self, names: Iterable[str]) -> None:
        """See ``Reader``: each comes by itself."""

    def now(self) -> Reader:
        """See ``Store``."""
        return self

    def erase(self, name: str) -> None:
        """See ``Store``. Where the bucket keeps old versions, its own rules must end them."""
        key = self._prefix + checked(name)
        self._again(lambda: self._objects.delete(key), name)

    def _again(self, request: Callable[[], T], name: str) -> T:
        for attempt in range(ATTEMPTS):
            try:
                return request()
            except Temporary as error:
                self._pause(attempt, error, name)
        raise AssertionError

    def _write(self, name: str, data: bytes, before: str | None, put: Callable[[], bool]) -> bool:
        """Write under a condition. Once an attempt went unanswered, what stands there decides whether it was ours."""
        unanswered = False
        for attempt in range(ATTEMPTS):
            try:
                took = put()
            except Temporary as error:
                unanswered = True
                self._pause(attempt, error, name)
                found = self.read(name)
                if found is not None and found.data == data:
                    return True
                if (found.version if found else None) != before:
                    return False
                continue
            if took or not unanswered:
                return took
            found = self.read(name)
            return found is not None and found.data == data
        raise AssertionError

    def _pause(self, attempt: int, error: Temporary, name: str) -> None:
        if attempt == ATTEMPTS - 1:
            raise ToolFailure(
                f"the ledger's store does not answer: {error}",
                where=f"{self.address}: {name}",
                remedy="nothing is lost: try the same command again when the service is well",
            ) from error
        self._sleep(_FIRST_PAUSE * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311 - spreads clients
