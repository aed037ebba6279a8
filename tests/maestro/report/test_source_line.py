import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro.findings import Location
from maestro.report.source_line import Excerpt, Sources, excerpt
from maestro.report.visible_text import visible


def columns(text: str) -> int:
    """Screen columns by UAX #11 and combining classes."""
    return sum(
        0 if unicodedata.category(c) in ("Mn", "Me") else 2 if unicodedata.east_asian_width(c) in ("W", "F") else 1
        for c in text
    )


@pytest.mark.parametrize(
    ("line", "column", "end", "expected"),
    [
        ("name: x", 7, 8, Excerpt("name: x", 6, 1)),
        ("\tname: x", 2, 6, Excerpt("    name: x", 4, 4)),
        ("a\tb", 3, 4, Excerpt("a   b", 4, 1)),
        ("値: 文字", 4, 6, Excerpt("値: 文字", 4, 4)),
        ("e\u0301: x", 5, 6, Excerpt("e\u0301: x", 3, 1)),
        ("a\x1b[31mb", 2, 3, Excerpt("a\\x1b[31mb", 1, 4)),
        ("a ##[error]b", 12, 13, Excerpt("a ##\\[error]b", 12, 1)),
        ("short", 40, 44, Excerpt("short", 5, 1)),
        ("", 1, 1, Excerpt("", 0, 1)),
        ("whole", 3, None, Excerpt("whole", 2, 1)),
    ],
)
def test_underline_stands_under_the_finding(line: str, column: int, end: int | None, expected: Excerpt) -> None:
    assert excerpt(line, Location("f", 1, column, 1, end), 80) == expected


def test_a_span_over_lines_is_underlined_to_the_end_of_the_first() -> None:
    assert excerpt("key: [a,", Location("f", 1, 6, 3, 2), 80) == Excerpt("key: [a,", 5, 3)


def test_a_long_line_is_a_window_around_the_finding() -> None:
    shown = excerpt("x" * 500 + "HERE" + "y" * 5_000_000, Location("f", 1, 501, 1, 505), 60)
    assert shown.text[shown.start : shown.start + shown.width] == "HERE"
    assert shown.text[0] == shown.text[-1] == "…"
    assert columns(shown.text) <= 60


@given(st.text(st.characters(), max_size=120), st.integers(1, 130), st.integers(0, 40), st.integers(20, 100))
def test_any_line_fits_and_the_underline_is_where_the_text_is(line: str, column: int, length: int, width: int) -> None:
    line = line.replace("#", "-").replace("\t", " ")
    shown = excerpt(line, Location("f", 1, column, 1, column + length), width)
    assert columns(shown.text) <= width
    assert shown.start <= columns(shown.text)
    assert shown.width >= 1
    target = visible(line[column - 1 : column - 1 + max(1, length)])
    if not shown.text.endswith("…") and target and columns(visible(line)) <= width:
        assert columns(visible(line[: column - 1])) == shown.start
        assert shown.width == max(1, columns(target))


@pytest.mark.parametrize("data", [b"a\nb\nc", b"a\r\nb\r\nc", b"a\rb\rc", b"\xef\xbb\xbfa\nb\nc"])
def test_line_breaks(data: bytes) -> None:
    sources = Sources(lambda path: data)
    assert [sources.line("f", number) for number in range(5)] == [None, "a", "b", "c", None]


def test_a_file_is_read_once() -> None:
    seen: list[str] = []

    def read(path: str) -> None:
        seen.append(path)

    sources = Sources(read)
    assert [sources.line("f", 1), sources.line("f", 2)] == [None, None]
    assert seen == ["f"]
