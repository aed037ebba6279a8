"""Examples are what they are called: what to avoid is found by the rule, what to prefer is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from gates.commands.explain import split_sections
from maestro.chain.layout_document import load_layout
from maestro.config import load_config
from maestro.documents import rules
from maestro.documents.parse import parse
from maestro.provenance.trust_policy import load_trust_policy
from policy.release.document import load_release
from tests.docs.pages import ROOT, fences, name_of, pages

SECTIONS = split_sections((ROOT / "docs/gates/documents.md").read_text("utf-8"))
SHOWN = [rule.id for rule in rules.RULES if "```yaml" in SECTIONS[rule.id]]
"""Rules about the text or form of one document, with an example of it."""


def found(example: str) -> list[str]:
    return [problem.rule.id for problem in parse("example.yaml", example.encode()).problems]


@pytest.mark.parametrize("rule", SHOWN)
def test_what_to_avoid_is_found_and_what_to_prefer_is_not(rule: str) -> None:
    avoid, word, prefer = SECTIONS[rule].partition("**Prefer**")
    assert word
    for _, example, _ in fences(avoid):
        assert rule in found(example), example
        if example.startswith("apiVersion"):
            assert set(found(example)) == {rule}, "it shows one mistake only"
    for _, example, _ in fences(prefer):
        wrong = found(example)
        assert not wrong if example.startswith("apiVersion") else rule not in wrong, example


def test_most_rules_about_text_and_form_have_an_example() -> None:
    assert len(SHOWN) >= 15


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_whole_documents_on_any_page_are_sound(page: Path) -> None:
    """Outside of what to avoid, a block that begins as our documents do can be pasted as it is."""
    text = page.read_text("utf-8")
    for language, content, (start, _) in fences(text):
        if language != "yaml" or "apiVersion: maestro-conductor/v1" not in content:
            continue
        before = text[:start]
        if before.rfind("Avoid") > before.rfind("Prefer"):
            continue
        if "\nkind: TrustPolicy" in content:
            load_trust_policy("trust.yaml", content.encode())
        elif "\nkind: Release" in content:
            load_release("release.yaml", content.encode())
        elif "\nkind: Layout" in content:
            load_layout("layout.yaml", content.encode())
        elif "\nkind:" in content:
            assert found(content) == [], content
        else:
            load_config("maestro.yaml", content.encode())
