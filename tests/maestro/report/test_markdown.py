import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from markdown_it import MarkdownIt
from markdown_it.token import Token
from syrupy.assertion import SnapshotAssertion

from maestro.report.markdown import COMMENT_LIMIT, render
from maestro.report.model import Report
from maestro.report.visible_text import visible, without_log_commands
from tests.maestro.report.runner_log import commands
from tests.maestro.report.samples import IMAGE, OWNER, REPORTS, failed, report, reports

OURS = re.compile(r"(<details><summary>[a-z0-9, ]+</summary>|</details>)\n?")


def tokens(text: str) -> Iterator[Token]:
    for block in MarkdownIt("commonmark").enable("table").parse(text):
        yield block
        yield from block.children or ()


def spans(text: str) -> set[str]:
    return {token.content for token in tokens(text) if token.type == "code_inline"}


@pytest.mark.parametrize("name", REPORTS)
def test_whole_output(name: str, snapshot: SnapshotAssertion) -> None:
    assert render(REPORTS[name]) == snapshot


@pytest.mark.parametrize(
    "text", ["a|b", "a\\|b", "a\\", "`", "``a`", "` a `", "@acme/x", "#1", "<b>", "[a](b)", "a\\\\|", "|", "\\`", "::"]
)
def test_text_comes_through_as_code(text: str) -> None:
    output = render(report(failed("x", replace(OWNER, message=text))))
    assert visible(re.sub(r"\\(?=\|)", r"\\ ", text)) in spans(output)


def test_size_is_kept_and_what_is_left_out_is_counted() -> None:
    many = [replace(OWNER, message=f"{number} {'値' * 250}") for number in range(150)]
    few = [replace(IMAGE, message=f"warned {number}") for number in range(20)]
    text = render(report(failed("x", *many, *few)), limit=COMMENT_LIMIT)
    assert len(text.encode()) <= COMMENT_LIMIT
    shown = len(re.findall(r"\d+ 値", text)) + len(re.findall(r"warned \d+", text))
    assert 25 < shown < 170
    assert f"{170 - shown} findings more" in text
    assert text.count("<details>") == text.count("</details>")


def test_blocking_findings_are_shown_before_any_other() -> None:
    found = [replace(IMAGE, message="w" * 200)] * 300 + [replace(OWNER, message=f"b{n}") for n in range(100)]
    text = render(report(failed("x", *found)), limit=COMMENT_LIMIT)
    assert len(re.findall(r"`b\d+`", text)) == 100


@settings(deadline=None)
@given(reports)
def test_nothing_from_a_document_is_markup_a_mention_or_a_link(any_report: Report) -> None:
    text = render(any_report, limit=COMMENT_LIMIT)
    assert len(text.encode()) <= COMMENT_LIMIT
    assert commands(text) == []
    for token in tokens(text):
        assert token.type not in ("link_open", "image", "html_inline", "fence", "code_block")
        if token.type == "html_block":
            assert OURS.fullmatch(token.content), token.content
        if token.type == "text":
            assert not re.search(r"[@#<>\[\]&\\|`$]|://|www\.|\d{8}", token.content), token.content
    for verdict in any_report.verdicts:
        for finding in verdict.findings:
            if finding.mode != "shadow":
                expected = re.sub(r"\\(?=\|)", r"\\ ", visible(finding.message).strip() or " ")
                assert without_log_commands(f"x{expected}")[1:] in spans(text)
