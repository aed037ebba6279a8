"""What a judged release says, to people, to programs and on a job's page."""

from __future__ import annotations

import json
from typing import Final

from maestro.provenance.loosening import RED, YELLOW, loosened_lines, markdown_row, markdown_table, paint
from maestro.report.markdown import code
from maestro.report.visible_text import visible, without_log_commands
from policy.release.document import Release
from policy.release.verifying import Judged

SCHEMA: Final = "maestro-conductor/release/v1"
_MARKS: Final = {"holds": ("✔", "32;1", "✅"), "refused": ("✘", RED, "❌"), "errored": ("?", YELLOW, "❔")}


def _conclusion(release: Release, judged: Judged) -> str:
    held = sum(part.outcome == "holds" for part in judged.parts)
    end = "may be released" if judged.holds else "MAY NOT be released"
    return f"{release.name} {release.version} {end}: {held} of {len(judged.parts)} parts hold"


def as_text(release: Release, judged: Judged, *, policy: str, colour: bool) -> str:
    """One verdict for each part, then one for the whole. ``policy``: where what decides was read."""
    width = max((len(part.kind) for part in judged.parts), default=0)
    lines = []
    for part in judged.parts:
        mark, style, _ = _MARKS[part.outcome]
        said = visible(f"{part.kind:<{width}}  {part.name}: {part.message}")
        lines.append(f"{paint(mark, style, colour=colour)} {said}")
        if part.reason is not None:
            lines.append(f"    {part.reason}")
            if part.remedy:
                lines.append(visible(f"    → {part.remedy}"))
        lines += [line for one in part.loosened for line in loosened_lines(one, colour=colour)]
    lines.append(visible(f"{_conclusion(release, judged)}, by {policy}"))
    return without_log_commands("\n".join(lines) + "\n")


def as_markdown(release: Release, judged: Judged, *, policy: str) -> str:
    """A table for a step summary: part, verdict, what was loosened."""
    rows = []
    for part in judged.parts:
        said = part.message if part.reason is None else f"{part.reason}: {part.message}"
        rows.append(markdown_row(_MARKS[part.outcome][2], f"{part.kind} {part.name}", said, part.loosened))
    title = "The release may go out" if judged.holds else "The release may not go out"
    closing = f"{code(_conclusion(release, judged))}, by {code(policy)}."
    return markdown_table(title, "part", rows, closing, good=judged.holds)


def as_json(release: Release, judged: Judged, *, policy: str) -> str:
    """``{"schema", "policy", "name", "version", "holds", "parts": [{kind, name, outcome, reason, message, remedy,
    loosened: [{entry, fields}], commits}]}``."""
    value = {
        "schema": SCHEMA,
        "policy": policy,
        "name": release.name,
        "version": release.version,
        "holds": judged.holds,
        "parts": [
            {
                "kind": part.kind,
                "name": part.name,
                "outcome": part.outcome,
                "holds": part.outcome == "holds",
                "reason": part.reason,
                "message": part.message,
                "remedy": part.remedy,
                "loosened": [{"entry": one.entry, "fields": list(one.fields)} for one in part.loosened],
                "commits": list(part.commits),
            }
            for part in judged.parts
        ],
    }
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
