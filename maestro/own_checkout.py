"""Whether a job's checkout can be believed about what decides, where the event and not a person says what that is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from maestro.errors import UsageError
from maestro.github_event import read_event
from maestro.repository import Repository
from maestro.selection import HEAD, Options, Selection, default_branch_of, select

_SCP_LIKE = re.compile(r"(?:[^/@:]+@)?([^/@:]+):(?!//)(.+)")
"""``git@github.com:acme/api.git`` (git-clone(1), GIT URLS)."""


def select_here(repository: Repository, options: Options, environ: Mapping[str, str]) -> Selection:
    """What is to be judged (`maestro.selection.select`), by an event that is read, from a checkout that is believed.

    Raises:
        UsageError: the event cannot be read or lacks something, or whoever opened the pull request could have written
            what decides.
    """
    event = read_event(environ)
    selection = select(options, environ, event)
    if event is not None and options.target is None:
        require_own_checkout(repository, selection, environ)
    return selection


def require_own_checkout(repository: Repository, selection: Selection, environ: Mapping[str, str]) -> None:
    """Insist that ``origin`` is the repository of the event, and that a checkout which decides about itself is merged.

    Args:
        repository: an open one.
        selection: made from the event alone.
        environ: that of the job.

    Raises:
        UsageError: whoever opened the pull request could have written what decides.
    """
    require_own_origin(repository, environ)
    if selection.target == HEAD and selection.head == HEAD:
        _require_merged(repository, selection.target_branch)


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


def _require_merged(repository: Repository, branch: str | None) -> None:
    """A job that no pull request started (a comment, another workflow, a schedule) may check out one all the same."""
    head = repository.resolve(HEAD)
    default = repository.default_branch_rev(branch)
    tip = repository.find(default) if default is not None else None
    if tip is None or not repository.is_ancestor(head, tip):
        named = branch or "the default branch"
        raise UsageError(
            f"the checkout ({head[:12]}) is not seen to be merged into {named}, and nothing else here decides about it",
            remedy=f"name what decides: --target origin/{branch or 'BRANCH'}; or check out {named} "
            "(`fetch-depth: 0` where it is an older commit of it)",
        )


def refuse_preview_elsewhere(selection: Selection, event: object) -> None:
    """A branch without maestro.yaml would let any commit pass, and GitHub shows a passed check wherever that commit is
    proposed: also in a pull request into a branch that has one.

    Raises:
        UsageError: what nothing decides about is to be merged into another branch than the default one.
    """
    default = default_branch_of(event)
    branch = selection.target_branch
    if selection.pull_request is not None and branch is not None and branch != default:
        raise UsageError(
            f"{branch} has no maestro.yaml, so nothing decides about what is merged into it; a check that passed here "
            "would count for the same commit in every other pull request",
            remedy=f"let the workflow run for pull requests into governed branches alone: `branches: [{default}]`",
        )
