"""Whether a job's checkout can be believed about what decides, where the event and not a person says what that is."""

from __future__ import annotations

from collections.abc import Mapping

from maestro.default_branch import default_branch_rev
from maestro.errors import UsageError
from maestro.github_event import read_event
from maestro.own_origin import require_own_origin
from maestro.repository import Repository
from maestro.selection import HEAD, Options, Selection, default_branch_of, select


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
        _require_merged(repository, environ)


def _require_merged(repository: Repository, environ: Mapping[str, str]) -> None:
    """A job that no pull request started (a comment, another workflow, a schedule) may check out one all the same."""
    head, branch = repository.resolve(HEAD), default_branch_rev(repository, environ)
    if not repository.is_ancestor(head, repository.resolve(branch)):
        raise UsageError(
            f"the checkout ({head[:12]}) is not seen to be merged into {branch}, and nothing else decides about it",
            remedy=f"name what decides: --target {branch}; or check out {branch} "
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
