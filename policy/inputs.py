"""What packs are given, built from documents as they are written. Pure; values are JSON.

Documents that do not fit their model are passed on as they are: the gate `documents` reports them, and a pack that
meets something odd must answer for itself. The time is part of the input; no pack can read a clock.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

_REQUESTED = ("region", "residency", "export_control", "pool")
_POOL_DEFAULTS: dict[str, Any] = {"drained": False, "residency": [], "export_control": []}


def time_text(now: dt.datetime) -> str:
    """An aware time as RFC 3339 in UTC, whole seconds: ``2026-12-01T00:00:00Z``."""
    return now.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def document_input(value: Any) -> Any:  # noqa: ANN401
    """``document``: the document as it is."""
    return value


def flag_change_input(before: Any, after: Any, now: dt.datetime) -> dict[str, Any]:  # noqa: ANN401
    """``flag-change``: ``{flag: {key, add, owner, tenant, labels, ttl, type, …} | null, before: the same without add
    | null, now}``. Arguments are whole Flag documents, None where there is none; spec's members stand beside key."""
    flag = _flag(after)
    if flag is not None:
        flag["add"] = before is None
    return {"flag": flag, "before": _flag(before), "now": time_text(now)}


def _flag(document: Any) -> dict[str, Any] | None:  # noqa: ANN401
    if document is None:
        return None
    metadata = _mapping(document, "metadata")
    flag = {key: metadata[key] for key in ("owner", "tenant", "labels") if key in metadata}
    return {**flag, **_mapping(document, "spec"), "key": metadata.get("name")}


def manifest_change_input(before: Any, after: Any, now: dt.datetime) -> dict[str, Any]:  # noqa: ANN401
    """``manifest-change``: ``{manifest, before, now}``, whole Manifest documents, null where there is none."""
    return {"manifest": after, "before": before, "now": time_text(now)}


def placement_request(manifest: Any, pools: Iterable[Any], now: dt.datetime) -> dict[str, Any]:  # noqa: ANN401
    """``placement-request``: ``{request: {class, region?, residency?, export_control?, pool?}, manifest, pools, now}``.

    ``manifest`` and ``pools`` are whole documents; a pool is given as ``{name, cloud, region, classes, size, drained,
    residency, export_control, owner?}``, sorted by name, so that the order of files decides nothing.
    """
    spec = _mapping(manifest, "spec")
    request: dict[str, Any] = {"class": spec.get("class", "batch")}
    request.update({key: spec[key] for key in _REQUESTED if key in spec})
    given = sorted((_pool(pool) for pool in pools), key=lambda pool: str(pool["name"]))
    return {"request": request, "manifest": manifest, "pools": given, "now": time_text(now)}


def _pool(document: Any) -> dict[str, Any]:  # noqa: ANN401
    metadata = _mapping(document, "metadata")
    owner = {"owner": metadata["owner"]} if "owner" in metadata else {}
    return {**_POOL_DEFAULTS, **owner, **_mapping(document, "spec"), "name": metadata.get("name")}


def _mapping(document: Any, key: str) -> Mapping[str, Any]:  # noqa: ANN401
    value = document.get(key) if isinstance(document, Mapping) else None
    return value if isinstance(value, Mapping) else {}
