"""Documents that are still there, where nothing judges them any more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from gates.governed.question import FILES, GovernedChange, Question
from gates.governed.rules import OUT_OF_SCOPE
from maestro.documents import parse
from maestro.findings import Location
from maestro.patterns import compile_patterns
from maestro.repository import Change

_SIMILAR = 0.5
"""The share of common lines from which a file counts as moved, as git's rename detection has it."""
_PAIRS = 4000
"""Comparisons of contents at most; beyond that, equal contents and equal file names still count as moved."""


def moved_documents(question: Question) -> Iterator[GovernedChange]:
    """Documents that leave the governed files, or the files an active pack judges, and stand elsewhere."""
    entries = question.change.head.entries
    arrived = [one for one in question.changes if one.after is not None and one.after.mode in FILES]
    left = [one for one in question.changes if one.before is not None and one.path not in entries]
    outside = [one for one in arrived if not question.at_head.has(one.path)]
    told: set[str] = set()
    for origin, place, what in _moved_subjects(question, outside):
        told.add(origin)
        yield _out_of_scope(origin, place, f"{what} moves to {place}, which maestro.yaml does not govern")
    gone = [one for one in left if question.at_base.has(one.path)]
    for origin, place in _renamed(question, [one for one in gone if one.path not in told], outside, alike=False):
        told.add(origin)
        yield _out_of_scope(origin, place, f"{origin} moves to {place}, which maestro.yaml does not govern")
    for pack in question.before.packs.packs if question.before and left else ():
        if pack.input != "document" or pack.mode == "shadow":
            continue
        match = compile_patterns(pack.match)
        gone = [one for one in left if one.path not in told and match(one.path)]
        beyond = [one for one in arrived if not match(one.path)]
        for origin, place in _renamed(question, gone, beyond, alike=True):
            told.add(origin)
            message = f"{origin} moves to {place}, which pack {pack.name} does not judge"
            yield _out_of_scope(origin, place, message)


def _out_of_scope(origin: str, place: str, message: str) -> GovernedChange:
    return GovernedChange(OUT_OF_SCOPE, message, Location(place), origin, (origin,))


def _moved_subjects(question: Question, outside: Sequence[Change]) -> Iterator[tuple[str, str, str]]:
    """(old path, new path, subject) of documents that left the governed files and stand in others now."""
    if not outside:
        return
    paths = [one.path for one in question.changes]
    staying = {document.subject for document in question.at_head.documents(paths)}
    origins = {
        document.subject: document.path
        for document in question.at_base.documents(paths)
        if document.subject not in staying
    }
    if not origins:
        return
    texts = question.change.head.read_many([one.path for one in outside])
    for path, data in sorted(texts.items()):
        if b"maestro-conductor" not in data and b"\\" not in data:
            continue
        for document in parse(path, data).documents:
            origin = origins.pop(document.subject, None)
            if origin is not None:
                yield origin, path, document.subject


def _renamed(
    question: Question, gone: Sequence[Change], arrived: Sequence[Change], *, alike: bool
) -> Iterator[tuple[str, str]]:
    """(old path, new path) of files with the same content or, with ``alike``, the same name or half of the lines."""
    if not gone or not arrived:
        return
    contents: dict[str | None, str] = {}
    names: dict[str, str] = {}
    for one in arrived:
        contents.setdefault(one.after.oid if one.after else None, one.path)
        if one.before is None:
            names.setdefault(one.path.rpartition("/")[2], one.path)
    compared = alike and len(gone) * len(arrived) <= _PAIRS
    old = question.change.base.read_many([one.path for one in gone if one.before and one.before.mode in FILES])
    new = question.change.head.read_many([one.path for one in arrived]) if compared else {}
    lines = {path: Counter(data.splitlines()) for path, data in new.items()}
    for one in gone:
        place = contents.get(one.before.oid if one.before else None)
        if place is None and alike:
            place = names.get(one.path.rpartition("/")[2])
        if place is None and compared and one.path in old:
            mine = Counter(old[one.path].splitlines())
            place = next((path for path, other in lines.items() if _similar(mine, other)), None)
        if place is not None:
            yield one.path, place


def _similar(one: Counter[bytes], other: Counter[bytes]) -> bool:
    return (one & other).total() >= _SIMILAR * max(one.total(), other.total(), 1)
