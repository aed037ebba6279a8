"""The branch whose tip decides, where a command is not told it."""

from __future__ import annotations

from collections.abc import Mapping

from maestro.github_event import read_event
from maestro.repository import Repository


def default_branch_rev(repository: Repository, environ: Mapping[str, str]) -> str | None:
    """A revision to resolve, or None where nothing says which.

    A checkout in a job has no ``origin/HEAD``, and whoever may push a branch may call it ``main``: the event says which
    branch is the default.

    Raises:
        UsageError: GitHub's event cannot be read.
    """
    return repository.default_branch_rev(_in_event(read_event(environ)))


def _in_event(event: object) -> str | None:
    about = event.get("repository") if isinstance(event, dict) else None
    name = about.get("default_branch") if isinstance(about, dict) else None
    return name if isinstance(name, str) and name else None
