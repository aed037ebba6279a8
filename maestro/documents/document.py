"""One valid document of the governed repository."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from maestro.documents.kinds import Kind, Model
from maestro.documents.problem import Problem
from maestro.documents.reading import RawDocument
from maestro.findings import Location


@dataclass(frozen=True, slots=True)
class Document:
    """The typed document, and the text it came from."""

    raw: RawDocument
    kind: Kind
    name: str
    owner: str | None
    tenant: str | None
    model: Model

    @property
    def subject(self) -> str:
        """``Kind/name``, as findings and waivers say it."""
        return f"{self.kind}/{self.name}"

    @property
    def path(self) -> str:
        """Of its file, from the root of the repository."""
        return self.raw.path

    def locate(self, pointer: Sequence[str | int], *, key: bool = False) -> Location:
        """See :meth:`RawDocument.locate`."""
        return self.raw.locate(pointer, key=key)


@dataclass(frozen=True, slots=True)
class Parsed:
    """What one governed file holds: its valid documents, and everything wrong with it, in the order of the text."""

    path: str
    documents: tuple[Document, ...]
    problems: tuple[Problem, ...]
