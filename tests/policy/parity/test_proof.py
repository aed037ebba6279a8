"""Both engines asked about a pack: what makes them alike, and what is said where they are not."""

from __future__ import annotations

from typing import Any

import pytest

from maestro.findings import Location
from policy.engines.choose import unlocked_regopy
from policy.engines.engine import Broken, Engine, Values
from policy.engines.proven import program_digest
from policy.parity.lock import Entry
from policy.parity.proof import prove, shown
from tests.policy.engines.conftest_here import conftest_engine
from tests.policy.engines.lying import Lying, loses_deny
from tests.policy.memory_files import MemoryFiles, load

RULES = """\
package p

import rego.v1

deny_large contains "large" if input.size > 3
"""
LARGE = "name: large\ninput: {size: 7, kind: x}\nexpect: {deny: [p/large]}\n"
SMALL = "name: small\ninput: {size: 1}\nexpect: {deny: []}\n"


def proved(rules: str = RULES, second: Engine | None = None, also: tuple[Any, ...] = (), **fixtures: str) -> Entry:
    files: dict[str, str | bytes] = {"policy/packs/p/p.rego": rules}
    files |= {f"policy/packs/p/fixtures/{name}.yaml": text for name, text in fixtures.items()}
    (pack,) = load(files).packs
    return prove(MemoryFiles(files), pack, conftest_engine(), second or unlocked_regopy(), also)


def test_alike() -> None:
    entry = proved(large=LARGE, small=SMALL)
    assert entry.alike and entry.why is None
    assert entry.asked == entry.equal + entry.refused
    assert 30 < entry.asked < 200
    assert 0 < entry.refused < entry.equal, "what lies beyond ASCII is refused, and never an allow"
    assert (entry.reached, entry.bodies) == (1, 1)
    assert shown(entry) is None
    assert proved(large=LARGE, small=SMALL) == entry, "the same question, the same entry"


def test_a_deny_that_is_lost_is_shown_by_the_smallest_input() -> None:
    entry = proved(second=loses_deny(lambda value: value.get("kind") == "x"), large=LARGE)
    assert not entry.alike
    assert entry.why == "conftest and regopy disagree about data.p.deny_large"
    assert entry.shown_by is not None
    value, answers = entry.shown_by
    assert set(value) == {"kind", "size"} and value["kind"] == "x"
    assert answers == {"conftest": {"value": ["large"]}, "regopy": {"value": []}}
    assert "conftest" in str(shown(entry))


def test_two_packs_that_differ_only_in_what_an_engine_gets_wrong() -> None:
    """An order across types: both packs deny the fixture; only asking about null tells them apart."""
    second = loses_deny(lambda value: "size" in value and value["size"] is None)
    right = proved("package p\nimport rego.v1\ndeny_large contains 1 if input.size == 7\n", second, large=LARGE)
    wrong = proved("package p\nimport rego.v1\ndeny_large contains 1 if input.size != 8\n", second, large=LARGE)
    assert right.alike
    assert not wrong.alike and wrong.shown_by is not None and wrong.shown_by[0] == {"size": None}


def test_a_rule_that_ends_in_one_engine_only() -> None:
    slow = Lying(lambda value: Broken("the evaluation did not end within 5 s", "timeout") if "kind" in value else None)
    entry = proved(second=slow, large=LARGE)
    assert not entry.alike
    assert entry.why == "regopy has no answer where the other has one: the evaluation did not end within 5 s"
    assert entry.shown_by is not None and "kind" in entry.shown_by[0]


def test_an_error_that_regopy_misses() -> None:
    rules = "package p\nimport rego.v1\ndeny_x contains x if x := to_number(input.size)\n"
    entry = proved(rules, Lying(lambda value: Values(([],)) if value.get("size") == "x" else None), large=LARGE)
    assert not entry.alike and entry.shown_by is not None and entry.shown_by[0] == {"size": "x"}


def test_a_body_that_no_input_reaches_was_never_compared() -> None:
    entry = proved(RULES + 'deny_never contains "x" if input.never == "so that this is true"\n', small=SMALL)
    assert entry.alike, "what a rule compares with is put in"
    rules = RULES + 'deny_never contains "x" if {\n\tinput.a == 1\n\tinput.b == 2\n\tinput.c == 3\n}\n'
    entry = proved(rules, small=SMALL)
    assert not entry.alike
    assert "reaches the body at policy/packs/p/p.rego:6: add a fixture that does" in str(entry.why)
    assert proved(rules, small=SMALL, c="name: c\ninput: {a: 1, b: 2, c: 3}\nexpect: {deny: [p/never]}\n").alike


def test_without_fixtures() -> None:
    entry = proved()
    assert (entry.alike, entry.asked) == (False, 0)
    assert "no fixtures" in str(entry.why)


def test_what_was_a_fixture_before_is_asked_as_well() -> None:
    """A change that removes the fixture that shows a difference does not remove the difference."""
    second = loses_deny(lambda value: value.get("odd") == "one")
    assert proved(second=second, large=LARGE).alike
    before = proved(second=second, also=({"size": 9, "odd": "one"},), large=LARGE)
    assert not before.alike and before.shown_by is not None
    assert before.asked == proved(second=second, large=LARGE).asked


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("x := opa.runtime()", "opa.runtime is no builtin"),
        ('x := http.send({"method": "get", "url": "http://acme.example/"})', "http.send is no builtin"),
        ('x := json.match_schema(input, {"$ref": "http://acme.example/x"})', "json.match_schema"),
        ("x := loop", "recursion"),
        ('print(numbers.range(1, 30000000))\n\tx := "a"', "print"),
        ("x := input.size with input as {}", "`with` is not supported"),
        ('x := regex.split("[.]", input.size)', "regex.split"),
        ("x := y", "y"),
    ],
)
def test_a_pack_that_reaches_out_or_is_no_rego(body: str, says: str) -> None:
    rules = f"package p\nimport rego.v1\ndeny_x contains x if {{\n\t{body}\n}}\n\nloop := x if x := deny_x\n"
    entry = proved(rules if "loop" in body else rules.partition("\nloop")[0], large=LARGE)
    assert not entry.alike
    assert says in str(entry.why), entry.why
    assert entry.equal == 0


@pytest.mark.parametrize(
    ("module", "rule"),
    [
        ("package maestro_adapter_1\n\nviolation := set()\n", "mc.policy/package"),
        ("package p.q\n\nimport data.maestro_inputs_1\n\nx := 1\n", None),
    ],
)
def test_the_adapters_namespace_is_not_for_packs(module: str, rule: str | None) -> None:
    files = {"policy/packs/p/p.rego": RULES, "policy/packs/p/more.rego": module}
    found = load(files)
    assert {problem.rule.id for problem in found.problems if problem.rule.mode == "enforce"} == (
        {rule} if rule else set()
    )
    assert len(found.packs) == (0 if rule else 1)


def test_two_packs_with_one_namespace_are_none() -> None:
    found = load({"policy/packs/a/p.rego": RULES, "policy/packs/b/p.rego": RULES})
    assert found.packs == ()
    assert [problem.rule.id for problem in found.problems if problem.location != Location("")][-1] == (
        "mc.policy/same_namespace"
    )


def test_the_digest_is_that_of_the_program() -> None:
    files: dict[str, str | bytes] = {"policy/packs/p/p.rego": RULES}
    (pack,) = load(files).packs
    assert proved(large=LARGE).program == program_digest(pack.program())
