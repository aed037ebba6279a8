"""Every rule of a shipped pack has its section on the pack's page, and no section is left over."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.policy.packs.both_engines import fixtures, modules


def rules(pack: str) -> set[str]:
    text = "\n".join(modules(pack).values())
    if pack != "placement":
        return {f"mc.{pack}/{name}" for name in re.findall(r"^deny_(\w+) contains", text, re.MULTILINE)}
    decisions = [case["expect"]["decision"] for case in fixtures(pack).values()]
    return {f"mc.placement/{decision['reason']}" for decision in decisions if not decision["allow"]}


@pytest.mark.parametrize("pack", ["flags", "images", "placement"])
def test_a_section_for_every_rule(pack: str) -> None:
    page = Path(f"docs/packs/{pack}.md").read_text()
    sections = re.split(r"^## ", page, flags=re.MULTILINE)[1:]
    found = {section.split("\n", 1)[0]: section for section in sections}
    assert {title for title in found if title.startswith("mc.")} == rules(pack)
    for title in rules(pack):
        for word in ("Avoid", "Prefer", "Why:", "Configure:"):
            assert word in found[title], f"{title} lacks {word}"
