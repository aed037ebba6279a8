"""What people and programs are shown, whole; and that words of a document stay words."""

from __future__ import annotations

import json
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pytest
from syrupy.assertion import SnapshotAssertion

from policy.diff import html_page, json_report, markdown, terminal
from policy.diff.changes import Standing
from policy.diff.flow_picture import picture
from policy.diff.result import PolicyDiff
from tests.policy.diff.samples import DIFF, EMPTY, EVIL
from tests.support.tools import tool

SCHEMA = json.loads((Path(__file__).parents[3] / "docs/schema/policy-diff.v1.json").read_text("utf-8"))


def test_terminal(snapshot: SnapshotAssertion) -> None:
    text = terminal.render(DIFF)
    assert text == snapshot
    assert "\u202e" not in text
    assert "\n::error" not in text
    assert "\x1b[1;31m" in terminal.render(DIFF, colour=True)


def test_markdown(snapshot: SnapshotAssertion) -> None:
    text = markdown.render(DIFF)
    assert text == snapshot
    outside = re.sub(r"(`+).*?\1", "", text)
    assert "<script" not in outside
    assert "@acme" not in outside


def test_a_comment_is_never_larger_than_may_be() -> None:
    [pack] = DIFF.packs[:1]
    many = PolicyDiff("1" * 40, "x", (pack,) * 400, (), None, (), 0, "sha256:" + "0" * 64)
    text = markdown.render(many, limit=200_000)
    assert len(text.encode()) < 200_000
    assert "more rows" in text


@pytest.mark.parametrize("diff", [DIFF, EMPTY])
def test_json_is_as_its_schema_says(diff: PolicyDiff) -> None:
    jsonschema.validate(json.loads(json_report.render(diff)), SCHEMA)


def test_nothing_moves(snapshot: SnapshotAssertion) -> None:
    assert terminal.render(EMPTY) == snapshot
    assert "No pack differs" in markdown.render(EMPTY)
    assert "<svg" not in html_page.render(EMPTY)


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_page_asks_for_nothing_and_runs_nothing() -> None:
    page = _Page()
    page.feed(html_page.render(DIFF))
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "img", "link", "iframe", "object", "embed", "form", "base", "a"}
    for _, attributes in page.tags:
        assert not any(name.startswith("on") or name in ("style", "src", "href") for name in attributes)
    policies = [one for tag, one in page.tags if tag == "meta" and "http-equiv" in one]
    assert (policies[0]["content"] or "").startswith("default-src 'none'; style-src 'sha256-")
    assert "alert(1)" in "".join(page.words)
    assert "\u202e" not in "".join(page.words)


def test_picture(snapshot: SnapshotAssertion) -> None:
    assert picture(DIFF.flows) == snapshot


def test_every_flow_is_drawn_and_every_number_told() -> None:
    standings: list[Standing] = ["allow", "warn", "deny", "error", "none"]
    flows = {(old, new): 10 * i + j + 1 for i, old in enumerate(standings) for j, new in enumerate(standings)}
    drawn = picture(flows)
    assert drawn.count("<path") == 25
    assert drawn.count("<rect") == 10
    assert "nan" not in drawn


def test_a_browser_shows_it_under_its_own_rules(tmp_path: Path) -> None:
    page = tmp_path / "diff.html"
    page.write_text(html_page.render(DIFF), "utf-8")
    command = [tool("chromium"), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile"]
    command += ["--virtual-time-budget=2000", "--enable-logging=stderr", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True)
    shown = done.stdout.decode()
    assert "<script" not in shown.replace("&lt;script", "")
    assert shown.count("<svg") == 1
    # A browser says on its console what the page's rules forbid it: nothing, not even the page's own style.
    assert b"Content Security Policy" not in done.stderr
    assert EVIL not in shown
