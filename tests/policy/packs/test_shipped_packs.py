"""The shipped packs: formatted, strict, tested, and judging every fixture as it says, on both engines alike."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.policy.packs.both_engines import PACKS, fixtures, modules, mutants, opa, regopy
from tests.support.tools import tool

NAMES = ("flags", "images", "placement")


def entrypoints(pack: str) -> list[str]:
    heads = re.findall(r"^(deny_\w+) contains", "\n".join(modules(pack).values()), re.MULTILINE)
    return [f"data.mc.{pack}.{name}" for name in dict.fromkeys(heads)] or [f"data.mc.{pack}.decision"]


@pytest.mark.parametrize(
    "argv", [["check", "--strict"], ["fmt", "--fail", "--list"], ["test"]], ids=["check", "fmt", "test"]
)
@pytest.mark.parametrize("pack", NAMES)
def test_opa_has_no_objection(pack: str, argv: list[str]) -> None:
    rego = [str(path) for path in sorted((PACKS / pack).glob("*.rego"))]
    assert f"{PACKS}/{pack}/{pack}_test.rego" in rego
    done = subprocess.run([tool("opa"), *argv, *rego], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("pack", ["flags", "images"])
def test_fixtures_are_denied_by_exactly_the_rules_they_name(pack: str, tmp_path: Path) -> None:
    cases = fixtures(pack)
    fired: dict[str, list[str]] = {name: [] for name in cases}
    for entrypoint in entrypoints(pack):
        answers = opa(modules(pack), entrypoint, [case["input"] for case in cases.values()], tmp_path)
        for name, (found,) in zip(cases, answers, strict=True):
            fired[name] += [f"mc.{pack}/{entrypoint.split('.deny_')[1]}"] * bool(found)
    assert {name: sorted(rules) for name, rules in fired.items()} == {
        name: sorted(case["expect"]["deny"]) for name, case in cases.items()
    }


def test_every_rule_is_reached_by_a_fixture() -> None:
    for pack in ("flags", "images"):
        named = {rule for case in fixtures(pack).values() for rule in case["expect"]["deny"]}
        assert named == {f"mc.{pack}/{name.split('.deny_')[1]}" for name in entrypoints(pack)}
    decisions = [case["expect"]["decision"] for case in fixtures("placement").values()]
    constraints = re.search(r"constraints := \[(.*?)\]", modules("placement")["placement.rego"], re.DOTALL)
    assert constraints is not None
    assert set(re.findall(r'"(\w+)"', constraints[1])) | {"request", "no_pools"} == {
        decision["reason"] for decision in decisions if not decision["allow"]
    }


def test_placement_decides_as_its_fixtures_say(tmp_path: Path) -> None:
    cases = fixtures("placement")
    answers = opa(
        modules("placement"), "data.mc.placement.decision", [case["input"] for case in cases.values()], tmp_path
    )
    for (name, case), (decision,) in zip(cases.items(), answers, strict=True):
        expected = case["expect"]["decision"]
        assert {key: decision.get(key) for key in expected} == expected, name
        if decision["allow"]:
            assert decision == expected, name
        else:
            assert decision["message"] and decision["remedy"], name


def sample(pack: str) -> list[Any]:
    """Inputs to compare on: every fixture, and mutants of telling ones."""
    cases = {name: case["input"] for name, case in fixtures(pack).items()}
    telling = {
        "flags": ["ok-new", "bad-changed-and-expired"],
        "images": ["ok-tag-and-digest", "bad-both"],
        "placement": ["bad-residency"],
    }[pack]
    return [*cases.values(), *(mutant for name in telling for mutant in mutants(cases[name]))]


@pytest.mark.parametrize("pack", NAMES)
def test_both_engines_answer_alike(pack: str, tmp_path: Path) -> None:
    inputs = sample(pack)
    for entrypoint in entrypoints(pack):
        ours = opa(modules(pack), entrypoint, inputs, tmp_path)
        theirs = regopy(modules(pack), entrypoint, inputs)
        for value, one, other in zip(inputs, ours, theirs, strict=True):
            assert one == other, f"{entrypoint} differs for {value}"
        assert any(answer != ours[0] for answer in ours), "the sample must tell answers apart"
