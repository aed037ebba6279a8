"""An immutable picture of all files at one moment, and what differs between two of them. No I/O of its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Protocol

from maestro.errors import ToolFailure
from maestro.git_objects import object_id, tree_id_of

Mode = str
"""Git's file modes: 100644 a file, 100755 an executable one, 120000 a link, 160000 a submodule."""

LINK = "120000"
SUBMODULE = "160000"


@dataclass(frozen=True, slots=True)
class Entry:
    """One path's mode and object id. A submodule's id is a commit elsewhere (None: a nested repository that is
    not yet added)."""

    mode: Mode
    oid: str | None

    @property
    def is_file(self) -> bool:
        """A regular file, executable or not: neither a link nor a submodule."""
        return self.mode in ("100644", "100755")


@dataclass(frozen=True, slots=True)
class Change:
    """One path that differs: added (before is None), removed (after is None) or changed in content or mode.
    A rename is a removal and an addition."""

    path: str
    before: Entry | None
    after: Entry | None


class BlobSource(Protocol):
    """Where contents come from, by object id."""

    def blobs(self, oids: Iterable[str]) -> dict[str, bytes]:
        """The content of each; raises ToolFailure when one cannot be had."""
        ...


@dataclass(frozen=True, slots=True)
class MemoryBlobs:
    """Contents held in memory."""

    contents: Mapping[str, bytes]

    def blobs(self, oids: Iterable[str]) -> dict[str, bytes]:
        """The content of each; KeyError for one that is not there."""
        return {oid: self.contents[oid] for oid in oids}


class Snapshot:
    """All files at one revision, or in the working tree.

    Paths are as git has them, relative to the repository's root with ``/``; bytes that are not UTF-8 are kept as
    surrogate escapes. ``commit`` is None for the working tree and for nothing at all; ``label`` is the commit id,
    ``worktree`` or ``nothing``.
    """

    def __init__(
        self,
        *,
        commit: str | None,
        label: str,
        entries: Callable[[], Mapping[str, Entry]],
        blobs: BlobSource,
        object_format: str = "sha1",
        git_tree_id: Callable[[str | None], str] | None = None,
    ) -> None:
        self.commit = commit
        self.label = label
        self.object_format = object_format
        self._list = entries
        self._blobs = blobs
        self._git_tree_id = git_tree_id

    @classmethod
    def of_files(cls, files: Mapping[str, bytes], *, commit: str | None = None, label: str = "memory") -> Snapshot:
        """A snapshot of these regular files; no repository needed."""
        oids = {path: object_id("blob", data, "sha1") for path, data in files.items()}
        entries = {path: Entry("100644", oids[path]) for path in sorted(files)}
        contents = MemoryBlobs({oids[path]: data for path, data in files.items()})
        return cls(commit=commit, label=commit or label, entries=lambda: entries, blobs=contents)

    @cached_property
    def entries(self) -> Mapping[str, Entry]:
        """Every path, sorted; listed when first asked for."""
        return MappingProxyType(dict(self._list()))

    def read(self, path: str) -> bytes:
        """The content of one file (of a link: its target's text). See `read_many`."""
        return self.read_many((path,))[path]

    def read_many(self, paths: Iterable[str]) -> dict[str, bytes]:
        """The contents of files, in one batch. Equal files are read once.

        Raises:
            KeyError: a path that is not in ``entries``.
            ToolFailure: a submodule (it has no content here), or a content that cannot be had.
        """
        oids: dict[str, str] = {}
        for path in paths:
            entry = self.entries[path]
            if entry.oid is None or entry.mode == SUBMODULE:
                raise ToolFailure("a submodule has no content of its own to read", where=path)
            oids[path] = entry.oid
        contents = self._blobs.blobs(set(oids.values()))
        return {path: contents[oid] for path, oid in oids.items()}

    def tree_id(self, exclude: str | None = None) -> str:
        """The id of the git tree with these files; with ``exclude``, as if that top-level folder were absent."""
        if self._git_tree_id is not None:
            return self._git_tree_id(exclude)
        prefix = None if exclude is None else exclude + "/"
        files = {
            path: (entry.mode, entry.oid)
            for path, entry in self.entries.items()
            if entry.oid is not None and not (prefix and (path == exclude or path.startswith(prefix)))
        }
        return tree_id_of(files, self.object_format)

    def __repr__(self) -> str:
        return f"Snapshot({self.label})"


NOTHING = Snapshot(commit=None, label="nothing", entries=dict, blobs=MemoryBlobs({}))
"""No files at all: what a repository's first commit is compared with."""


def compare(before: Snapshot, after: Snapshot) -> tuple[Change, ...]:
    """What differs, sorted by path. Entries that both share are one object when they come from one repository,
    so unchanged files cost no comparison."""
    old, new = before.entries, after.entries
    if old is new:
        return ()
    changed = [path for path, entry in new.items() if (was := old.get(path)) is not entry and was != entry]
    changed += old.keys() - new.keys()
    return tuple(Change(path, old.get(path), new.get(path)) for path in sorted(changed))


def diff_digest(changes: Iterable[Change]) -> str:
    """``sha256:…`` over the canonical JSON of ``[path, before mode, before id, after mode, after id]`` per change.

    Sorted by path; null where there is no such side; ASCII only, so a path that is not UTF-8 has a digest, too.
    """
    rows = [
        [
            change.path,
            change.before.mode if change.before else None,
            change.before.oid if change.before else None,
            change.after.mode if change.after else None,
            change.after.oid if change.after else None,
        ]
        for change in sorted(changes, key=lambda change: change.path)
    ]
    text = json.dumps(rows, ensure_ascii=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode("ascii")).hexdigest()
