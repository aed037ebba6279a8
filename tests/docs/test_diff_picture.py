"""The picture in the guide to decision diffs is the one on the page that the guide's own change gives.
``UPDATE_DOCS=1 pytest tests/docs`` draws it anew."""

from __future__ import annotations

import os
import re
from pathlib import Path
from xml.etree import ElementTree

from tests.docs.pages import ROOT, steps
from tests.docs.scratch import Scratch

GUIDE = ROOT / "docs/guides/policy-diff.md"
PICTURE = ROOT / "docs/guides/policy-diff.svg"
_PAPER = "svg { background: var(--paper); }\n"


def standing_alone(page: str) -> str:
    """The picture of a page, with the page's style in it."""
    [style] = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    [svg] = re.findall(r"<svg .*?</svg>", page, re.DOTALL)
    opening, _, rest = svg.partition("\n")
    return f"{opening}\n<style>{style}{_PAPER}</style>\n{rest}\n"


def test_the_guide_shows_the_picture_of_its_change(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path)
    for step in steps(GUIDE.read_text("utf-8")):
        if step.kind == "run":
            scratch.run(step.text)
    scratch.run(f"maestro policy diff --format html={tmp_path}/page.html")
    now = standing_alone((tmp_path / "page.html").read_text("utf-8"))
    assert ElementTree.fromstring(now).tag == "{http://www.w3.org/2000/svg}svg"
    if os.environ.get("UPDATE_DOCS") == "1":
        PICTURE.write_text(now, "utf-8")
    assert PICTURE.read_text("utf-8") == now, "UPDATE_DOCS=1 pytest tests/docs draws it anew; then look at it"
    assert f"]({PICTURE.name})" in GUIDE.read_text("utf-8")
