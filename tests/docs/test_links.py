"""Every relative link leads somewhere, headings included; every page is in the index."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, anchors, name_of, pages, without_fences

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def links(text: str) -> list[str]:
    return [found[1] for found in _LINK.finditer(re.sub(r"`[^`\n]*`", "", without_fences(text)))]


def broken(page: Path) -> list[str]:
    out = []
    for link in links(page.read_text("utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        there = target.exists() and target.is_relative_to(ROOT)
        if not there or (anchor and anchor not in anchors(target.read_text("utf-8"))):
            out.append(link)
    return out


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    assert broken(page) == []


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs/README.md"
    linked = {(index.parent / link.partition("#")[0]).resolve() for link in links(index.read_text("utf-8"))}
    folders = {ROOT / "docs/adr", ROOT / "docs/schema"}
    missing = [name_of(page) for page in pages() if page not in linked and page != index and page.parent not in folders]
    assert missing == ["README.md"]
    decisions = (ROOT / "docs/adr/README.md").read_text("utf-8")
    assert [page.name for page in (ROOT / "docs/adr").glob("0*.md") if f"({page.name})" not in decisions] == []


def test_a_broken_link_would_be_seen(tmp_path: Path) -> None:
    page = ROOT / "docs/gates/flags.md"
    assert "mcflagsttl_too_long" in anchors(page.read_text("utf-8"))
    (tmp_path / "page.md").write_text("[a](nowhere.md) [b](#no) [c](https://example.com)\n\n```\n[d](x.md)\n```\n")
    assert broken(tmp_path / "page.md") == ["nowhere.md", "#no"]
