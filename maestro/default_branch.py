"""The branch whose tip decides, where a command is not told it."""

from __future__ import annotations

from collections.abc import Mapping

from maestro.errors import UsageError
from maestro.github_event import read_event
from maestro.own_origin import require_own_origin
from maestro.repository import Repository
from maestro.selection import default_branch_of


def default_branch_rev(repository: Repository, environ: Mapping[str, str]) -> str:
    """A revision to resolve.

    A checkout in a job has no ``origin/HEAD``, whoever may push a branch may call it ``main``, and a checkout of a fork
    may be called so: there the event says which branch is the default, and the remote's own counts.

    Raises:
        UsageError: nothing says which it is, there is no commit yet, GitHub's event cannot be read, its default branch
            has not been fetched, or the checkout is one of a fork.
    """
    event = read_event(environ)
    if event is not None:
        require_own_origin(repository, environ)
    named = default_branch_of(event)
    if named is not None:
        if repository.find(f"origin/{named}") is None:
            raise UsageError(
                f"origin/{named}, which decides, has not been fetched",
                remedy=f"actions/checkout: `fetch-depth: 0`; by hand: git fetch origin {named}",
            )
        return f"origin/{named}"
    found = repository.default_branch_rev(None)
    if found is None:
        repository.resolve("HEAD")
        raise UsageError(
            "cannot tell which branch decides: more than one could, or none is fetched",
            remedy="say which: `git remote set-head origin --auto`",
        )
    return found
