"""What fields of one document ask of each other; checked on the plain value, so it is said with everything else."""

from __future__ import annotations

from typing import NamedTuple


class Relation(NamedTuple):
    """A breach: where (steps below ``spec``), and what to say after the path of the field."""

    steps: tuple[str | int, ...]
    words: str
    remedy: str | None = None
    missing: bool = False
    """Whether something is absent rather than wrong."""
