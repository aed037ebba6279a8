from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from policy.diff.references import input_paths, looked_at
from tests.support.tools import tool

CASES = {
    "deny if input.spec.image": {("spec", "image")},
    'deny if input["spec"]["a b"].c': {("spec", "a b", "c")},
    "deny if input.spec[_].image": {("spec",)},
    "deny if input.xs[0].image": {("xs",)},
    'deny if input[x] == "a"': {()},
    "deny if f(input)": {()},
    'deny if object.get(input, "a", 1) == 1': {()},
    "deny if walk(input.a, [p, v])": {("a",)},
    "deny if { some k, v in input; k }": {()},
    'deny if data.other.input == "x"': set(),
    'deny if "input.spec" == "x" # input.comment': set(),
    'deny if input["sp\\u0065c"] == 1': {()},
    "deny if p with input as input.inner": {(), ("inner",)},
}


@pytest.mark.parametrize("text", CASES)
def test_references(text: str) -> None:
    assert input_paths({"m.rego": f"package a\n\n{text}\n".encode()}) == CASES[text]


def test_an_import_is_a_reference() -> None:
    assert input_paths({"m": b"package a\n\nimport input.spec as s\nimport input as i\n"}) == {("spec",), ()}


@pytest.mark.parametrize(
    ("missing", "expected"),
    [(("spec", "image", "tag"), True), (("spec",), True), (("spec", "env"), False), ((), True), (("metadata",), False)],
)
def test_what_is_looked_at(missing: tuple[str, ...], expected: bool) -> None:
    assert looked_at({("spec", "image")}, missing) is expected


def _opa_refs(value: object) -> set[tuple[str, ...]]:
    """The references below input as `opa parse` has them, each up to its first part that is no string."""
    found: set[tuple[str, ...]] = set()
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            parts = item.get("value") if item.get("type") == "ref" else None
            if isinstance(parts, list) and parts[0].get("value") == "input":
                path: list[str] = []
                for part in parts[1:]:
                    if part["type"] != "string":
                        break
                    path.append(part["value"])
                found.add(tuple(path))
                pending.extend(parts[1:])
                continue
            if item.get("type") == "var" and item.get("value") == "input":
                found.add(())
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
    return found


@pytest.mark.parametrize("name", ["flags", "images", "placement"])
def test_as_opa_reads_our_packs(name: str) -> None:
    path = Path(__file__).parents[3] / f"policy/packs/{name}/{name}.rego"
    done = subprocess.run([tool("opa"), "parse", "--format", "json", str(path)], capture_output=True, check=True)
    assert input_paths({"m": path.read_bytes()}) == _opa_refs(json.loads(done.stdout))
