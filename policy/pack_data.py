"""A pack's data files as one value, merged as OPA merges them: objects key by key, everything else must not clash."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def merge(into: dict[str, Any], other: Mapping[str, Any]) -> str | None:
    """Merge ``other`` into ``into``, objects key by key as OPA does; the dotted path of the first clash, or None."""
    pending: list[tuple[dict[str, Any], Mapping[str, Any], str]] = [(into, other, "")]
    while pending:
        left, right, prefix = pending.pop()
        for key, value in right.items():
            if key not in left:
                left[key] = value
            elif isinstance(left[key], dict) and isinstance(value, dict):
                pending.append((left[key], value, f"{prefix}{key}."))
            else:
                return f"{prefix}{key}"
    return None


def merged_data(files: Mapping[str, bytes]) -> dict[str, Any]:
    """All of a program's data files (JSON objects that do not clash) as one object."""
    whole: dict[str, Any] = {}
    for name in sorted(files):
        merge(whole, json.loads(files[name]))
    return whole
