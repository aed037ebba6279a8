"""From findings to patched files: which fixes go together, and whether what they write can be trusted."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gates.document_index import DOCUMENT_SUFFIXES
from maestro import output_file
from maestro.documents.edit import apply
from maestro.documents.reading import Dialect
from maestro.documents.second_reading import agreed
from maestro.errors import UsageError
from maestro.findings import Edit, Finding


@dataclass(frozen=True, slots=True)
class Patch:
    """One file before and after, and how many findings that repairs."""

    path: str
    before: str
    after: str
    repairs: int


def unified(patch: Patch) -> Iterator[str]:
    """A unified diff that `git apply` takes."""
    before, after = patch.before.splitlines(keepends=True), patch.after.splitlines(keepends=True)
    for line in difflib.unified_diff(before, after, f"a/{patch.path}", f"b/{patch.path}"):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def write(target: Path, patch: Patch) -> None:
    """Put the patched file in place of the other.

    Raises:
        UsageError: it is a link.
        ToolFailure: it cannot be written.
    """
    if target.is_symlink():
        raise UsageError(f"{patch.path} is a symbolic link; it is left alone")
    output_file.write(target, patch.after, "what repairs it")


def patches(
    findings: Iterable[Finding], read: Callable[[str], bytes | None], dialect_of: Callable[[str], Dialect]
) -> tuple[list[Patch], list[str]]:
    """(patches sorted by path, paths left alone because two YAML parsers do not agree on what would be written)."""
    out: list[Patch] = []
    distrusted: list[str] = []
    for path, fixes in sorted(_by_file(findings).items()):
        data = read(path)
        if data is None:
            continue
        before = data.decode("utf-8")
        after = apply(before, [edit for edits in fixes for edit in edits])
        if path.lower().endswith(DOCUMENT_SUFFIXES) and not agreed(path, after, dialect=dialect_of(path)):
            distrusted.append(path)
        else:
            out.append(Patch(path, before, after, len(fixes)))
    return out, distrusted


def _by_file(findings: Iterable[Finding]) -> dict[str, list[tuple[Edit, ...]]]:
    """The fixes of each file. A fix stays within one file; one that overlaps an earlier one waits for another run."""
    files: dict[str, list[tuple[Edit, ...]]] = {}
    for finding in findings:
        if finding.fix is None or finding.waived_by is not None:
            continue
        edits = finding.fix.edits
        taken = files.setdefault(edits[0].location.path, [])
        if not any(_overlap(edit, other) for edit in edits for others in taken for other in others):
            taken.append(edits)
    return files


def _span(edit: Edit) -> tuple[tuple[int, int], tuple[int, int]]:
    place = edit.location
    start = (place.line, place.column)
    return start, (place.end_line or place.line, place.end_column or place.column)


def _overlap(one: Edit, other: Edit) -> bool:
    (start, end), (other_start, other_end) = _span(one), _span(other)
    return start == other_start or (start < other_end and other_start < end)
