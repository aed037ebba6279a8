from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro.findings import MILDNESS, Location, Mode
from policy.pack import PackProblem
from policy.rego_text import read_text
from tests.policy.memory_files import load, pack_of
from tests.support.tools import tool

WHOLE = """# METADATA
# title: Flags have an owner
# custom:
#   mode: warn
#   owner: "@acme/platform"
#   input: flag-change
#   builtin_errors: undefined
package mc.flags

import rego.v1

# METADATA
# title: A flag names its owner
# custom:
#   mode: shadow
#   severity: high
deny_missing_owner contains "x" if not input.flag.owner

warn contains "y" if true

decision := {"allow": true}
"""


def blocking(problems: tuple[PackProblem, ...]) -> list[tuple[str, str]]:
    return [(problem.rule.id, problem.message) for problem in problems if problem.rule.mode == "enforce"]


def one_problem(source: str, rule: str, words: str, packs: str = "['policy/packs/*']") -> PackProblem:
    problems = load({"policy/packs/p/p.rego": source}, packs).problems
    (found,) = [problem for problem in problems if problem.rule.id == rule]
    assert words in found.message
    return found


def test_a_whole_pack() -> None:
    pack = pack_of(WHOLE)
    assert (pack.name, pack.path, pack.mode, pack.owner) == ("mc.flags", "policy/packs/p", "warn", "@acme/platform")
    assert (pack.input, pack.builtin_errors, pack.rego_version) == ("flag-change", "undefined", "v1")
    assert pack.title == "Flags have an owner"
    assert [(rule.name, rule.suffix, rule.mode, pack.mode_of(rule)) for rule in pack.rules] == [
        ("deny_missing_owner", "missing_owner", "shadow", "shadow"),
        ("warn", "warn", None, "warn"),
    ]
    assert pack.rules[0].title == "A flag names its owner"
    assert pack.rules[0].custom["severity"] == "high"
    assert pack.rules[0].location == Location("policy/packs/p/p.rego", 17, 1)
    assert pack.decides
    program = pack.program()
    assert program.entrypoints == ("data.mc.flags.deny_missing_owner", "data.mc.flags.warn", "data.mc.flags.decision")
    assert not program.strict_builtin_errors


def test_tests_and_fixtures_never_judge() -> None:
    files = {
        "policy/packs/p/p.rego": "package p\ndeny contains 1",
        "policy/packs/p/p_test.rego": "package system\ndeny contains 2",
        "policy/packs/p/fixtures/x.rego": "package p\ndeny contains 3",
        "policy/packs/p/README.md": "",
        "policy/packs/p/lib/helper.rego": "package p.lib\nx := 1",
    }
    (pack,) = load(files).packs
    assert sorted(pack.modules) == ["lib/helper.rego", "p.rego"]


def test_the_digest_is_of_what_judges() -> None:
    base = pack_of("package p\ndeny contains 1")
    assert base.digest != pack_of("package p\ndeny contains 2").digest
    files = {"other/q/p.rego": "package p\ndeny contains 1", "other/q/README.md": "x"}
    assert load(files, "['other/*']").packs[0].digest == base.digest, "where it lies does not matter"
    mild = load(files, "[{path: 'other/*', mode: warn}]").packs[0]
    assert (mild.mode, mild.digest) == ("warn", base.digest), "nor does its mode in maestro.yaml"


@pytest.mark.parametrize(
    ("custom", "rule", "words"),
    [
        ("mode: enfroce", "mc.policy/mode", "mode 'enfroce' is none of enforce, warn, shadow"),
        ("mode: 1", "mc.policy/mode", "mode 1 is none of"),
        ("modes: warn", "mc.policy/metadata", "did you mean 'mode'?"),
        ("input: flags", "mc.policy/metadata", "input 'flags' is none of document, flag-change"),
        ("rego: v3", "mc.policy/metadata", "rego 'v3' is none of"),
        ("builtin_errors: no", "mc.policy/metadata", "builtin_errors 'no' is none of"),
        ("owner: [a]", "mc.policy/metadata", "owner is ['a']"),
        ("match: 7", "mc.policy/metadata", "match is 7"),
        ("match: ['../x']", "mc.policy/metadata", "match holds '../x'"),
        ("mode: [", "mc.policy/metadata", "not valid YAML"),
        ("mode: warn\n#   mode: enforce", "mc.policy/metadata", "not valid YAML"),
    ],
)
def test_wrong_metadata_is_a_problem_and_the_pack_stays_strict(custom: str, rule: str, words: str) -> None:
    source = f"# METADATA\n# custom:\n#   {custom}\npackage p\ndeny contains 1"
    one_problem(source, rule, words)
    (pack,) = load({"policy/packs/p/p.rego": source}).packs
    assert pack.mode == "enforce"


@pytest.mark.parametrize(
    ("source", "rule", "words"),
    [
        ("# METADTA\n# custom: {mode: warn}\npackage p\ndeny contains 1", "mc.policy/metadata", "did you mean"),
        ("# Metadata\n# custom: {mode: warn}\npackage p\ndeny contains 1", "mc.policy/metadata", "did you mean"),
        (" # METADATA\n # custom: {mode: warn}\npackage p\ndeny contains 1", "mc.policy/metadata", "column 1"),
        ("# METADATA\n\n# custom: {mode: warn}\npackage p\ndeny contains 1", "mc.policy/metadata", "is empty"),
        ("# METADATA\n# - 1\npackage p\ndeny contains 1", "mc.policy/metadata", "not a mapping"),
        ("# METADATA\n# custom: warn\npackage p\ndeny contains 1", "mc.policy/metadata", "custom is not a mapping"),
        ("# METADATA\n# mode: warn\npackage p\ndeny contains 1", "mc.policy/metadata", "belongs under custom"),
        ("# METADATA\n# scope: rule\npackage p\ndeny contains 1", "mc.policy/metadata", "scope 'rule' does not fit"),
        (
            "package p\n# METADATA\n# custom: {owner: x}\ndeny contains 1",
            "mc.policy/metadata",
            "custom.owner belongs to the block before `package`",
        ),
        ("package p\n# METADATA\n# custom: {mode: enforced}\ndeny contains 1", "mc.policy/mode", "the mode 'enforced'"),
        ("package p\n# METADATA\n# custom: {mode: enforce}\nwarn_x contains 1", "mc.policy/mode", "never blocks"),
        (
            "# METADATA\n# custom: {mode: shadow}\npackage p\n# METADATA\n# custom: {mode: warn}\ndeny contains 1",
            "mc.policy/mode",
            "a rule is at most milder",
        ),
        ("deny contains 1", "mc.policy/package", "does not begin with"),
        ("", "mc.policy/package", "does not begin with"),
        ("package system\ndeny contains 1", "mc.policy/package", "is reserved"),
        ("package maestro_adapter_1\ndeny contains 1", "mc.policy/package", "is reserved"),
        ('package p["a-b"]\ndeny contains 1', "mc.policy/package", "letters, digits and _"),
        ("package p\nallow := true", "mc.policy/nothing_to_ask", "no rule that could speak"),
        ("package p\ndeny(x) := 1", "mc.policy/nothing_to_ask", "no rule that could speak"),
        ("package p\ndeny_ contains 1\ndeny contains 2", "mc.policy/rule_name", "deny_ looks like a rule"),
        ("package p\ndeny_a__b contains 1\ndeny contains 2", "mc.policy/rule_name", "never asked for"),
        ("package p\ndeny.a contains 1", "mc.policy/rule_head", "the first part of a longer name"),
        ("package p\ndeny[x] := 1 if x := 2", "mc.policy/rule_head", "an object"),
        ("package p\ndeny if data.conftest.file.name", "mc.policy/file_name", "the document alone"),
        (
            "# METADATA\n# custom: {input: placement-request}\npackage p\ndeny contains 1",
            "mc.policy/no_decision",
            "no rule `decision`",
        ),
    ],
)
def test_what_would_be_lost_silently_is_a_problem(source: str, rule: str, words: str) -> None:
    one_problem(source, rule, words)


def test_several_plain_denies_cannot_be_told_apart() -> None:
    source = 'package p\ndeny contains "a" if input.a\ndeny contains "b" if input.b\n'
    problem = one_problem(source, "mc.policy/plain_deny", "2 bodies are named plain deny")
    assert problem.rule.mode == "warn"
    assert problem.location.line == 3
    for other in (
        source.replace('"a"', '{"msg": "a", "rule": "a"}'),
        f"# METADATA\n# custom: {{mode: warn}}\n{source}",
        'package p\ndeny contains "a"\ndefault deny := set()',
    ):
        problems = load({"policy/packs/p/p.rego": other}).problems
        assert "mc.policy/plain_deny" not in {found.rule.id for found in problems}
    entry = "[{path: 'policy/packs/p', namespace: p}]"
    problems = load({"policy/packs/p/p.rego": source}, entry).problems
    assert "mc.policy/plain_deny" not in {found.rule.id for found in problems}, "written for conftest"


def test_a_package_outside_of_the_namespace() -> None:
    files = {"policy/packs/p/p.rego": "package p\ndeny contains 1", "policy/packs/p/q.rego": "package q\nx := 1"}
    found = load(files)
    assert found.packs == ()
    assert blocking(found.problems) == [("mc.policy/package", "the package q lies outside of the pack's namespace p")]
    entry = "[{path: 'policy/packs/p', namespace: p, match: ['x']}]"
    (pack,) = load(files, entry).packs
    assert pack.conftest_style
    assert [rule.name for rule in pack.rules] == ["deny"]
    for bad in ("maestro_x", "system.y", "conftest"):
        files["policy/packs/p/q.rego"] = f"package {bad}\nx := 1"
        assert load(files, entry).packs == ()


def test_rules_in_a_helper_package_are_never_asked_for() -> None:
    files = {
        "policy/packs/p/p.rego": "package p\ndeny contains 1",
        "policy/packs/p/q.rego": "package p.lib\ndeny contains 1\ndeny_help(x) := 1",
    }
    assert blocking(load(files).problems) == [
        ("mc.policy/rule_name", "deny stands in the helper package p.lib, whose rules are never asked for")
    ]
    entry = "[{path: 'policy/packs/p', namespace: p, match: ['x']}]"
    assert blocking(load(files, entry).problems) == [], "conftest's namespaces may lie below each other"


@pytest.mark.parametrize(
    ("pattern", "silent"),
    [
        ("Dockerfile", True),
        ("**/*.tf", True),
        ("k8s", True),
        ("a/*.y", True),
        ("**", False),
        ("k8s/**", False),
        ("k8s/", False),
        ("a/*", False),
        ("a.json", False),
        ("*.YAML", False),
        ("*.y*", False),
        ("*ml", False),
        ("a/[x-z]", False),
    ],
)
def test_a_pattern_for_files_that_are_not_read_is_said(pattern: str, silent: bool) -> None:
    problems = load({"p/p.rego": "package p\ndeny contains 1"}, f"[{{path: p, match: ['{pattern}']}}]").problems
    assert [problem.rule.id for problem in problems] == ["mc.policy/no_match"] * silent
    assert all("only .yaml, .yml and .json are read" in problem.message for problem in problems)


def test_two_packs_with_one_namespace_both_stay_silent_and_it_is_said() -> None:
    files = {
        "policy/packs/a/p.rego": "package p\ndeny contains 1",
        "policy/packs/b/p.rego": "package p\ndeny contains 2",
    }
    found = load(files)
    assert found.packs == ()
    assert blocking(found.problems) == [
        ("mc.policy/same_namespace", "the name p is that of policy/packs/a as well as of policy/packs/b")
    ]


def test_entries_that_name_nothing() -> None:
    for packs in ("['policy/none/*']", "['policy/none']", "[{path: policy/none, namespace: main}]"):
        assert [rule for rule, _ in blocking(load({"a.txt": ""}, packs).problems)] == ["mc.policy/no_pack"]
    found = load({"policy/c/a.rego": "package b\ndeny contains 1"}, "[{path: policy/c, namespace: main}]")
    assert [rule for rule, _ in blocking(found.problems)] == ["mc.policy/package"]


def test_maestro_yaml_may_not_soften_what_a_block_says() -> None:
    source = "# METADATA\n# custom: {mode: enforce, owner: '@acme/a'}\npackage p\ndeny contains 1"
    found = load({"policy/packs/p/p.rego": source}, "[{path: 'policy/packs/p', mode: warn}]")
    assert [rule for rule, _ in blocking(found.problems)] == ["mc.policy/contradiction"]
    assert found.packs[0].mode == "enforce"
    assert found.packs[0].owner == "@acme/a"
    stricter = source.replace("enforce", "shadow")
    found = load({"policy/packs/p/p.rego": stricter}, "[{path: 'policy/packs/p', mode: enforce}]")
    assert found.packs[0].mode == "enforce"


def test_two_blocks_for_one_package() -> None:
    files = {
        "policy/packs/p/a.rego": "# METADATA\n# custom: {mode: enforce}\npackage p\ndeny contains 1",
        "policy/packs/p/b.rego": "# METADATA\n# custom: {mode: shadow}\npackage p\nx := 1",
    }
    found = load(files)
    assert [rule for rule, _ in blocking(found.problems)] == ["mc.policy/contradiction"]
    assert found.packs[0].mode == "enforce"


def test_links_and_bytes_that_are_no_text() -> None:
    good = "package p\ndeny contains 1"
    for files, links, words in (
        ({"policy/packs/p/p.rego": good, "policy/packs/p/q.rego": "../x"}, ["policy/packs/p/q.rego"], "a link"),
        ({"policy/packs/p/p.rego": good.encode() + b"\xff"}, [], "not UTF-8 (byte 25)"),
        ({"policy/packs/p/p.rego": good + "\0"}, [], "NUL"),
    ):
        found = load(files, links=links)
        assert found.packs == ()
        ((rule, message),) = blocking(found.problems)
        assert rule == "mc.policy/unreadable_module"
        assert words in message


def test_a_mode_holds_only_when_every_body_has_it() -> None:
    block = "# METADATA\n# custom: {mode: %s}\n"
    body = 'deny_x contains "%s" if true\n'
    both = "package p\n" + block % "shadow" + body % 1 + block % "warn" + body % 2
    assert pack_of(both).rules[0].mode == "warn"
    assert pack_of("package p\n" + block % "shadow" + body % 1 + body % 2).rules[0].mode is None
    whole = block.replace("custom", "scope: document\n# custom") % "shadow"
    assert pack_of("package p\n" + whole + body % 1 + body % 2).rules[0].mode == "shadow"


def test_a_block_belongs_to_the_next_statement_only() -> None:
    source = 'package p\n# METADATA\n# custom: {mode: shadow}\nhelper := 1\n\ndeny contains "x" if helper\n'
    assert pack_of(source).rules[0].mode is None


def test_data_files_are_read_once_for_every_engine() -> None:
    files = {
        "policy/c/a.rego": "package main\ndeny contains 1",
        "policy/data/a.yaml": "x: {big: 9007199254740993, no: on}\n",
        "policy/data/b.json": '{"x": {"y": [1]}}',
    }
    entry = "[{path: policy/c, namespace: main, match: ['k8s/**'], data: [policy/data]}]"
    found = load(files, entry)
    assert blocking(found.problems) == []
    assert found.packs[0].data == {
        "policy/data/a.yaml": b'{"x":{"big":9007199254740993,"no":"on"}}',
        "policy/data/b.json": b'{"x":{"y":[1]}}',
    }
    for path, content, words in (
        ("policy/data/c.json", '{"x": {"y": 2}}', "data.x.y is given by another"),
        ("policy/data/c.json", "[1]", "holds one object"),
        ("policy/data/c.json", '{"maestro_inputs_1": 2}', "reserved"),
        ("policy/data/c.yaml", "a: [", ""),
    ):
        found = load({**files, path: content}, entry)
        assert found.packs == ()
        assert [rule for rule, _ in blocking(found.problems)] == ["mc.policy/data"]
        assert words in found.problems[-1].message
    found = load(files, entry.replace("policy/data]", "nowhere]"))
    assert [rule for rule, _ in blocking(found.problems)] == ["mc.policy/data"]


@given(st.sampled_from(list(MILDNESS)), st.sampled_from([*MILDNESS, None]), st.sampled_from(["deny_x", "warn_x"]))
def test_a_rule_is_never_stricter_than_its_pack(pack_mode: Mode, rule_mode: Mode | None, name: str) -> None:
    block = f"# METADATA\n# custom: {{mode: {rule_mode}}}\n" if rule_mode else ""
    source = f"# METADATA\n# custom: {{mode: {pack_mode}}}\npackage p\n{block}{name} contains 1"
    found = load({"policy/packs/p/p.rego": source})
    (pack,) = found.packs
    effective = pack.mode_of(pack.rules[0])
    assert MILDNESS[effective] >= MILDNESS[pack_mode]
    assert effective != "enforce" or name == "deny_x"
    if rule_mode and MILDNESS[rule_mode] < MILDNESS[pack_mode]:
        assert [rule for rule, _ in blocking(found.problems)] == ["mc.policy/mode"]


@given(st.text(max_size=60), st.text(alphabet="METADA: #\ncustommodewarn[]{}package p\tdeny", max_size=80))
def test_any_text_loads_or_is_a_problem(one: str, other: str) -> None:
    files: dict[str, str | bytes] = {
        "policy/packs/p/a.rego": one.encode("utf-8", "surrogatepass"),
        "policy/packs/p/b.rego": other,
    }
    found = load(files)
    assert found.packs or blocking(found.problems)


def test_metadata_is_what_opa_reads(tmp_path: Path) -> None:
    """Judged by `opa inspect` on blocks of every kind and on the packs we ship."""
    odd = """# METADATA
# title: "T: 'x'"
# description: |
#   two
#   lines
# custom:
#   mode: warn
#   when: {a: [1, 2.5, true, null, "no"]}
package odd

#METADATA and more
#title: first
#custom:
#  mode: shadow
deny_a contains 1 if {
	true # METADATA
}

# METADATA
# scope: document
# title: second
deny_b contains `
# METADATA
# title: not one
` if true

deny_b contains 2
"""
    root = Path(__file__).parents[2] / "policy" / "packs"
    sources = {"odd.rego": odd, **{path.name: path.read_text() for path in root.glob("*/[a-z]*[!t].rego")}}
    for name, source in sources.items():
        path = tmp_path / name
        path.write_text(source)
        done = subprocess.run([tool("opa"), "inspect", "-a", "-f", "json", str(path)], capture_output=True, check=True)
        theirs = json.loads(done.stdout).get("annotations", [])
        ours = {item["annotations"]["scope"] + ":" + item["path"][-1]["value"]: item["annotations"] for item in theirs}
        pack = pack_of(source)
        package = ours[f"package:{pack.name.split('.')[-1]}"]
        assert pack.title == package.get("title")
        assert pack.mode == package["custom"]["mode"]
        for rule in pack.rules:
            block = ours.get(f"rule:{rule.name}") or ours.get(f"document:{rule.name}")
            assert rule.title == (block or {}).get("title"), rule.name
            assert dict(rule.custom) == (block or {}).get("custom", {}), rule.name
        assert len(read_text(source).blocks) == len(theirs)
