"""Where this installation came from: the workflow of a governed repository must name it, to the commit."""

from __future__ import annotations

import json
import re
from importlib.metadata import PackageNotFoundError, distribution

from maestro.errors import UsageError

_ACTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9_.-]+@[0-9a-f]{40}")
_GITHUB = re.compile(r"(?:https://|ssh://git@)github\.com/([A-Za-z0-9-]+)/([A-Za-z0-9_.-]+?)(?:\.git)?/?")


def installed_from(direct_url: str | None) -> str | None:
    """``OWNER/REPO@COMMIT`` from a ``direct_url.json`` (PEP 610) that names a commit on GitHub, else None."""
    try:
        record = json.loads(direct_url or "")
        where, commit = _GITHUB.fullmatch(record["url"]), record["vcs_info"]["commit_id"]
        found = f"{where[1]}/{where[2]}@{commit}" if where else ""
    except (ValueError, KeyError, TypeError):
        return None
    return found if _ACTION.fullmatch(found) else None


def own_origin() -> str | None:
    """Where pip says this installation came from."""
    try:
        return installed_from(distribution("maestro-conductor").read_text("direct_url.json"))
    except PackageNotFoundError:
        return None


def parse_action(text: str) -> str:
    """Check what a user gave as ``--action``.

    Raises:
        UsageError: it is no ``OWNER/REPO@COMMIT``.
    """
    if not _ACTION.fullmatch(text):
        raise UsageError(
            f"--action {text!r} is not OWNER/REPO@COMMIT",
            remedy="name the repository on GitHub that Maestro comes from and the full commit, 40 hexadecimal digits: "
            "a tag can be moved by others",
        )
    return text
