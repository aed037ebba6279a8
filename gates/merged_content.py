"""Whether a merge holds what was reviewed and nothing else: a three-way merge of whole files, done again. Pure.

Git's own merge would also join two changes of one file. That needs contents; here a file that both sides changed
differently is one that nobody can vouch for, and whoever approved sees the same when they update the branch first.
"""

from __future__ import annotations

from collections.abc import Mapping

from maestro.snapshot import Entry

Files = Mapping[str, Entry]
"""Path → mode and object id."""


def beyond(base: Files, ours: Files, theirs: Files, merged: Files) -> str | None:
    """The first path of ``merged`` that bringing ``theirs`` into ``ours`` does not explain; None: it explains all.

    Args:
        base: a common ancestor of both.
        ours: the branch before the merge.
        theirs: what was reviewed.
        merged: the branch after it.
    """
    for path in sorted({*base, *ours, *theirs, *merged}):
        before, our, their = base.get(path), ours.get(path), theirs.get(path)
        explained = {their} if our == before else {our} if their in (before, our) else set()
        if merged.get(path) not in explained:
            return path
    return None
