"""Whether a check binds or only advises: who may change what decides, and what GitHub requires. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from maestro.codeowners import Codeowners

CHECK_NAME = "maestro check"
"""The job in the workflow that `maestro init` writes."""


def uncovered(codeowners: Codeowners, paths: Iterable[str]) -> tuple[str, ...]:
    """Those of ``paths`` that no owner has to agree to a change of."""
    return tuple(path for path in paths if not codeowners.owners_of(path))


def required(rules: Sequence[Mapping[str, Any]]) -> tuple[bool, tuple[str, ...]]:
    """Whether the branch's rules make the check bind (given that CODEOWNERS covers what decides), and what is missing.

    An organisation's required workflow binds by itself: its file does not come from the pull request.
    """
    kinds: dict[str, list[Mapping[str, Any]]] = {}
    for rule in rules:
        parameters = rule.get("parameters")
        kinds.setdefault(str(rule.get("type")), []).append(parameters if isinstance(parameters, dict) else {})
    workflows = [str(flow.get("path", "")) for one in kinds.get("workflows", []) for flow in _items(one, "workflows")]
    if any("maestro" in path for path in workflows):
        return True, ()
    missing = []
    checks = {
        check.get("context")
        for one in kinds.get("required_status_checks", [])
        for check in _items(one, "required_status_checks")
    }
    if CHECK_NAME not in checks:
        missing.append(f"no ruleset requires the status check `{CHECK_NAME}`")
    if not any(one.get("require_code_owner_review") is True for one in kinds.get("pull_request", [])):
        missing.append("no ruleset requires review from code owners")
    return not missing, tuple(missing)


def _items(parameters: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    items = parameters.get(key)
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
