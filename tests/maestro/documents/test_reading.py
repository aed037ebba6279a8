"""Bytes that come from anywhere."""

import json
import subprocess
import sys
import textwrap
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from maestro.documents import Reading, read
from maestro.documents.writing import written


def strict(text: str | bytes) -> Reading:
    return read("x.yaml", text.encode() if isinstance(text, str) else text, dialect="strict")


def lenient(text: str | bytes, path: str = "x.yaml") -> Reading:
    return read(path, text.encode() if isinstance(text, str) else text, dialect="lenient")


def said(reading: Reading) -> list[tuple[str, int, int]]:
    return [
        (problem.rule.id.removeprefix("mc.documents/"), problem.location.line, problem.location.column)
        for problem in reading.problems
    ]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a: 1\nb: \xff\n", [("not_utf8", 2, 4)]),
        ("a: é\nb: ".encode() + b"\xc3", [("not_utf8", 2, 4)]),
        ("a: 1\n".encode("utf-16"), [("not_utf8", 1, 1)]),
        (b"a: 1\nb: x\0y\n", [("nul_byte", 2, 5)]),
        (b"a:\n\tb: 1\n", [("tab_indentation", 2, 1)]),
        (b"\tb: 1\n", [("tab_indentation", 1, 1)]),
        (b"a: x\x07\n", [("control_character", 1, 5)]),
        (b"a: 1\nb: 2\na: 3\n", [("duplicate_key", 3, 1)]),
        (b"a: [1, 2\nb: 3\n", [("syntax", 1, 4)]),
        (b"a: 'x\nb: 3\n", [("syntax", 1, 4)]),
        (b"a: b: c\n", [("syntax", 1, 5)]),
        (b"a: 1\n  b: 2\n", [("syntax", 2, 3)]),
        (b"a: http://x\n# a note\n\n   b: 2\n", [("syntax", 4, 4)]),
        (b"a:\n  type:release\n  b: 2\n", [("syntax", 2, 8)]),
        (b"a: @x\n", [("syntax", 1, 4)]),
        (b"a: 1\nb\nc: 2\n", [("syntax", 2, 1)]),
        (b"a: !!python/object:os.system x\n", [("tag", 1, 4)]),
        (b"a: !custom {}\nb: !!str 3\n", [("tag", 1, 4), ("tag", 2, 4)]),
        (b"1: a\ntrue: b\n~: c\n? [x]\n: d\n", [("key_not_text", *at) for at in [(1, 1), (2, 1), (3, 1), (4, 3)]]),
        (b"a: *b\n", [("unknown_alias", 1, 4)]),
        (b"a: &a [*a]\n", [("unknown_alias", 1, 8)]),
        (b"a: &b {x: 1}\nc:\n  <<: *b\n", [("merge_key", 3, 3)]),
        (b"a: .inf\nb: .nan\nc: 1e999\n", [("number", 1, 4), ("number", 2, 4), ("number", 3, 4)]),
        (b"a: " + b"9" * 5000 + b"\n", [("number", 1, 4)]),
        (b"%YAML 1.1\n---\na: 1\n", [("directive", 1, 1)]),
        (b"", [("empty", 1, 1)]),
        (b"# only words\n", [("empty", 1, 1)]),
        (b"---\n---\n", [("empty", 1, 1)]),
        (b"\xef\xbb\xbfa: 1\n", [("byte_order_mark", 1, 1)]),
        ("a: 'x\u2028y'\n".encode(), [("line_break", 1, 6)]),
        (b"a: 1\n" + b"#" * (1 << 20), [("too_large", 1, 1)]),
        (b"\n%TAG ! x" * 1000, [("directive", 1, 1)]),
    ],
)  # fmt: skip
def test_bad_input_is_a_problem_with_its_place(data: bytes, expected: list[tuple[str, int, int]]) -> None:
    assert said(strict(data)) == expected


def test_what_can_be_read_in_spite_of_a_problem_is_read() -> None:
    assert strict("a: 1\nb: 2\na: 3\n").documents[0].value == {"a": 3, "b": 2}
    assert strict(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n").documents[0].value == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"a: 1\n  b: 2\n", "indented further than the line above it"),
        (b"type:release\nb: 2\n", 'no space stands after the colon of "type"'),
        (b"a: b: c\n", "a `:` stands where no key can be"),
    ],
)
def test_a_colon_out_of_place_says_whose_fault_it_is(data: bytes, words: str) -> None:
    (problem,) = read("f.yaml", data, dialect="strict").problems
    assert words in problem.message


def test_after_a_syntax_error_nothing_is_read() -> None:
    assert strict("a: 1\n---\nb: [\n").documents == ()
    assert lenient("a: 1\n---\nb: [\n").documents == ()


def test_a_place_counts_crlf_once_and_a_byte_order_mark_not_at_all() -> None:
    document = strict("\ufeffé: x\r\nb:\r\n  - 😀: y\r\n".encode()).documents[0]
    place = document.locate(["b", 0, "😀"])
    assert (place.line, place.column, place.end_line, place.end_column) == (3, 8, 3, 9)
    first = document.locate(["é"], key=True)
    assert (first.line, first.column) == (1, 1)


def test_what_is_not_there_is_located_at_the_nearest_thing_around_it() -> None:
    document = strict("a:\n  b: {c: 1}\n").documents[0]
    assert document.locate(["a", "b", "x", "y"]).line == 2
    assert document.locate(["a", "b", "x"]).column == 3
    assert document.locate(["zzz"]).line == 1
    assert document.locate([]).line == 1
    assert document.locate(["a", 7]).line == 1


def test_places_reach_through_aliases_and_merges() -> None:
    document = lenient("base: &b\n  k: 1\nuse:\n  <<: *b\nalso: *b\n").documents[0]
    assert document.locate(["use", "k"]).line == 2
    assert document.locate(["also", "k"]).line == 2


def test_every_document_of_a_file_is_read_and_numbered() -> None:
    reading = strict("---\n# nothing\n---\na: 1\n---\nb: 2\n...\n")
    assert [(document.index, document.value, document.start.line) for document in reading.documents] == [
        (1, {"a": 1}, 4),
        (2, {"b": 2}, 6),
    ]
    assert reading.problems == ()


def _bomb(levels: int, width: int) -> str:
    lines = ["a0: &a0 lol"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("dialect", ["strict", "lenient"])
def test_a_billion_laughs_stop_at_the_first_line_that_goes_too_far(dialect: Any) -> None:
    reading = read("x.yaml", _bomb(30, 9).encode(), dialect=dialect)
    assert [problem.rule.id for problem in reading.problems] == ["mc.documents/alias_bomb"]
    assert reading.documents == ()
    assert strict(_bomb(4, 9)).problems == ()


def test_aliases_do_not_nest_deeper_than_the_limit() -> None:
    deep = "a0: &a0 [[[[[[[[[[[]]]]]]]]]]]\n" + "".join(
        f"a{n}: &a{n} [[[[[[[[[*a{n - 1}]]]]]]]]]\n" for n in range(1, 40)
    )
    assert said(strict(deep)) == [("too_deep", 11, 20)]
    assert said(lenient(deep))[0][0] == "too_deep"


_ENDLESS = """
import sys
from maestro.documents import read
text = {text}
for dialect in ("strict", "lenient"):
    reading = read("x.yaml", text[: {size}[dialect]], dialect=dialect)
    print(reading.problems[0].rule.id, len(reading.documents))
"""


@pytest.mark.parametrize("unit", [b"[", b"{a: ", b"- ", b"? ", b"{? ", b"a: [{", b"!x [", b"&a [", b"[\n", b'"" : ['])
def test_nesting_without_end_neither_crashes_nor_hangs(unit: bytes) -> None:
    code = _ENDLESS.format(text=repr(unit) + " * 1000000", size={"strict": 1 << 20, "lenient": 10 << 20})
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert [line.split()[1] for line in done.stdout.splitlines()] == ["0", "0"]


def test_deep_json_neither_crashes_nor_hangs() -> None:
    reading = lenient(b'{"a":[' * 1_000_000, "x.json")
    assert [problem.rule.id for problem in reading.problems] == ["mc.documents/too_deep"]


def test_ten_megabytes_of_yaml() -> None:
    data = b"- {name: x, value: 12}\n" * (10_000_000 // 23)
    assert said(strict(data)) == [("too_large", 1, 1)]
    reading = lenient(data)
    assert len(reading.documents[0].value) == 10_000_000 // 23  # type: ignore[arg-type]
    assert said(lenient(data + data)) == [("too_large", 1, 1)]


def test_lenient_reading_goes_past_what_only_our_own_kinds_forbid() -> None:
    reading = lenient("1: a\ntrue: b\n1.0: c\nd: !Ref x\ne: !!int '3'\nf: !!binary aGk=\ng: !!float 3\n")
    assert reading.documents[0].value == {"1": "c", "true": "b", "d": "x", "e": 3, "f": "hi", "g": 3}
    assert said(reading) == [("duplicate_key", 3, 1)]
    assert {problem.rule.mode for problem in reading.problems} == {"warn"}


@pytest.mark.parametrize("text", ["~: a", "? [x]\n: a", "<<: 3", "a: !!int x", "a: !!binary '*'", "a: .inf"])
def test_lenient_reading_refuses_what_has_no_meaning_in_json(text: str) -> None:
    assert [problem.rule.mode for problem in lenient(text).problems] == ["enforce"]


def test_merged_keys_are_read_in_the_order_written() -> None:
    reading = lenient("x: &x {k: 1, l: 2}\na: {<<: *x, l: 3}\nb: {k: 0, <<: *x}\nc: {<<: [{a: 1}, {a: 2, b: 3}]}\n")
    value = reading.documents[0].value
    assert isinstance(value, dict)
    assert (value["a"], value["b"], value["c"]) == ({"k": 1, "l": 3}, {"k": 1, "l": 2}, {"a": 1, "b": 3})
    assert reading.problems == ()
    assert [(note.rule.id, note.location.line) for note in reading.notes] == [("mc.documents/merge_order", 3)]


def test_json_files_are_read_as_json() -> None:
    value = {"a": "😀 \u0000", "b": [1.5, 12345678901234567890123, None, True], "/": "\t"}
    reading = lenient(json.dumps(value, indent="\t"), "x.json")
    assert reading.documents[0].value == value
    assert reading.documents[0].locate(["b", 1]).line == 5
    assert reading.notes == ()


@pytest.mark.parametrize(
    ("text", "rule"),
    [('{"a": NaN}', "number"), ('{"a": 1e999}', "number"), ('{"a": "\\ud800"}', "syntax"), ('{"a": 1,}', "syntax"),
     ("", "syntax"), ('{"a": ' + "9" * 5000 + "}", "number")],
)  # fmt: skip
def test_bad_json_is_a_problem(text: str, rule: str) -> None:
    reading = lenient(text, "x.json")
    assert [problem.rule.id for problem in reading.problems] == [f"mc.documents/{rule}"]
    assert reading.documents == ()


def test_a_duplicate_in_json_warns() -> None:
    reading = lenient('{"a": 1, "a": 2}', "x.json")
    assert reading.documents[0].value == {"a": 2}
    assert [(problem.rule.id, problem.rule.mode) for problem in reading.problems] == [
        ("mc.documents/duplicate_key", "warn")
    ]


@given(st.binary(max_size=300))
@example(b"\xef\xbb\xbf")
@example(b"%")
@example(b"&a &a &a")
def test_nothing_raises_on_any_bytes(data: bytes) -> None:
    for path in ("x.yaml", "x.json"):
        for dialect in ("strict", "lenient"):
            reading = read(path, data, dialect=dialect)
            for document in reading.documents:
                json.dumps(document.value, allow_nan=False)
                assert document.start.line >= 1


_YAMLISH = st.lists(
    st.sampled_from(
        ["a", "b", ": ", "- ", "\n", "  ", "{", "}", "[", "]", ", ", "&x ", "*x", "<<: ", "!!str ", "'", '"', "|\n",
         "#", "---\n", "...\n", "? ", "1", "yes", "0644", "\t", "\r\n", "é", "\u2028", "%", "\\", "@"]
    ),
    max_size=40,
).map("".join)  # fmt: skip


@given(_YAMLISH)
def test_nothing_raises_on_what_looks_like_yaml(text: str) -> None:
    for dialect in ("strict", "lenient"):
        reading = read("x.yaml", text.encode(), dialect=dialect)
        for problem in (*reading.problems, *reading.notes):
            assert problem.message
            assert "\n" not in problem.message
            assert 1 <= problem.location.line <= text.count("\n") + text.count("\r") + 1
        for document in reading.documents:
            json.dumps(document.value, allow_nan=False)
            document.locate(["a", 0, "b"])


_KEYS = st.text(max_size=8)
_SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20)
)
JSON_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4), max_leaves=12
)


@given(JSON_VALUES, st.sampled_from(["plain", "'", '"']))
def test_what_is_written_is_read_back(value: Any, style: str) -> None:
    reading = strict("k: " + written(value, style=style) + "\n")
    assert reading.problems == ()
    assert json.dumps(reading.documents[0].value) == json.dumps({"k": value})


@given(JSON_VALUES)
def test_json_is_yaml(value: Any) -> None:
    text = json.dumps({"k": value}, ensure_ascii=True)
    as_json = lenient(text, "x.json")
    assert json.dumps(as_json.documents[0].value) == json.dumps({"k": value})
    if "\\ud" not in text.lower():  # UTF-16 escapes are JSON's alone
        reading = strict(text)
        assert json.dumps(reading.documents[0].value) == json.dumps({"k": value})


@given(st.text(alphabet="-+.0123456789eExo_:yYnNaATtrufsFlLiIk~= ", max_size=10))
def test_a_plain_scalar_reads_as_the_core_schema_says(text: str) -> None:
    import re

    reading = strict(f"k: {text}\n")
    if not reading.documents or reading.problems or not isinstance(reading.documents[0].value, dict):
        return
    value = reading.documents[0].value.get("k", "")
    text = text.strip()
    if re.fullmatch(r"null|Null|NULL|~|", text):  # YAML 1.2.2, 10.3.2, in its order
        assert value is None
    elif re.fullmatch(r"true|True|TRUE|false|False|FALSE", text):
        assert value is (text.lower() == "true")
    elif re.fullmatch(r"[-+]?[0-9]+", text):
        assert value == int(text)
        assert isinstance(value, int)
    elif re.fullmatch(r"0o[0-7]+", text):
        assert value == int(text, 8)
    elif re.fullmatch(r"0x[0-9a-fA-F]+", text):
        assert value == int(text, 16)
    elif re.fullmatch(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", text):
        assert isinstance(value, float)
        assert value == float(text)
    elif ": " not in text and not text.endswith(":"):
        assert value == text


def test_one_note_for_every_scalar_that_yaml_1_1_reads_differently() -> None:
    text = textwrap.dedent("""\
        on: push
        mode: 0644
        octal: 0o14
        time: 1:30
        big: 1_000
        no: "no"
        flag: yes
        same: [~, null, true, 12, 1.5, .5, -3, 2001-01-01, v1, 0, +1, 1.0e+3]
        eight: 08
        exp: 1e3
        eq: =
        bits: 0b11
        """)
    reading = lenient(text)
    assert [(note.location.line, note.location.column, note.message.partition(",")[0]) for note in reading.notes] == [
        (1, 1, "`on` is text in YAML 1.2"),
        (2, 7, "`0644` is the number 644 in YAML 1.2"),
        (3, 8, "`0o14` is the number 12 in YAML 1.2"),
        (4, 7, "`1:30` is text in YAML 1.2"),
        (5, 6, "`1_000` is text in YAML 1.2"),
        (6, 1, "`no` is text in YAML 1.2"),
        (7, 7, "`yes` is text in YAML 1.2"),
        (9, 8, "`08` is the number 8 in YAML 1.2"),
        (10, 6, "`1e3` is the number 1000.0 in YAML 1.2"),
        (11, 5, "`=` is text in YAML 1.2"),
        (12, 7, "`0b11` is text in YAML 1.2"),
    ]
    assert {note.rule.mode for note in reading.notes} == {"warn"}
    assert reading.notes[1].message == "`0644` is the number 644 in YAML 1.2, but the number 420 in YAML 1.1"
    assert "the number 90 in" in reading.notes[3].message
    assert reading.problems == ()


def test_of_very_many_problems_some_are_shown_and_the_rest_counted() -> None:
    reading = strict("1: x\n" * 5000)
    assert len(reading.problems) == 1001
    assert reading.problems[-1].message == "and 8999 more problems in this file"
