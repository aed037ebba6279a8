"""A refusal of the model becomes a problem of the file: with its place, and a fix where there is one clear answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from maestro.documents import rules
from maestro.documents.pointer import pointer_text
from maestro.documents.positions import find
from maestro.documents.problem import Problem
from maestro.documents.reading import RawDocument
from maestro.documents.refusal import Refusal, schema_at
from maestro.findings import Edit, Fix


def problem_of(raw: RawDocument, refusal: Refusal, schema: Mapping[str, Any], *, subject: str | None = None) -> Problem:
    """The problem, located."""
    location = raw.locate(refusal.steps, key=refusal.at_key)
    text = refusal.replacement
    remedy = refusal.remedy
    if text is None and refusal.rule is rules.WRONG_TYPE:
        text = _quoted(raw, refusal.steps, schema)
        remedy = f"put it into quotes: {text}" if text is not None else remedy
    fix = Fix(f"write {text}", (Edit(location, text),)) if text is not None else None
    return Problem(
        refusal.rule, refusal.message, location, fix, remedy, pointer_text(refusal.steps), raw.index, subject
    )


def _quoted(raw: RawDocument, steps: tuple[str | int, ...], schema: Mapping[str, Any]) -> str | None:
    """The scalar as it is written, in quotes, where a text was wanted and that text would do."""
    node = schema_at(schema, steps)
    root = raw.root
    if node.get("type") != "string" or root is None:
        return None
    _, place, taken = find(root, list(steps))
    if taken < len(steps) or place.kind != "scalar" or place.style != "plain" or not place.text:
        return None
    if not re.search(node.get("pattern", ""), place.text) or '"' in place.text or "\\" in place.text:
        return None
    return f'"{place.text}"'
