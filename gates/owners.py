"""Who is somebody here: owners named in CODEOWNERS or in maestro.yaml's ``owners``."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class OwnerBook:
    """The known owners; handles compare without case, as on GitHub."""

    known: frozenset[str]

    @staticmethod
    def of(*sources: Iterable[str]) -> OwnerBook:
        """The union of several sources of owners."""
        return OwnerBook(frozenset(owner for source in sources for owner in source))

    def resolves(self, owner: str) -> bool:
        """Whether ``owner`` occurs in one of the sources."""
        return owner.casefold() in {known.casefold() for known in self.known}

    def nearest(self, owner: str) -> str | None:
        """A known owner that looks like a slip of the pen for ``owner``."""
        near = difflib.get_close_matches(owner, sorted(self.known), 1, 0.7)
        return near[0] if near else None
