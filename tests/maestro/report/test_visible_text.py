import pytest
from hypothesis import given

from maestro.report.visible_text import shorten, visible, visible_lines, without_log_commands
from tests.maestro.report.runner_log import commands
from tests.maestro.report.samples import texts


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ä 値", "plain ä 値"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\u202eabc\u2066", "\\u202eabc\\u2066"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("byte \udcff", "byte \\xff"),
        ("half \ud83d", "half \\ud83d"),
        ("tag \U000e0041", "tag \\U000e0041"),
        ("\u2028\x85\x00\uffff", "\\u2028\\x85\\x00\\uffff"),
    ],
)
def test_what_cannot_be_seen_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_lines_are_kept_where_asked_for() -> None:
    assert visible_lines("a\r\nb\tc\n") == ["a", "b    c", ""]


def test_what_is_cut_is_counted() -> None:
    assert shorten("abcdef", 6) == "abcdef"
    assert shorten("abcdefgh", 6) == "abcdef… (2 more characters)"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("::error::x", "\\::error::x"),
        ("  \u00a0::error::x", "  \u00a0\\::error::x"),
        ("\x1b[1m::error::x", "\x1b[1m\\::error::x"),
        ("a ##[error]x", "a ##\\[error]x"),
        ("##vso[task.x]", "##vso\\[task.x]"),
        ("a ::error::x # [1]", "a ::error::x # [1]"),
    ],
)
def test_log_commands_are_broken(line: str, shown: str) -> None:
    assert without_log_commands(line) == shown


@given(texts)
def test_no_text_is_a_log_command(text: str) -> None:
    assert commands(without_log_commands(text.replace("\r", "\n"))) == []


def test_the_judge_of_these_tests_does_see_commands() -> None:
    assert [command.name for command in commands("  ::error a=b::x\nx ##[group]y\n::nothing::\n##[x]")] == [
        "error",
        "group",
    ]


def test_many_blank_lines_take_no_time() -> None:
    assert without_log_commands("\n" * 200_000 + "::debug::") == "\n" * 200_000 + "\\::debug::"
