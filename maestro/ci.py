"""Whether a pipeline's job is running, and no person."""

from __future__ import annotations

from collections.abc import Mapping


def in_ci(environ: Mapping[str, str]) -> bool:
    """By what pipelines set: ``CI``, or GitHub's own word for it."""
    return bool(environ.get("CI") or environ.get("GITHUB_ACTIONS"))
