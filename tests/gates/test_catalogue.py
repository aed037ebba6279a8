"""Every gate is one file named as its id, says what it is, and declares its rules once."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from gates import catalogue
from maestro.errors import UsageError

PAGES = Path(__file__).parents[2] / "docs" / "gates"


def test_every_gate_is_what_the_catalogue_says() -> None:
    for entry, gate in zip(catalogue.GATES, catalogue.load(), strict=True):
        assert entry.id == gate.ID
        assert entry.module == f"gates.{entry.id.replace('-', '_')}"
        assert gate.RULES
        assert isinstance(gate.NEEDS_REGO, bool)
        assert isinstance(gate.OF_THE_CHANGE_ITSELF, bool)
        assert callable(gate.judge)
        assert (PAGES / f"{entry.id}.md").exists()


def test_rules_are_declared_once_and_say_what_to_do() -> None:
    rules = list(catalogue.all_rules())
    assert [name for name, times in Counter(rule.id for rule in rules).items() if times > 1] == []
    for rule in rules:
        assert re.fullmatch(r"mc\.[a-z-]+/[a-z0-9_]+", rule.id)
        assert rule.title and rule.remedy
        assert not rule.title.endswith(".") and not rule.remedy.endswith(".")


def test_gates_come_in_the_catalogues_order_however_they_are_asked_for() -> None:
    assert [gate.ID for gate in catalogue.load(["waivers", "documents", "waivers"])] == ["documents", "waivers"]
    assert catalogue.load([]) == []


def test_an_unknown_gate_is_named_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="no gate 'flag'") as caught:
        catalogue.load(["flags", "flag"])
    assert "documents, flags, policy" in str(caught.value.remedy)
