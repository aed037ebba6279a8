"""What a judged release says, to people and to programs."""

from __future__ import annotations

import json
from typing import Final

from maestro.report.visible_text import visible, without_log_commands
from policy.release.document import Release
from policy.release.verifying import Judged

SCHEMA: Final = "maestro-conductor/release/v1"


def as_text(release: Release, judged: Judged) -> str:
    """One verdict for each part, then one for the whole."""
    width = max((len(part.kind) for part in judged.parts), default=0)
    lines = []
    for part in judged.parts:
        mark = "✔" if part.holds else "✘"
        lines.append(visible(f"{mark} {part.kind:<{width}}  {part.name}: {part.message}"))
        if not part.holds:
            lines.append(f"    {part.reason}")
            if part.remedy:
                lines.append(visible(f"    → {part.remedy}"))
    held = sum(part.holds for part in judged.parts)
    end = "may be released" if judged.holds else "MAY NOT be released"
    lines.append(visible(f"{release.name} {release.version} {end}: {held} of {len(judged.parts)} parts hold"))
    return without_log_commands("\n".join(lines) + "\n")


def as_json(release: Release, judged: Judged) -> str:
    """``{"schema", "name", "version", "holds", "parts": [{kind, name, holds, reason, message, remedy}]}``."""
    value = {
        "schema": SCHEMA,
        "name": release.name,
        "version": release.version,
        "holds": judged.holds,
        "parts": [
            {
                "kind": part.kind,
                "name": part.name,
                "holds": part.holds,
                "reason": part.reason,
                "message": part.message,
                "remedy": part.remedy,
            }
            for part in judged.parts
        ],
    }
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
