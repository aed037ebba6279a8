"""Every reason has its section, in the page's order, and `maestro explain` prints it."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from maestro.cli import main
from maestro.provenance.reasons import REASONS, NotProven
from maestro.world import World
from tests.support.tools import ROOT

PAGE = (ROOT / "docs/verify/reasons.md").read_text("utf-8").partition("# Why a release may not go out")[0]


def test_page_and_table_are_equal() -> None:
    assert re.findall(r"^## (\S+)$", PAGE, re.MULTILINE) == list(REASONS)
    for reason in REASONS.values():
        assert f"Stage *{reason.stage}*: {reason.title}.".replace("\n", " ") in PAGE.replace("\n", " ")
    assert PAGE.count("**What it means.**") == PAGE.count("**What to do.**") == len(REASONS)


def test_every_reason_is_given_somewhere() -> None:
    source = "".join(path.read_text("utf-8") for path in (ROOT / "maestro").rglob("*.py") if path.name != "reasons.py")
    assert [code for code in REASONS if f'"{code}"' not in source] == []
    assert set(re.findall(r'"(verify/[a-z0-9-]+)"', source)) <= set(REASONS)


@pytest.mark.parametrize("code", ["verify/bundle-malformed", "verify/builder-ref"])
def test_explain_prints_the_section(code: str, tmp_path: Path) -> None:
    out = io.StringIO()
    assert main(["explain", code], World(environ={}, cwd=tmp_path, stdout=out, stderr=io.StringIO())) == 0
    assert REASONS[code].title in out.getvalue().replace("\n", " ")


def test_an_error_blocks() -> None:
    error = NotProven("verify/ref", "words")
    assert (error.exit_code, error.stage, error.remedy) == (10, "expectations", REASONS["verify/ref"].remedy)
