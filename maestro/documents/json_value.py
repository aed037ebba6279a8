"""The values that every engine agrees on: JSON's (RFC 8259), with whole numbers kept exact."""

from __future__ import annotations

from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
