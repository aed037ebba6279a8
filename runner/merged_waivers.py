"""What somebody has answered for in a reviewed change: the subjects that merged waivers of one rule name.

Such a waiver is an explanation of what happened, so the day it ends on does not matter.
"""

from __future__ import annotations

from maestro.config import Config
from maestro.documents import parse
from maestro.documents.waiver import Waiver
from maestro.patterns import compile_patterns
from maestro.repository import Snapshot


def subjects_waived(tip: Snapshot, config: Config, rule: str) -> frozenset[str]:
    """The subjects of this rule's waivers at the tip of the default branch."""
    governs = compile_patterns(config.documents)
    paths = [path for path, entry in tip.entries.items() if governs(path) and entry.is_file]
    mark = rule.encode()
    subjects = set()
    for path, data in tip.read_many(paths).items():
        if mark in data:
            for document in parse(path, data).documents:
                if isinstance(document.model, Waiver) and document.model.spec.rule == rule:
                    subjects.add(document.model.spec.subject)
    return frozenset(subjects)
