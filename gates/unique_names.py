"""Two documents of one kind and name: found by searching bytes, so that nothing else need be parsed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gates.document_index import DocumentIndex
from maestro.documents import Document


def clashes(documents: Sequence[Document], index: DocumentIndex) -> Iterator[tuple[Document, Document]]:
    """(document, the other one) for each of ``documents`` whose (kind, name) is also another's.

    Of two that are both among ``documents`` only the later one (by path and place) is named: one defect, one finding.
    """
    if not documents:
        return
    mine = {(document.path, document.raw.index) for document in documents}
    first: dict[tuple[str, str], Document] = {}
    for document in index.documents(index.holding({document.name for document in documents})):
        key = (document.kind, document.name)
        here = (document.path, document.raw.index)
        if key not in first or ((first[key].path, first[key].raw.index) in mine and here not in mine):
            first[key] = document
    for document in documents:
        other = first.get((document.kind, document.name))
        if other is not None and (other.path, other.raw.index) != (document.path, document.raw.index):
            yield document, other
