from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from policy.rego_text import Head, heads, read_text
from tests.support.tools import opa_case_files, tool


def found(source: str, *, v1: bool = True) -> list[Head]:
    return heads(read_text(source), v1=v1)


def named(source: str, *, v1: bool = True) -> list[tuple[str, str]]:
    return [(head.name, head.shape) for head in found(source, v1=v1)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("package a\ndeny contains x if { x := 1 }", [("deny", "set")]),
        ("package a\ndeny_a\n  contains x if x := 1", [("deny_a", "set")]),
        ("package a\ndefault deny := set()", [("deny", "complete")]),
        ("package a\ndeny := {1}", [("deny", "complete")]),
        ("package a\ndeny if true", [("deny", "complete")]),
        ("package a\ndeny.x contains 1", [("deny", "reference")]),
        ("package a\ndeny[x] contains 1 if x := 2", [("deny", "reference")]),
        ("package a\ndeny[x] := 1 if x := 2", [("deny", "object")]),
        ("package a\ndeny(x) := 1", [("deny", "function")]),
        ("package a\nx if { deny_a }\ny if deny_b", [("x", "complete"), ("y", "complete")]),
        ("package a\nx if 1 ==\ndeny_b\nwarn contains 2", [("x", "complete"), ("warn", "set")]),
        ("package a\nx := 1 deny contains 2", [("x", "complete"), ("deny", "set")]),
        ("package a\nx := `\ndeny contains 1`\ny := 1", [("x", "complete"), ("y", "complete")]),
        ('package a\nx := $"{ {"deny": "}"}["deny"] } }"\ndeny contains 1', [("x", "complete"), ("deny", "set")]),
        ("package a\nx := $`{`\n}`}\\{ `\ndeny contains 1", [("x", "complete"), ("deny", "set")]),
        ('package a\nx := "\\"" # "\ndeny contains "}" if true', [("x", "complete"), ("deny", "set")]),
        ("package a\nimport data.lib.contains\ndeny contains 1", [("deny", "set")]),
        ("package a\nimport data.x as deny\nwarn contains 1", [("warn", "set")]),
        ("package a\n# deny contains 1\r still a comment\nwarn contains 1", [("warn", "set")]),
        ("\ufeffpackage a\r\ndeny contains 1\r\n", [("deny", "set")]),
    ],
)
def test_heads(source: str, expected: list[tuple[str, str]]) -> None:
    assert named(source) == expected


def test_heads_of_old_syntax() -> None:
    source = 'package a\ndeny[msg] { msg = "x" }\nwarn_b["y"] { true }\nviolation[{"msg": m}] { m := 1 }\n'
    source += "decision = d { d := 1 }"
    expected = [("deny", "set"), ("warn_b", "set"), ("violation", "set"), ("decision", "complete")]
    assert named(source, v1=False) == expected


def test_a_name_that_is_a_keyword_in_v1_does_not_hide_an_old_rule() -> None:
    assert ("deny", "set") in named("package a\nx = contains\ndeny[msg] { msg = 1 }", v1=False)


def test_packages_are_unquoted() -> None:
    assert read_text('package a.b["c-d"].e').package == ("a", "b", "c-d", "e")
    assert read_text('package a["b"]\nx := [1]').package == ("a", "b")
    assert read_text("package a\n[1]").package == ("a",)
    assert read_text("deny contains 1").package is None
    assert read_text("").package is None


def test_blocks_begin_in_column_one_and_end_with_the_comments() -> None:
    source = (
        "# METADATA\n# title: x\n#  a: b\n\n# other\n  # METADATA\npackage a\n#METADATA y\n#title: z\ndeny contains 1\n"
    )
    text = read_text(source)
    assert [(block.yaml, block.line) for block in text.blocks] == [("title: x\n a: b\n", 1), ("title: z\n", 8)]
    assert [text.tokens[block.token].text for block in text.blocks] == ["package", "deny"]


def test_positions_count_code_points() -> None:
    (head,) = found('package a\nx := `é\n\U0001f600` deny contains "x"\n')[1:]
    assert (head.line, head.column) == (3, 4)


def test_comments_do_not_change_what_a_program_is() -> None:
    one = read_text('package a\nx := "# no" # yes\n').code_digest_text
    assert one == 'package a\nx := "# no"\n'
    assert read_text('package a\nx := "# no" # other\n').code_digest_text == one
    assert read_text('# first\n\npackage a\n\t# a line\n\n  \nx := "# no"\t\n\n').code_digest_text == one
    assert read_text('package a x := "# no"\n').code_digest_text != one
    assert read_text("package a\nx := `\n\n \n`\n").code_digest_text == "package a\nx := `\n\n \n`\n"


@given(st.text(alphabet='ab_"`${}()[]#\\\n\r .:=deny contains if package METADATA\u00e9', max_size=80))
def test_any_text_is_read(source: str) -> None:
    text = read_text(source)
    heads(text, v1=True)
    heads(text, v1=False)
    assert [token.offset for token in text.tokens] == sorted(token.offset for token in text.tokens)
    for token in text.tokens:
        assert source[token.offset : token.offset + len(token.text)] == token.text


STRINGS = st.sampled_from(
    ['"deny"', "`deny\n`", '"\\"deny {"', '$"a{1}b"', '$`{"}"}`', "{1}", "[1]", '{"a": [2]}', "1e-5"]
)
PIECES = st.one_of(
    st.builds(
        lambda name, value: (name, f"{name} contains {value} if {{ true }}"),
        st.sampled_from(["deny", "warn_x"]),
        STRINGS,
    ),
    st.builds(lambda name, value: (name, f"{name} := {value}"), st.sampled_from(["helper", "violation_y"]), STRINGS),
    st.builds(lambda value: ("f", f"f(x) := {value} if x == {value}"), STRINGS),
    st.builds(lambda value: ("g", f"g if some deny in [{value}]"), STRINGS),
    st.builds(lambda value: ("h", f"h if not deny == {value}"), STRINGS),
)


@given(st.lists(PIECES, max_size=6), st.sampled_from(["\n", "\n\n# deny contains 1\n", "\r\n", " "]))
def test_every_rule_is_found_whatever_stands_around_it(pieces: list[tuple[str, str]], between: str) -> None:
    source = "package a\n" + between.join(text for _, text in pieces)
    assert [head.name for head in found(source)] == [name for name, _ in pieces]


def corpus(version: str) -> list[str]:
    yaml = YAML(typ="safe")
    out: list[str] = []
    for path in opa_case_files(version):
        for case in (yaml.load(path.read_bytes()) or {}).get("cases") or []:
            out += case.get("modules") or []
    return out


def names_of(parsed: dict[str, Any]) -> set[str]:
    return {rule["head"].get("name") or rule["head"]["ref"][0]["value"] for rule in parsed.get("rules", [])}


def test_no_rule_of_opas_own_cases_is_missed(tmp_path: Path) -> None:
    """Every v1 module of OPA's suite, parsed by OPA itself in one process. A missed rule would be a silent allow."""
    modules = corpus("v1")
    (tmp_path / "modules.json").write_text(json.dumps({"modules": modules}))
    query = '[r | some i, m in data.modules; a := rego.parse_module("m", m); r := [i, a]]'
    argv = [tool("opa"), "eval", "--format", "raw", "-d", str(tmp_path / "modules.json"), query]
    parsed = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)
    assert len(parsed) > 2500
    for index, module in parsed:
        text = read_text(modules[index])
        assert {head.name for head in heads(text, v1=True)} == names_of(module), modules[index]
        assert text.package == tuple(term["value"] for term in module["package"]["path"][1:])


def test_no_rule_of_opas_old_cases_is_missed(tmp_path: Path) -> None:
    """A sample: OPA parses old syntax only a process at a time. All 2,415 were compared once: none missed."""
    modules = corpus("v0")[::60]
    parsed = 0
    for index, module in enumerate(modules):
        path = tmp_path / f"{index}.rego"
        path.write_text(module)
        done = subprocess.run([tool("opa"), "parse", "--v0-compatible", "-f", "json", str(path)], capture_output=True)
        if done.returncode == 0:
            parsed += 1
            assert names_of(json.loads(done.stdout)) <= {head.name for head in heads(read_text(module), v1=False)}
    assert parsed > 30
