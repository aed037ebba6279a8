"""The event that GitHub Actions recorded for this job."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from maestro.errors import UsageError

MAX_EVENT_BYTES = 32 << 20


def read_event(environ: Mapping[str, str]) -> object:
    """The parsed event, or None when this is not GitHub Actions.

    Raises:
        UsageError: in GitHub Actions, but the event cannot be read: then nobody knows what is to be judged.
    """
    if environ.get("GITHUB_ACTIONS") != "true":
        return None
    path = environ.get("GITHUB_EVENT_PATH", "")
    try:
        data = Path(path).read_bytes() if path else b""
        event = json.loads(data) if 0 < len(data) <= MAX_EVENT_BYTES else None
    except (OSError, ValueError, RecursionError):
        event = None
    if event is None:
        raise UsageError(
            f"GITHUB_EVENT_PATH names no readable event: {path!r}",
            remedy="run it in a job of GitHub Actions as it is, or without GITHUB_ACTIONS=true",
        )
    return event
