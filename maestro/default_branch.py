"""The branch whose tip decides, where a command is not told it."""

from __future__ import annotations

from collections.abc import Mapping

from maestro.errors import UsageError
from maestro.github_event import read_event
from maestro.repository import Repository
from maestro.selection import default_branch_of


def default_branch_rev(repository: Repository, environ: Mapping[str, str]) -> str:
    """A revision to resolve.

    A checkout in a job has no ``origin/HEAD``, and whoever may push a branch may call it ``main``: there the event says
    which branch is the default.

    Raises:
        UsageError: nothing says which it is, there is no commit yet, or GitHub's event cannot be read.
    """
    found = repository.remote_head() or repository.default_branch_rev(default_branch_of(read_event(environ)))
    if found is None:
        repository.resolve("HEAD")
        raise UsageError(
            "cannot tell which branch decides: more than one could, or none is fetched",
            remedy="say which: `git remote set-head origin --auto`",
        )
    return found
