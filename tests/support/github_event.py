"""The recorded GitHub events of tests/assets/events, and the environment that GitHub sets with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

EVENTS = Path(__file__).parent.parent / "assets" / "events"

_ENVIRON = {
    "pull_request": ("pull_request", "refs/pull/42/merge"),
    "pull_request_fork": ("pull_request", "refs/pull/43/merge"),
    "merge_group_second_of_two": (
        "merge_group",
        "refs/heads/gh-readonly-queue/main/pr-45-5b1f0c1e4a3d2f6a7b8c9d0e1f2a3b4c5d6e7f80",
    ),
    "push_after_squash_merge": ("push", "refs/heads/main"),
    "push_new_branch": ("push", "refs/heads/checkout-v2"),
    "workflow_dispatch": ("workflow_dispatch", "refs/heads/main"),
    "schedule": ("schedule", "refs/heads/main"),
}


def event(name: str, **changes: object) -> Any:
    """A recorded event; ``changes`` replaces values, keys joined by two underscores: ``pull_request__head__sha``."""
    found = json.loads((EVENTS / f"{name}.json").read_text())
    for key, value in changes.items():
        *parents, last = key.split("__")
        place = found
        for parent in parents:
            place = place[parent]
        place[last] = value
    return found


def environ(name: str, **changes: str) -> dict[str, str]:
    """What GitHub Actions sets with that event."""
    event_name, ref = _ENVIRON[name]
    path = str(EVENTS / f"{name}.json")
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": event_name,
        "GITHUB_EVENT_PATH": path,
        "GITHUB_REF": ref,
    } | changes
