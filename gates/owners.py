"""Who is somebody here: owners named in CODEOWNERS or in maestro.yaml's ``owners``."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from maestro.codeowners import canonical_owner
from maestro.documents import Document
from maestro.findings import Edit, Finding, Fix, Rule


@dataclass(frozen=True)
class OwnerBook:
    """The known owners; handles compare without case, as on GitHub."""

    known: frozenset[str]

    @cached_property
    def _canonical(self) -> frozenset[str]:
        return frozenset(canonical_owner(owner) for owner in self.known)

    @staticmethod
    def of(*sources: Iterable[str]) -> OwnerBook:
        """The union of several sources of owners."""
        return OwnerBook(frozenset(owner for source in sources for owner in source))

    def resolves(self, owner: str) -> bool:
        """Whether ``owner`` occurs in one of the sources."""
        return canonical_owner(owner) in self._canonical

    def nearest(self, owner: str) -> str | None:
        """A known owner that looks like a slip of the pen for ``owner``."""
        near = difflib.get_close_matches(owner, sorted(self.known), 1, 0.7)
        return near[0] if near else None


def unresolved(rule: Rule, document: Document, book: OwnerBook) -> Finding | None:
    """A finding of ``rule`` when the document names an owner that nobody here is."""
    owner = document.owner
    if owner is None or book.resolves(owner):
        return None
    location = document.locate(["metadata", "owner"])
    finding = rule.finding(
        f"nobody here is {owner}: it occurs neither in CODEOWNERS nor in maestro.yaml's owners",
        location,
        subject=document.subject,
        discriminator=owner,
    )
    near = book.nearest(owner)
    if near is None:
        return finding
    fix = Fix(f"write {near}", (Edit(location, f'"{near}"'),))
    return replace(finding, remedy=f"did you mean {near}? {rule.remedy}", fix=fix)
