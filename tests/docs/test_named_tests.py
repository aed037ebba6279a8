"""A test that a page names exists: a claim without its test is only a claim."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, name_of, pages

_TEST = re.compile(r"`(tests/[\w/.-]+\.py)(?:::(\w+))?`")


def missing(text: str) -> list[str]:
    out = []
    for path, name in _TEST.findall(text):
        file = ROOT / path
        if not file.is_file() or (name and f"\ndef {name}(" not in file.read_text("utf-8")):
            out.append(f"{path}::{name}")
    return out


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_named_tests_exist(page: Path) -> None:
    assert missing(page.read_text("utf-8")) == []


def test_the_threat_model_names_tests() -> None:
    assert len(_TEST.findall((ROOT / "docs/threat-model.md").read_text("utf-8"))) > 40
    assert missing("`tests/docs/test_named_tests.py::test_of_nothing`") == [
        "tests/docs/test_named_tests.py::test_of_nothing"
    ]
