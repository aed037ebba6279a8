"""What of a change alters waivers, in whatever governed file they stand."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import cast

from gates.document_index import DocumentIndex
from gates.governed.question import GovernedChange, Question
from gates.governed.rules import WAIVER_CHANGED
from maestro.documents import Document
from maestro.documents.waiver import Waiver
from maestro.findings import Location


def waiver_changes(question: Question) -> Iterator[GovernedChange]:
    """Waivers that are added, removed or mean something else."""
    paths = [one.path for one in question.changes]
    old, new = _waivers_in(question.at_base, paths), _waivers_in(question.at_head, paths)
    for key in sorted(old.keys() | new.keys()):
        name, before, after = key[0], old.get(key), new.get(key)
        if before is not None and after is not None and _waiver(before) == _waiver(after):
            continue
        if after is not None:
            spec, location = _waiver(after).spec, after.locate(["spec", "until"])
            message = f"waiver {name} sets {spec.rule} for {spec.subject} aside until {spec.until}"
        elif before is not None:
            spec, location = _waiver(before).spec, Location(before.path)
            message = f"waiver {name} is removed: it set {spec.rule} for {spec.subject} aside"
        files = sorted({one.path for one in (before, after) if one is not None})
        yield GovernedChange(WAIVER_CHANGED, message, location, f"Waiver/{name}", tuple(files))


def _waivers_in(index: DocumentIndex, paths: Iterable[str]) -> dict[tuple[str, int], Document]:
    """By name, and by place among those of one name: a namesake must not hide another."""
    # A kind stands in the text letter for letter, unless there is a backslash (see document_index).
    holding = [path for path in paths if index.has(path) and re.search(rb"Waiver|\\", index.data(path))]
    found: dict[tuple[str, int], Document] = {}
    seen: Counter[str] = Counter()
    for document in index.documents(holding):
        if document.kind == "Waiver":
            found[document.name, seen[document.name]] = document
            seen[document.name] += 1
    return found


def _waiver(document: Document) -> Waiver:
    return cast("Waiver", document.model)
