"""Every reason of a release has its section, in the table's order, and `maestro explain` prints it."""

from __future__ import annotations

import io
import re
from pathlib import Path

from maestro.cli import main
from maestro.world import World
from policy.release.reasons import REASONS
from tests.support.tools import ROOT

PAGE = (ROOT / "docs/verify/reasons.md").read_text("utf-8").partition("# Why a release may not go out")[2]


def test_page_and_table_are_equal() -> None:
    assert re.findall(r"^## (\S+)$", PAGE, re.MULTILINE) == list(REASONS)
    for code, (title, _) in REASONS.items():
        assert f"## {code}\n\n{title[0].upper()}{title[1:]}.\n" in PAGE
    assert PAGE.count("**What it means.**") == PAGE.count("**What to do.**") == len(REASONS)


def test_explain_prints_the_section(tmp_path: Path) -> None:
    out = io.StringIO()
    assert main(["explain", "release/part-missing"], World(environ={}, cwd=tmp_path, stdout=out)) == 0
    assert "A part that must be there is not named" in out.getvalue()
