from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.engines.engine import Broken
from policy.fixtures import Fixture, FixtureProblem, judge, read_fixtures
from policy.pack import Pack
from tests.policy.engines.conftest_here import conftest_engine
from tests.policy.memory_files import MemoryFiles, pack_of

REGO = """# METADATA
# custom: {mode: MODE, match: ["x"]}
package p

deny_owner contains "no owner" if not input.owner
deny_many contains {"msg": msg, "rule": "too_many"} if {
	input.count > 3
	msg := sprintf("%d are too many", [input.count])
}
warn_old contains "old" if input.old
"""
PLACING = """# METADATA
# custom: {input: placement-request}
package p

decision := {"allow": true, "pool": "a", "size": 1} if input.ok
else := {"allow": false, "reason": "no_pool", "message": "there is no pool"}
"""


def pack(mode: str = "enforce") -> Pack:
    return pack_of(REGO.replace("MODE", mode))


def read(*files: str, of: Pack | None = None) -> tuple[list[Fixture], list[FixtureProblem]]:
    named = {f"policy/packs/p/fixtures/f{number}.yaml": text for number, text in enumerate(files)}
    return read_fixtures(MemoryFiles(named), of or pack())


def fixture(expect: str, given_input: str = "{}", name: str = "one") -> str:
    return f"name: {name}\ninput: {given_input}\nexpect: {expect}\n"


def problems(*files: str, of: Pack | None = None) -> list[tuple[str, int, int, str | None]]:
    _, found = read(*files, of=of)
    return [(one.message, one.location.line, one.location.column, one.remedy) for one in found]


def test_several_documents_and_folders_are_read() -> None:
    files = MemoryFiles(
        {
            "policy/packs/p/fixtures/a.yaml": fixture("{deny: []}") + "---\n" + fixture("{deny: []}", name="two"),
            "policy/packs/p/fixtures/deep/b.json": '{"name": "three", "input": 1, "expect": {"warn": []}}',
            "policy/packs/p/fixtures/README.md": "none",
            "policy/packs/q/fixtures/a.yaml": "of another pack",
        }
    )
    found, wrong = read_fixtures(files, pack())
    assert wrong == []
    assert [(one.name, one.location.path[24:], one.location.line) for one in found] == [
        ("one", "a.yaml", 1),
        ("two", "a.yaml", 5),
        ("three", "deep/b.json", 1),
    ]


def test_a_key_that_is_unknown_or_missing() -> None:
    shape = "a fixture has `name` (a sentence), `input` (what the pack is given) and `expect` {deny, warn, decision}"
    assert problems("name: one\ninputs: {}\nexpect: {deny: []}\n") == [
        ("a fixture has no key 'inputs'", 2, 1, "did you mean 'input'?"),
        ("the fixture has no 'input'", 1, 1, shape),
    ]
    assert problems("name: one\ninput: {}\n") == [("the fixture has no 'expect'", 1, 1, shape)]
    assert problems(fixture("{denies: []}")) == [("`expect` has no key 'denies'", 3, 10, "did you mean 'deny'?")]
    assert problems(fixture("{}"))[0][0] == "`expect` holds at least one of deny, warn, decision"
    assert problems("- 1\n") == [("a fixture is a mapping of keys to values", 1, 1, shape)]
    assert problems("") == [("this file holds no document", 1, 1, None)]
    assert problems("name: 7\ninput: 1\nexpect: {deny: []}\n") == [("`name` is a text", 1, 7, None)]
    assert problems(fixture("{deny: [p/owner]}").replace("one", "''"))[0][0] == "`name` is a text"


def test_a_plain_document_is_told_what_a_fixture_is() -> None:
    found = problems("apiVersion: v1\nkind: Deployment\n")
    assert [message for message, *_ in found] == [
        "a fixture has no key 'apiVersion'",
        "a fixture has no key 'kind'",
        "the fixture has no 'name'",
        "the fixture has no 'input'",
        "the fixture has no 'expect'",
    ]


def test_what_is_no_yaml() -> None:
    [(message, line, column, _)] = problems("name: one\ninput: {a: [1, 2\n")
    assert (line, column) == (3, 1) or line >= 2, message
    assert problems("name: one\nname: two\ninput: 1\nexpect: {deny: []}\n")[0][1:3] == (2, 1)


def test_a_name_belongs_to_one_fixture() -> None:
    found, _ = read(fixture("{deny: []}"), fixture("{deny: []}"))
    assert len(found) == 1
    assert problems(fixture("{deny: []}"), fixture("{deny: []}")) == [
        (
            "the name 'one' is that of the fixture policy/packs/p/fixtures/f0.yaml:1 as well",
            1,
            1,
            "give each fixture a name of its own",
        )
    ]


def test_a_rule_that_there_is_not() -> None:
    assert problems(fixture("{deny: [p/ownr]}")) == [("p has no rule 'p/ownr'", 3, 17, "did you mean p/owner?")]
    assert problems(fixture("{deny: [owner]}")) == [("p has no rule 'owner'", 3, 17, "did you mean p/owner?")]
    assert problems(fixture("{warn: [p/owner]}")) == [("p/owner is not a warn rule", 3, 17, "list it under `deny`")]
    assert problems(fixture("{deny: [p/too_many]}")) == []
    assert problems(fixture("{deny: p/owner}"))[0][0] == "`deny` is a list of rule ids, such as [p/…]"
    assert problems(fixture("{deny: [7]}"))[0][0] == "a rule id is a text"
    assert problems(fixture("{decision: {allow: true}}"))[0][0] == "p has no rule `decision`"
    assert problems(fixture("{decision: 1}"), of=pack_of(PLACING))[0][0].startswith("`decision` is a mapping")


def test_a_computed_id_may_be_any() -> None:
    computed = pack_of(REGO.replace("MODE", "warn").replace('"rule": "too_many"', '"rule": input.rule'))
    assert problems(fixture("{deny: [p/whatever]}"), of=computed) == []


def test_a_link_is_no_fixture() -> None:
    path = "policy/packs/p/fixtures/a.yaml"
    _, [problem] = read_fixtures(MemoryFiles({path: fixture("{deny: []}")}, links=[path]), pack())
    assert problem.message == "the fixture is a link, not a file"


@given(st.text(max_size=60) | st.text(st.sampled_from("nameinputexpect: {}[]\n-,"), max_size=80))
def test_any_text_is_a_fixture_or_a_problem(text: str) -> None:
    found, wrong = read(text.encode("utf-8", "replace").decode())
    assert found or wrong


def differences(expect: str, given_input: str, mode: str = "enforce") -> tuple[str, ...]:
    of = pack(mode)
    found, wrong = read(fixture(expect, given_input), of=of)
    assert wrong == []
    [judged] = judge(of, found, conftest_engine())
    assert judged.error is None
    return judged.differences


@pytest.mark.parametrize("mode", ["enforce", "warn", "shadow"])
def test_what_was_expected_whatever_the_mode(mode: str) -> None:
    assert differences("{deny: [p/owner, p/too_many], warn: [p/old]}", "{count: 4, old: true}", mode) == ()
    assert differences("{deny: []}", "{owner: a}", mode) == ()
    assert differences("{deny: [p/owner]}", "{count: 4, owner: a, old: true}", mode) == (
        "- deny p/owner: it was expected, and stays silent",
        "+ deny p/too_many: 4 are too many",
        "+ warn p/old: old",
    )


def test_of_a_decision_what_is_given_is_compared() -> None:
    of = pack_of(PLACING)
    found, wrong = read(
        fixture("{decision: {allow: true, pool: b, zone: x}}", "{ok: true}"),
        fixture("{decision: {allow: true}}", "{}", "two"),
        fixture("{decision: {allow: false, reason: no_pool}}", "{}", "three"),
        fixture("{decision: {size: true}}", "{ok: true}", "four"),
        of=of,
    )
    assert wrong == []
    assert [one.differences for one in judge(of, found, conftest_engine())] == [
        ('- decision.pool: "b"', '+ decision.pool: "a"', '- decision.zone: "x"', "+ decision.zone: not there"),
        ("- decision.allow: true", "+ decision.allow: false", "  because p/no_pool: there is no pool"),
        (),
        ("- decision.size: true", "+ decision.size: 1"),
    ]


def test_an_error_is_never_as_expected() -> None:
    of = pack_of(REGO.replace("MODE", "enforce").replace("input.count > 3", "to_number(input.count) > 3"))
    found, _ = read(fixture("{deny: []}", "{owner: a, count: x}"), fixture("{deny: []}", "{owner: a}", "two"), of=of)
    one, two = judge(of, found, conftest_engine())
    assert not one.passed
    assert one.error_kind == "builtin"
    assert one.error is not None and "policy/packs/p/p.rego:7" in one.error
    assert two.passed


def test_one_evaluation_serves_all() -> None:
    class Counting:
        name, version = "counting", "1"
        calls = 0

        def evaluate(self, program: Any, inputs: Any) -> list[Any]:
            self.calls += 1
            return [Broken("nobody knows", "crash") for _ in inputs]

    of = pack_of(PLACING)
    found, _ = read(*[fixture("{decision: {allow: true}}", name=f"f{number}") for number in range(20)], of=of)
    engine = Counting()
    assert {one.error_kind for one in judge(of, found, engine)} == {"crash"}
    assert engine.calls == 1
