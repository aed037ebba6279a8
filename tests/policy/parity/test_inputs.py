from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from maestro import canonical_json
from policy.parity.inputs import (
    MOST,
    changed,
    constants_of,
    derived,
    digest_of,
    inputs_of,
    shipped_files,
    shipped_packs,
)
from tests.policy.engines.test_smallest import JSON
from tests.policy.memory_files import MemoryFiles, load

RULES = """\
package p

import rego.v1

deny contains "few" if input.spec.replicas < 2
deny contains "old" if input.spec.until == "2026-12-01"
deny contains "name" if {
	some name in input.names
	name.text in ["bad", "worse"]
}
"""
FIXTURE = {"spec": {"replicas": 3, "until": "2026-11-30"}, "names": [{"text": "good"}], "ignored": {"by": "all"}}


def asked(fixture: Any = FIXTURE, rules: str = RULES) -> list[Any]:
    return derived([fixture], {"p.rego": rules.encode()})


def spec(replicas: Any) -> dict[str, Any]:
    return {**FIXTURE, "spec": {**FIXTURE["spec"], "replicas": replicas}}  # type: ignore[dict-item]


def test_every_field_in_every_way() -> None:
    found = asked()
    for replicas in (None, True, "x", ["x"], {"x": "y"}, "", 0, [], {}, 1, 2, 3, 2**53 + 1, -(2**53) - 1, "\u00e9"):
        assert spec(replicas) in found, replicas
    assert {**FIXTURE, "spec": {"until": "2026-11-30"}} in found, "absent"
    found = [value for value in found if isinstance(value, dict)]
    days = {str(value["spec"].get("until")) for value in found if isinstance(value.get("spec"), dict)}
    assert {"2026-11-29", "2026-12-01", "2026-02-30", "2026-11-30\u00e9"} <= days
    names = [value.get("names") for value in found]
    others: tuple[Any, ...] = ([], [{}], [{"text": "bad"}], [{"text": "good"}] * 2, None, "x")
    for wanted in others:
        assert wanted in names, wanted


def test_what_the_rules_cannot_see_is_left_as_it_is() -> None:
    ignored = [value["ignored"] for value in asked() if isinstance(value, dict) and "ignored" in value]
    assert len(ignored) > 100 and all(one == {"by": "all"} for one in ignored)


def test_a_field_that_no_fixture_has_is_put_in() -> None:
    found = asked({"other": 1})
    assert {"other": 1, "spec": {}} in found
    assert {"other": 1, "names": ["x"]} in found
    deeper = asked({"spec": {}})
    assert {"spec": {"replicas": 2**53 + 1}} in deeper
    assert {"spec": {"replicas": 1}} in deeper, "one less than the constant of the rule"
    assert {"spec": {"until": "2026-12-01"}} in deeper, "the constant of the rule"


def test_the_same_files_give_the_same_inputs() -> None:
    assert digest_of(asked()) == digest_of(asked(json.loads(json.dumps(FIXTURE))))
    assert digest_of(asked()) != digest_of(asked({**FIXTURE, "more": 1}))


def test_each_change_of_each_place_before_any_twice() -> None:
    fixtures = [spec(number) for number in range(400)]
    found = derived(fixtures, {"p.rego": RULES.encode()})
    assert len(found) == MOST
    assert found[:400] == fixtures
    assert any(isinstance(value, dict) and value.get("names") == [{"text": "worse"}] for value in found)
    more = [spec(number) for number in range(700)]
    assert len(derived(more, {"p.rego": RULES.encode()})) == 700, "no fixture is lost"


def test_no_input_twice() -> None:
    written = [canonical_json.dumps(value) for value in asked()]
    assert len(written) == len(set(written))


def test_constants() -> None:
    found = constants_of({"p.rego": b'package p\nx := 10\ny := 0.5\nz := "a" # 7\nw := `raw`\nv := "a\\nb"\n'})
    assert found.numbers == (0.5, 10)
    assert found.texts == ("a", "raw")


@given(JSON, st.lists(st.text(max_size=2) | st.integers(0, 3), max_size=3))
def test_changing_leaves_the_original(value: Any, place: list[str | int]) -> None:
    before = canonical_json.dumps(value)
    if all(isinstance(part, str) for part in place):
        made = changed(value, tuple(place), "new")
        for part in place:
            made = made[part]
        assert made == "new"
    assert canonical_json.dumps(value) == before


@given(st.lists(JSON, max_size=3))
def test_any_fixture_will_do(fixtures: list[Any]) -> None:
    found = derived(fixtures, {"p.rego": RULES.encode()})
    assert len(found) <= max(MOST, len(fixtures))


def test_what_is_no_json_is_left_out() -> None:
    found = derived([float("nan"), {"a": "\ud800"}, {"names": []}], {"p.rego": RULES.encode()})
    assert found[0] == {"names": []}


def test_a_shipped_pack_has_our_fixtures_until_it_has_its_own() -> None:
    pack = next(pack for pack in shipped_packs() if pack.name == "mc.images")
    ours = inputs_of(shipped_files(), pack)
    files = {f"policy/packs/images/{name}": source for name, source in pack.modules.items()}
    (copy,) = load(files).packs
    assert inputs_of(MemoryFiles(files), copy) == ours
    commented = {name: source + b"# ours now\n" for name, source in files.items()}
    assert inputs_of(MemoryFiles(commented), load(commented).packs[0]) == ours
    own = files | {"policy/packs/images/fixtures/a.yaml": b"name: a\ninput: {manifest: 1}\nexpect: {deny: []}\n"}
    found = inputs_of(MemoryFiles(own), load(own).packs[0])
    assert found[0] == {"manifest": 1} and found != ours
    renamed = {name: source.replace(b"package mc.images", b"package acme.images") for name, source in files.items()}
    assert inputs_of(MemoryFiles(renamed), load(renamed).packs[0]) == []
