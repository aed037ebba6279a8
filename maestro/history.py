"""What was merged into a branch: its line of first parents, and every commit behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple


class Merged(NamedTuple):
    """A commit that was the branch's tip once: its id, its tree, and its committer's time (seconds since 1970, their
    own word)."""

    commit: str
    tree: str
    committed: int


@dataclass(frozen=True)
class History:
    """``line`` is what the branch's tip was, oldest first; ``parents`` has every commit that is merged."""

    line: tuple[Merged, ...]
    parents: Mapping[str, tuple[str, ...]]

    @cached_property
    def place(self) -> Mapping[str, int]:
        """Where on the line a commit stands, from 0."""
        return {one.commit: place for place, one in enumerate(self.line)}

    def __contains__(self, commit: object) -> bool:
        return commit in self.parents

    def is_before(self, one: str, other: str) -> bool:
        """Whether ``one`` is a true ancestor of ``other``; both are merged."""
        if one == other:
            return False
        places = self.place.get(one), self.place.get(other)
        if places[0] is not None and places[1] is not None:
            return places[0] < places[1]
        seen: set[str] = set()
        pending = [*self.parents.get(other, ())]
        while pending:
            commit = pending.pop()
            if commit == one:
                return True
            if commit not in seen:
                seen.add(commit)
                pending += self.parents.get(commit, ())
        return False
