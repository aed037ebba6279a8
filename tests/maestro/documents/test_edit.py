"""Edits change one thing; everything else of the text stays."""

import difflib
import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from maestro.documents import RawDocument, read
from maestro.documents.edit import EditRefused, apply, insert_key, rename_key, set_value
from maestro.findings import Edit, Location

TEXT = """\
# top
a: 1   # one
b:
  - x # c
  - {k: v, l: [1, 2]}   # flow
  -
c: |
  text
  more

d: 'single'
e: {}
f:
g:
  h: # about h
    i: "1"
    j: 2   # two
  m: {
    p: 1,  # first
    q: 2
  }
# end
k: &an [1]
l: *an
"""


def raw(text: str, path: str = "x.yaml") -> RawDocument:
    reading = read(path, text.encode(), dialect="lenient" if path.endswith(".json") else "strict")
    return reading.documents[0]


def changed(before: str, after: str) -> list[str]:
    return [line for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]


@pytest.mark.parametrize(
    ("pointer", "value", "lines"),
    [
        (["a"], 2, ["- a: 1   # one", "+ a: 2   # one"]),
        (["a"], "yes", ["- a: 1   # one", '+ a: "yes"   # one']),
        (["b", 0], "x: y", ["-   - x # c", '+   - "x: y" # c']),
        (["b", 1, "l", 1], {"m": []}, ["-   - {k: v, l: [1, 2]}   # flow", "+   - {k: v, l: [1, {m: []}]}   # flow"]),
        (["b", 2], "new", ["-   -", "+   - new"]),
        (["c"], "z", ["- c: |", "-   text", "-   more", "+ c: z"]),
        (["d"], "it's", ["- d: 'single'", "+ d: 'it''s'"]),
        (["d"], "two\nlines", ["- d: 'single'", '+ d: "two\\nlines"']),
        (["f"], None, ["- f:", "+ f: null"]),
        (["g", "h", "i"], "2027-02-01", ['-     i: "1"', '+     i: "2027-02-01"']),
        (["g", "h"], "q", ["-   h: # about h", '-     i: "1"', "-     j: 2   # two", "+   h: q # about h   # two"]),
        (["l"], 3, ["- l: *an", "+ l: 3"]),
    ],
)
def test_a_value_is_replaced_where_it_stands(pointer: list[str | int], value: Any, lines: list[str]) -> None:
    for text in (TEXT, TEXT.replace("\n", "\r\n")):
        after = apply(text, [set_value(raw(text), pointer, value)])
        assert sorted(changed(text, after)) == sorted(lines)
        assert after.count("\r\n") in (0, after.count("\n"))


@pytest.mark.parametrize(
    ("parent", "lines"),
    [
        ([], ["+ new: va lue"]),
        (["b", 1], ["-   - {k: v, l: [1, 2]}   # flow", "+   - {k: v, l: [1, 2], new: va lue}   # flow"]),
        (["e"], ["- e: {}", "+ e: {new: va lue}"]),
        (["f"], ["- f:", "+ f: {new: va lue}"]),
        (["g"], ["+   new: va lue"]),
        (["g", "h"], ["+     new: va lue"]),
        (["g", "m"], ["-     q: 2", "+     q: 2,", "+     new: va lue"]),
    ],
)
def test_a_key_is_inserted_as_its_neighbours_are_written(parent: list[str | int], lines: list[str]) -> None:
    for text in (TEXT, TEXT.replace("\n", "\r\n")):
        after = apply(text, [insert_key(raw(text), parent, "new", "va lue")])
        assert sorted(changed(text, after)) == sorted(lines)
        assert after.count("\r\n") in (0, after.count("\n"))


def test_a_file_that_ends_without_a_line_end_gets_one() -> None:
    assert apply("a: 1", [insert_key(raw("a: 1"), [], "b", 2)]) == "a: 1\nb: 2\n"


def test_a_key_is_inserted_after_a_block_scalar() -> None:
    text = "a:\n  b: |\n    x\n\n    y\nc: 1\n"
    assert apply(text, [insert_key(raw(text), ["a"], "m", 1)]) == "a:\n  b: |\n    x\n\n    y\n  m: 1\nc: 1\n"


def test_a_list_no_deeper_than_its_key_can_become_a_scalar() -> None:
    text = "a:\n- 1\n- 2\nb: 3\n"
    assert apply(text, [set_value(raw(text), ["a"], "x")]) == "a: x\nb: 3\n"


def test_json_stays_json() -> None:
    text = '{\n  "a": 1,\n  "b": {"c": "d"}\n}\n'
    document = raw(text, "x.json")
    assert json.loads(apply(text, [insert_key(document, [], "new", {"x": [None]})])) == {
        "a": 1,
        "b": {"c": "d"},
        "new": {"x": [None]},
    }
    assert apply(text, [set_value(document, ["b", "c"], "e")]) == text.replace('"d"', '"e"')


def test_a_key_is_renamed() -> None:
    after = apply(TEXT, [rename_key(raw(TEXT), ["g", "h"], "hh"), rename_key(raw(TEXT), ["c"], "true")])
    assert changed(TEXT, after) == ["- c: |", '+ "true": |', "-   h: # about h", "+   hh: # about h"]


@pytest.mark.parametrize(
    "edit",
    [
        lambda document: set_value(document, ["k"], 2),  # another value is an alias of it
        lambda document: set_value(document, ["l", 0], 2),  # stands behind an alias
        lambda document: set_value(document, ["zzz"], 2),
        lambda document: set_value(document, ["a", "b"], 2),
        lambda document: set_value(document, ["a"], float("nan")),
        lambda document: set_value(document, ["a"], "\ud800"),
        lambda document: insert_key(document, ["a"], "b", 2),
        lambda document: insert_key(document, [], "b", 2),
        lambda document: insert_key(document, ["b"], "c", 2),
        lambda document: rename_key(document, ["a"], "b"),
        lambda document: rename_key(document, ["b", 0], "c"),
        lambda document: rename_key(document, [], "c"),
    ],
)
def test_what_would_change_something_else_is_refused(edit: Any) -> None:
    with pytest.raises(EditRefused):
        edit(raw(TEXT))


def test_edits_that_overlap_or_lie_outside_are_refused() -> None:
    place = Location("x", 1, 1, 1, 3)
    with pytest.raises(ValueError, match="overlap"):
        apply("abc\n", [Edit(place, "x"), Edit(Location("x", 1, 2, 1, 3), "y")])
    with pytest.raises(ValueError, match="no line 9"):
        apply("abc\n", [Edit(Location("x", 9, 1, 9, 1), "x")])
    with pytest.raises(ValueError, match="no column 9"):
        apply("abc\n", [Edit(Location("x", 1, 9, 1, 9), "x")])
    with pytest.raises(ValueError, match="ends before"):
        apply("abc\n", [Edit(Location("x", 1, 3, 1, 1), "x")])


_TEXTS = st.text(alphabet="ab1 :#-'\"{}[],&*!|>%@`\n\t\\é", max_size=8)
_SCALARS = (
    st.none() | st.booleans() | st.integers(-99, 99) | _TEXTS | st.sampled_from(["no", "0o7", "1:30", "~", "..."])
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=8,
)


def _block(value: Any, indent: int, draw: Any) -> str:
    """A value in block style, with comments and blank lines strewn in."""
    pad = " " * indent
    noise = draw(st.sampled_from(["", "", f"{pad}# note\n", "\n"]))
    end = draw(st.sampled_from(["\n", "\n", "   # why\n"]))
    if isinstance(value, dict) and value:
        out = ""
        for key, item in value.items():
            out += noise + pad + json.dumps(key, ensure_ascii=False) + ":"
            nested = isinstance(item, dict | list) and item
            out += end + _block(item, indent + 2, draw) if nested else f" {_flow(item, draw)}{end}"
        return out
    if isinstance(value, list) and value:
        return "".join(f"{noise}{pad}- {_flow(item, draw)}{end}" for item in value)
    return f"{pad}{_flow(value, draw)}{end}"


def _flow(value: Any, draw: Any) -> str:
    if isinstance(value, str) and "\n" not in value and "\t" not in value and draw(st.booleans()):
        return "'" + value.replace("'", "''") + "'"
    return json.dumps(value, ensure_ascii=False)


def _places(value: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    out = [at]
    if isinstance(value, dict):
        for key, item in value.items():
            out += _places(item, (*at, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            out += _places(item, (*at, index))
    return out


def _at(value: Any, steps: tuple[str | int, ...]) -> Any:
    for step in steps:
        value = value[step]
    return value


@given(st.data(), st.dictionaries(_TEXTS, _VALUES, min_size=1, max_size=4), _VALUES, st.booleans())
def test_an_edit_reads_back_as_asked_and_touches_no_comment(data: Any, before: Any, new: Any, crlf: bool) -> None:
    text = _block(before, 0, data.draw)
    text = text.replace("\n", "\r\n") if crlf else text
    document = raw(text)
    assert document.value == before
    steps = data.draw(st.sampled_from(_places(before)))
    assume(steps)
    whole = json.loads(json.dumps(before))
    if data.draw(st.booleans()) and isinstance(_at(whole, steps), dict):
        _at(whole, steps)["added key"] = new
        edit = insert_key(document, steps, "added key", new)
    else:
        _at(whole, steps[:-1])[steps[-1]] = new
        edit = set_value(document, steps, new)
    after = apply(text, [edit])
    assert json.dumps(raw(after).value, sort_keys=True) == json.dumps(whole, sort_keys=True)
    start = text.splitlines(keepends=True)[: edit.location.line - 1]
    assert after.startswith("".join(start))
    rest = text.splitlines(keepends=True)[(edit.location.end_line or 1) :]
    assert after.endswith("".join(rest))
