"""Edits of a YAML text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from maestro.documents.json_value import Json
from maestro.documents.reading import RawDocument
from maestro.errors import MaestroError
from maestro.findings import Edit


class EditRefused(MaestroError):
    """There is no edit of the text alone that does what was asked."""


def set_value(raw: RawDocument, pointer: Sequence[str | int], value: Json) -> Edit:
    """Replace a value."""
    raise NotImplementedError


def insert_key(raw: RawDocument, parent: Sequence[str | int], key: str, value: Json) -> Edit:
    """Add a key."""
    raise NotImplementedError


def rename_key(raw: RawDocument, pointer: Sequence[str | int], new: str) -> Edit:
    """Rename a key."""
    raise NotImplementedError


def apply(text: str, edits: Iterable[Edit]) -> str:
    """The edited text."""
    raise NotImplementedError
