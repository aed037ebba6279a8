"""The decision diff as JSON (``maestro-conductor/policy-diff/v1``; docs/schema/policy-diff.v1.json)."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from maestro.report.staged import hardening_json
from maestro.report.visible_text import well_formed
from policy.diff.changes import ORDER
from policy.diff.result import Example, ModeChange, PackDiff, PolicyDiff, Row

SCHEMA = "maestro-conductor/policy-diff/v1"


def render(diff: PolicyDiff) -> str:
    """One JSON document."""
    return well_formed(json.dumps(as_json(diff), indent=2, ensure_ascii=False)) + "\n"


def as_json(diff: PolicyDiff) -> dict[str, Any]:
    """The shape that the schema describes."""
    return {
        "schema": SCHEMA,
        "digest": diff.digest,
        "policy_revision": diff.policy_revision,
        "head": diff.head,
        "engine": diff.engine,
        "decisions": diff.cases,
        "recorded_lines": diff.recorded_lines,
        "summary": {kind: diff.count(kind) for kind in ORDER},
        "packs": [_pack(pack) for pack in diff.packs],
        "unchanged": list(diff.unchanged),
        "notes": list(diff.notes),
    }


def _pack(pack: PackDiff) -> dict[str, Any]:
    return {
        "name": pack.name,
        "path": pack.path,
        "owner": pack.owner,
        "before": asdict(pack.before) if pack.before else None,
        "after": asdict(pack.after) if pack.after else None,
        "asked": {origin: pack.asked.get(origin, 0) for origin in ("document", "fixture", "recorded")},
        "unanswered": pack.unanswered,
        "unusable": pack.unusable,
        "repeats": pack.repeats,
        "rows": [_row(row) for row in pack.rows],
        "flows": [asdict(flow) for flow in pack.flows],
        "mode_changes": [_mode_change(change) for change in pack.mode_changes],
        "unreached": list(pack.unreached),
        "loosened": {
            "count": pack.loosened,
            "rules": list(pack.loosened_rules),
            "examples": [_example(example) for example in pack.loosened_by],
        },
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "rule": row.rule,
        "change": row.kind,
        "detail": row.detail or None,
        "count": row.count,
        "of": {origin: row.origins.get(origin, 0) for origin in ("document", "fixture", "recorded")},
        "owners": [{"owner": owner, "count": count} for owner, count in row.owners],
        "examples": [_example(example) for example in row.examples],
    }


def _example(example: Example) -> dict[str, Any]:
    return asdict(example)


def _mode_change(change: ModeChange) -> dict[str, Any]:
    return {
        "subject": change.subject,
        "before": change.before,
        "after": change.after,
        "hardens_before": hardening_json(change.hardens_before),
        "hardens_after": hardening_json(change.hardens_after),
    }
