"""Whether the remote that a job's checkout calls origin is the repository that the job belongs to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from maestro.errors import UsageError
from maestro.repository import Repository

_SCP_LIKE = re.compile(r"(?:[^/@:]+@)?([^/@:]+):(?!//)(.+)")
"""``git@github.com:acme/api.git`` (git-clone(1), GIT URLS)."""


def require_own_origin(repository: Repository, environ: Mapping[str, str]) -> None:
    """A checkout of a fork has the fork's branches, `origin/main` among them: its owner's to write.

    Raises:
        UsageError: ``origin`` is another repository than the job's.
    """
    url = repository.git.run("config", "--get", "remote.origin.url").stdout.decode("utf-8", "replace").strip()
    found = _host_and_name(url)
    wanted = environ.get("GITHUB_REPOSITORY", "").lower()
    server = urlsplit(environ.get("GITHUB_SERVER_URL") or "https://github.com").hostname
    if found is not None and wanted and found[0] == server and found[1] != wanted:
        raise UsageError(
            f"origin is {found[1]}, and this is a job of {wanted}: what decides would be read from a fork",
            remedy="check out the repository itself: actions/checkout without `repository:`",
        )


def _host_and_name(url: str) -> tuple[str, str] | None:
    """The host and ``owner/name`` in a remote's address; None where it has no host."""
    short = _SCP_LIKE.fullmatch(url)
    if short is not None:
        host, path = short[1], short[2]
    else:
        try:
            parts = urlsplit(url)
            host, path = parts.hostname or "", parts.path
        except ValueError:
            return None
    if not host:
        return None
    name = re.sub(r"/+", "/", path).strip("/").removesuffix(".git")
    return host.lower(), name.lower()
