"""Which bodies are reached: as OPA's own coverage has it, over our packs and over OPA's own cases."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro.config import load_config
from policy.body_marks import mark_bodies
from policy.coverage import Coverage, measure
from policy.folder import Folder
from policy.pack import Pack, load_packs
from policy.pack_check import coverage_of
from policy.rego_bodies import Body, bodies, read_modules
from policy.rego_tests import read_test_modules
from tests.policy.engines.conftest_here import conftest_engine
from tests.policy.memory_files import pack_of
from tests.policy.opa_cases import opa_cases
from tests.support.tools import tool

GOVERNED = Path("examples/governed")
NONCE = "0123456789abcdef"


def packs() -> list[Pack]:
    settings = GOVERNED / "maestro.yaml"
    return list(load_packs(Folder(GOVERNED), load_config(str(settings), settings.read_bytes())).packs)


def places(rego: str, *, v1: bool = True) -> list[tuple[int, int, str, str]]:
    modules = read_modules({"t.rego": rego.encode()}, v1=v1)
    return [(body.line, body.column, body.rule, body.kind) for body in bodies(modules)]


def test_every_kind_of_body_is_found() -> None:
    rego = """package t

import data.other

default a := 1 # the last resort

a := 2 if input.x else := 3 if {
	input.y
} else := 4

f(x, {"k": [_, y]}) := x + y if x > 1

s contains {"msg": msg} if {
	some msg in input.all
}

s contains "fact"

o["key"] := {"a": 1}

long.name[x] contains y if some x, y in input.z

b if {input.p} {input.q}
"""
    assert places(rego) == [
        (5, 9, "a", "default"),
        (7, 1, "a", "rule"),
        (7, 19, "a", "else"),
        (9, 3, "a", "else"),
        (11, 1, "f", "rule"),
        (13, 1, "s", "rule"),
        (17, 1, "s", "rule"),
        (19, 1, "o", "rule"),
        (21, 1, "long", "rule"),
        (23, 1, "b", "rule"),
        (23, 16, "b", "chained"),
    ]


def test_old_syntax() -> None:
    rego = (
        'package t\ndeny[msg] { input.a; msg := "x" } { msg = "y" }\nallow = {"a": 1} { input.b } else = false\nc = 1\n'
    )
    assert places(rego, v1=False) == [
        (2, 1, "deny", "rule"),
        (2, 35, "deny", "chained"),
        (3, 1, "allow", "rule"),
        (3, 30, "allow", "else"),
        (4, 1, "c", "rule"),
    ]


@given(
    st.text(st.sampled_from(list('abif{}[]():=,;|.$"`#\n\t \\ü0')) | st.sampled_from("é{}\r"), max_size=80),
    st.booleans(),
)
def test_no_text_makes_it_fail(text: str, v1: bool) -> None:
    marked = mark_bodies({"t.rego": f"package t\n{text}".encode()}, v1=v1, nonce=NONCE)
    assert len(set(marked.bodies)) == len(marked.bodies)
    assert marked.unknown <= set(marked.bodies)
    for body in set(marked.bodies) - marked.unknown:
        number = marked.bodies.index(body)
        assert marked.modules["t.rego"].decode().count(f"{marked.mark}{number};") == 1


def reached(rego: str, *inputs: Any) -> dict[tuple[int, int], tuple[bool, bool]]:
    """Line and column to (reached, known)."""
    found = measure(pack_of(rego), inputs, {}, conftest_engine())
    assert found.errors == ()
    return {(one.body.line, one.body.column): ("fixtures" in one.by, one.known) for one in found.bodies}


def test_reached_means_true_to_the_end() -> None:
    rego = """# METADATA
# custom: {mode: enforce, match: ["x"]}
package p

deny_a contains input.absent if input.x
deny_b contains "m" if {
	not blocked[v]
	v = input.x
}
deny_c contains "m" if input.x == 2
deny_d contains msg if {
	others := [y | some z in [v]; y := z]
	v = input.x
	msg := sprintf("%v", [others])
	input.absent
}
blocked[1] := true if input.x
"""
    found = reached(rego, {"x": 1})
    assert {place for place, (hit, _) in found.items() if hit} == {(17, 1)}
    assert all(known for _, known in found.values())


def test_what_cannot_be_marked_is_unknown_and_never_reached() -> None:
    rego = """# METADATA
# custom: {mode: enforce, match: ["x"]}
package p

import data.p.print

deny contains "m" if input.x
"""
    assert set(reached(rego, {"x": 1}).values()) == {(False, False)}
    rego = """# METADATA
# custom: {mode: enforce, match: ["x"]}
package p

default a.b := 1

deny contains "m" if a.b == 1
"""
    assert reached(rego, {}) == {(5, 9): (False, False), (7, 1): (True, True)}


def test_a_body_whose_copy_does_not_compile_does_not_spoil_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    from policy import body_marks

    written = body_marks._Writer._print

    def broken(self: Any, part: Any, steps: int) -> str:
        return "1 +" if part.place.rule == "deny_a" else written(self, part, steps)

    monkeypatch.setattr(body_marks._Writer, "_print", broken)
    rego = (
        '# METADATA\n# custom: {mode: enforce, match: ["x"]}\npackage p\ndeny_a contains "m" if {\n\tinput.x\n}\n\n\n'
    )
    rego += 'deny_b contains "m" if {\n\tinput.x\n}\n'
    assert reached(rego, {"x": 1}) == {(4, 1): (False, False), (9, 1): (True, True)}


def test_a_pack_cannot_forge_what_is_reached() -> None:
    rego = """# METADATA
# custom: {mode: enforce, match: ["x"]}
package p

deny_a contains "m" if input.x
deny_b contains "maestro-0123456789abcdef:0;" if print("maestro-0123456789abcdef:0;")
"""
    assert {place for place, (hit, _) in reached(rego, {}).items() if hit} == {(6, 1)}


def test_tests_are_not_asked_when_fixtures_reach_everything() -> None:
    pack = pack_of('# METADATA\n# custom: {match: ["x"]}\npackage p\ndeny_a contains "m" if input.x\n')
    tests = {"a_test.rego": b'package p_test\n\ntest_a if count(data.p.deny_a) == 1 with input as {"x": 1}\n'}
    engine = conftest_engine()
    all_by_fixtures = measure(pack, [{"x": 1}], tests, engine)
    assert (all_by_fixtures.reached("fixtures"), all_by_fixtures.tests_asked) == (1, False)
    by_tests = measure(pack, [{}], tests, engine)
    assert (by_tests.reached("fixtures"), by_tests.reached("tests"), by_tests.tests_asked) == (0, 1, True)


def opa_coverage(files: Mapping[str, bytes], options: list[str], folder: Path) -> dict[str, Any]:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    argv = [tool("opa"), "test", "--coverage", "--format", "json", *options, *files]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    files_: dict[str, Any] = json.loads(done.stdout)["files"]
    return files_


def covered(report: Mapping[str, Any], body: Body) -> bool:
    """Whether OPA says so of the range that begins where the body's head does; it must say something of it."""
    ranges = {key: report.get(body.module, {}).get(key, []) for key in ("covered", "not_covered")}
    starts = {key: {(one["start"]["row"], one["start"]["col"]) for one in found} for key, found in ranges.items()}
    assert (body.line, body.column) in starts["covered"] | starts["not_covered"], body
    return (body.line, body.column) in starts["covered"]


@pytest.mark.parametrize("name", ["mc.flags", "mc.images", "mc.placement", "main"])
def test_tests_reach_what_opa_test_covers(name: str, tmp_path: Path) -> None:
    (pack,) = [pack for pack in packs() if pack.name == name]
    tests = read_test_modules(Folder(GOVERNED), pack)
    found = measure(pack, [], tests, conftest_engine())
    report = opa_coverage({**pack.modules, **tests}, [], tmp_path)
    assert found.errors == ()
    assert {one.body: "tests" in one.by for one in found.bodies} == {
        one.body: covered(report, one.body) for one in found.bodies
    }
    assert all(one.known for one in found.bodies)


@pytest.mark.parametrize("name", ["mc.flags", "mc.images", "mc.placement"])
def test_fixtures_reach_every_body_of_our_packs(name: str) -> None:
    (pack,) = [pack for pack in packs() if pack.name == name]
    found: Coverage = coverage_of(Folder(GOVERNED), pack, conftest_engine())
    assert [one.body for one in found.bodies if "fixtures" not in one.by] == []
    assert len(found.bodies) > 10


def opa_eval(case: dict[str, Any], modules: Mapping[str, bytes], v1: bool, *options: str) -> tuple[Any, str]:
    """OPA's answer to the case's query (without places), and what was printed."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        argv = [tool("opa"), "eval", "--format", "json", "--v1-compatible" if v1 else "--v0-compatible", *options]
        for name, source in modules.items():
            (folder / name).write_bytes(source)
            argv += ["--data", name]
        for key, option in (("data", "--data"), ("input", "--input")):
            if key in case:
                (folder / f"{key}.json").write_text(json.dumps(case[key]))
                argv += [option, f"{key}.json"]
        done = subprocess.run(
            [*argv, case["query"]], cwd=folder, capture_output=True, text=True, timeout=60, check=False
        )
        return json.loads(done.stdout), done.stderr


def compare(case: dict[str, Any], v1: bool) -> tuple[int, int]:
    """How many bodies were compared, and how many are unknown."""
    modules = {f"m{number}.rego": source.encode() for number, source in enumerate(case["modules"])}
    answer, _ = opa_eval(case, modules, v1, "--coverage")
    if "errors" in answer:
        return 0, 0
    left: set[Body] = set()
    while True:
        marked = mark_bodies(modules, v1=v1, nonce=NONCE, leave=left)
        own, printed = opa_eval(case, marked.modules, v1)
        errors = [error for error in own.get("errors", []) if error.get("code", "").startswith("rego_")]
        if not errors:
            break
        more = {
            body for error in errors for body in marked.bodies_at(error["location"]["file"], error["location"]["row"])
        }
        assert more - left, (case["note"], errors)
        left |= more
    hits = {marked.bodies[int(number)] for number in re.findall(marked.mark + r"(\d+);", printed)}
    known = [body for body in marked.bodies if body not in marked.unknown]
    report = answer["coverage"]["files"]
    assert [body for body in known if (body in hits) != covered(report, body)] == [], case["note"]
    assert without_places(own) == without_places(answer), case["note"]
    return len(known), len(marked.unknown)


def without_places(answer: dict[str, Any]) -> Any:
    results = answer.get("result", [])
    return [(one.get("bindings"), [expression["value"] for expression in one["expressions"]]) for one in results]


@pytest.mark.parametrize(("version", "step"), [("v1", 11), ("v0", 17)])
def test_opas_own_cases_reach_what_opa_covers(version: str, step: int) -> None:
    cases = [case for case in opa_cases(version, step) if case["note"] != "partialiter/objects unique"]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda case: compare(case, version == "v1"), cases))
    known, unknown = sum(one for one, _ in found), sum(other for _, other in found)
    assert known > 100
    assert unknown <= known * 0.03
