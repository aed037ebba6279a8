"""Every rule has its page, with the four parts."""

from __future__ import annotations

import pytest

from gates.catalogue import GATES, all_rules
from gates.commands.explain import read_sections
from policy.pack_rules import RULES as LOADING_RULES
from tests.docs.pages import ROOT

SECTIONS = read_sections(ROOT / "docs")


@pytest.mark.parametrize("rule", sorted({rule.id for rule in [*all_rules(), *LOADING_RULES]}))
def test_a_rule_has_its_section(rule: str) -> None:
    assert rule in SECTIONS
    for part in ("Avoid", "Prefer", "Why", "Configure"):
        assert part in SECTIONS[rule], f"{rule} lacks {part}"


def test_every_gate_has_its_page() -> None:
    assert [gate.id for gate in GATES if not (ROOT / f"docs/gates/{gate.id}.md").is_file()] == []


def test_a_section_stands_on_one_page() -> None:
    """Two of one name would be one in `maestro explain`, whichever comes last."""
    titles = [
        line
        for page in [*(ROOT / "docs/gates").glob("*.md"), *(ROOT / "docs/packs").glob("*.md")]
        for line in page.read_text("utf-8").splitlines()
        if line.startswith("## mc.")
    ]
    assert len(titles) == len(set(titles))
