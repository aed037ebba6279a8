"""Members of parsed JSON, as the formats of Sigstore (protobuf's JSON) write them. Whatever is wrong is one error."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import Any

_UTC = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,9})?Z")
_NUMBER = re.compile(r"[0-9]{1,18}")


class Fields:
    """A JSON object that something is read from; ``refuse`` makes the error from words."""

    __slots__ = ("_refuse", "_value", "_where")

    def __init__(self, value: object, where: str, refuse: Callable[[str], Exception]) -> None:
        if not isinstance(value, dict):
            raise refuse(f"{where} is not an object")
        self._value: Mapping[str, Any] = value
        self._where = where
        self._refuse = refuse

    def __contains__(self, key: str) -> bool:
        return self._value.get(key) is not None

    def _name(self, key: str) -> str:
        return f"{self._where}.{key}" if self._where else key

    def _get(self, key: str) -> Any:  # noqa: ANN401 - JSON
        value = self._value.get(key)
        if value is None:
            raise self._refuse(f"{self._name(key)} is missing")
        return value

    def fields(self, key: str) -> Fields:
        """The object at ``key``."""
        return Fields(self._get(key), self._name(key), self._refuse)

    def each(self, key: str) -> list[Fields]:
        """The objects in the list at ``key``; none where it is absent."""
        value = self._value.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self._refuse(f"{self._name(key)} is not a list")
        return [Fields(one, f"{self._name(key)}[{index}]", self._refuse) for index, one in enumerate(value)]

    def text(self, key: str) -> str:
        """The text at ``key``, not empty."""
        value = self._get(key)
        if not isinstance(value, str) or not value:
            raise self._refuse(f"{self._name(key)} is not text")
        return value

    def texts(self) -> dict[str, str]:
        """Everything in the object, which must all be text (possibly empty)."""
        if not all(isinstance(one, str) for one in self._value.values()):
            raise self._refuse(f"{self._where} has something else than text")
        return dict(self._value)

    def number(self, key: str) -> int:
        """The number at ``key``, from 0; protobuf writes 64 bits as text."""
        value = self._get(key)
        if type(value) is int and 0 <= value < 10**18:
            return value
        if isinstance(value, str) and _NUMBER.fullmatch(value):
            return int(value)
        raise self._refuse(f"{self._name(key)} is not a number from 0 on")

    def data(self, key: str) -> bytes:
        """The bytes at ``key``, in base64, not empty."""
        found = self._base64(self.text(key), key)
        if not found:
            raise self._refuse(f"{self._name(key)} is empty")
        return found

    def every_data(self, key: str) -> tuple[bytes, ...]:
        """The list of bytes at ``key``; empty where it is absent."""
        value = self._value.get(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise self._refuse(f"{self._name(key)} is not a list of text")
        return tuple(self._base64(one, key) for one in value)

    def time(self, key: str) -> dt.datetime:
        """The RFC 3339 time in UTC at ``key`` (aware; beyond microseconds cut off)."""
        found = _UTC.fullmatch(self.text(key))
        try:
            if found is not None:
                return dt.datetime.fromisoformat(found[1] + (found[2] or "")[:7] + "+00:00")
        except ValueError:
            pass
        raise self._refuse(f"{self._name(key)} is not a time in UTC")

    def _base64(self, value: str, key: str) -> bytes:
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError) as error:
            raise self._refuse(f"{self._name(key)} is not base64") from error
