"""The governed documents of one snapshot, parsed when asked for and only then.

A name in a YAML text stands there letter for letter unless the text holds a backslash (YAML 1.2 §5.7: only
double-quoted escapes rewrite a character, and names hold no white space, so no folding touches them). So the files
that may speak of a name are found by searching bytes, and a check of five documents among ten thousand parses a
handful (docs/adr/0002).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from maestro.documents import Document, Parsed, parse
from maestro.repository import Snapshot

DOCUMENT_SUFFIXES = (".yaml", ".yml")
MANY = 100
"""So many names are searched for; for more, parsing everything is cheaper than an alternation of all of them."""
_FILE_MODES = ("100644", "100755")


class DocumentIndex:
    """Documents of ``snapshot`` under the patterns that ``governs`` answers for."""

    def __init__(self, snapshot: Snapshot, governs: Callable[[str], bool]) -> None:
        self.snapshot = snapshot
        self._governs = governs
        self._parsed: dict[str, Parsed] = {}
        self._bytes: dict[str, bytes] = {}
        self._paths: tuple[str, ...] | None = None

    def governs(self, path: str) -> bool:
        """Whether ``path`` is a document's by the patterns and its ending."""
        return path.lower().endswith(DOCUMENT_SUFFIXES) and self._governs(path)

    @property
    def paths(self) -> tuple[str, ...]:
        """All governed regular files, sorted."""
        if self._paths is None:
            self._paths = tuple(
                sorted(
                    path
                    for path, entry in self.snapshot.entries.items()
                    if entry.mode in _FILE_MODES and self.governs(path)
                )
            )
        return self._paths

    def has(self, path: str) -> bool:
        """Whether ``path`` is a governed regular file here."""
        entry = self.snapshot.entries.get(path)
        return entry is not None and entry.mode in _FILE_MODES and self.governs(path)

    def load(self, paths: Iterable[str]) -> None:
        """Read these governed files in one go."""
        missing = [path for path in paths if path not in self._bytes]
        if missing:
            self._bytes.update(self.snapshot.read_many(missing))

    def data(self, path: str) -> bytes:
        """The bytes of a governed file."""
        self.load([path])
        return self._bytes[path]

    def parsed(self, path: str) -> Parsed:
        """The file's documents and problems."""
        found = self._parsed.get(path)
        if found is None:
            found = self._parsed[path] = parse(path, self.data(path))
        return found

    def documents(self, paths: Iterable[str]) -> Iterator[Document]:
        """The readable documents of these files, in the order given; files not governed here are passed over."""
        wanted = [path for path in paths if self.has(path)]
        self.load(wanted)
        for path in wanted:
            yield from self.parsed(path).documents

    def holding(self, words: Iterable[str]) -> tuple[str, ...]:
        """The governed files that can hold one of ``words`` as (part of) a scalar: a superset, never too few."""
        wanted = sorted({word.encode("utf-8", "surrogateescape") for word in words})
        if not wanted:
            return ()
        if len(wanted) > MANY:
            return self.paths
        self.load(self.paths)
        search = re.compile(b"|".join([re.escape(word) for word in wanted] + [rb"\\"])).search
        return tuple(path for path in self.paths if search(self._bytes[path]))
