"""What GitHub requires of a branch: the adapter around its rules (PyGithub, imported when they are wanted)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from maestro.errors import ToolFailure

TIMEOUT_SECONDS = 15
_REMOTE = re.compile(
    r"(?:https://(?:[^/@]*@)?|ssh://git@|git@)github\.com[/:]([A-Za-z0-9-]+/[A-Za-z0-9_.-]+?)(?:\.git)?/?"
)


def repository_of(remote: str) -> str | None:
    """``OWNER/REPO`` of a remote's address on github.com, else None."""
    found = _REMOTE.fullmatch(remote.strip())
    return found[1] if found else None


def branch_rules(environ: Mapping[str, str], repository: str, branch: str) -> Sequence[Mapping[str, Any]]:
    """The rules of all active rulesets for a branch (REST API, "Get rules for a branch"); reading suffices.

    Raises:
        ToolFailure: GitHub did not answer, or not so that it can be understood.
    """
    from github import Auth, Github, GithubException

    token = environ.get("GITHUB_TOKEN") or environ.get("GH_TOKEN")
    try:
        with Github(
            auth=Auth.Token(token) if token else None,
            base_url=environ.get("GITHUB_API_URL") or "https://api.github.com",
            timeout=TIMEOUT_SECONDS,
            retry=0,
        ) as client:
            address = f"/repos/{repository}/rules/branches/{quote(branch, safe='')}"
            _, rules = client.requester.requestJsonAndCheck("GET", address, parameters={"per_page": 100})
    except (GithubException, OSError, ValueError, TypeError, AssertionError) as error:
        status = f" (status {error.status})" if isinstance(error, GithubException) else ""
        raise ToolFailure(
            f"GitHub could not be asked for the rules of {branch} in {repository}{status}",
            remedy="set GITHUB_TOKEN to a token that may read the repository, or look under Settings → Rules",
        ) from error
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise ToolFailure(f"GitHub's answer about the rules of {branch} in {repository} is not a list of rules")
    return rules
