"""Governed files: what is valid, and what is said of what is not."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from maestro.documents import Document, Problem, parse
from maestro.documents.edit import apply
from maestro.documents.flag import Flag
from maestro.documents.kinds import KINDS
from maestro.documents.manifest import Manifest
from maestro.documents.show import show
from tests.maestro.documents.test_reading import JSON_VALUES

ASSETS = Path(__file__).parents[2] / "assets" / "documents"
GOOD = sorted(ASSETS.glob("ok-*.yaml"))
BAD = sorted(ASSETS.glob("bad-*.yaml"))


def _line(problem: Problem) -> str:
    place = problem.location
    fix = "; ".join(repr(edit.text) for edit in problem.fix.edits) if problem.fix else "-"
    rule = problem.rule.id.removeprefix("mc.documents/")
    span = f"{place.line}:{place.column}-{place.end_line}:{place.end_column}"
    return f"{span} {rule} {problem.message} | {problem.remedy} | {fix}"


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_good_documents(path: Path) -> None:
    parsed = parse(path.name, path.read_bytes())
    assert [problem.rule.mode for problem in parsed.problems if problem.rule.mode == "enforce"] == []
    assert parsed.documents
    for document in parsed.documents:
        assert document.subject == f"{document.kind}/{document.name}"
        assert document.path == path.name
        name = document.locate(["metadata", "name"])
        assert path.read_text("utf-8-sig").splitlines()[name.line - 1][name.column - 1 :].startswith(document.name)


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_bad_documents(path: Path, snapshot: SnapshotAssertion) -> None:
    parsed = parse(path.name, path.read_bytes())
    assert any(problem.rule.mode == "enforce" for problem in parsed.problems)
    assert "\n".join(_line(problem) for problem in parsed.problems) == snapshot


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_the_fixes_of_one_file_go_together_and_take_their_problems_away(path: Path) -> None:
    before = parse(path.name, path.read_bytes())
    fixable = [problem for problem in before.problems if problem.fix is not None]
    text = path.read_bytes().decode()
    edits = [edit for problem in fixable if problem.fix for edit in problem.fix.edits]
    after = parse(path.name, apply(text, edits).encode())
    left = {(problem.pointer, problem.message) for problem in after.problems}
    assert [problem.message for problem in fixable if (problem.pointer, problem.message) in left] == []


def test_units_of_the_typed_document() -> None:
    (document,) = parse("x.yaml", (ASSETS / "ok-manifest-full.yaml").read_bytes()).documents
    assert isinstance(document.model, Manifest)
    spec = document.model.spec
    assert (spec.cpu, spec.memory, spec.timeout, spec.class_) == (1500, 512 << 20, 600, "warm")
    assert spec.secrets["DB_URL"].from_ == "env:DB_URL"
    assert (document.owner, document.tenant) == ("@acme/data", "acme")


def test_a_flag_may_lack_owner_and_ttl() -> None:
    (document,) = parse("x.yaml", (ASSETS / "ok-flag-without-owner-and-ttl.yaml").read_bytes()).documents
    assert isinstance(document.model, Flag)
    assert (document.owner, document.tenant, document.model.spec.ttl) == (None, None, None)


def test_a_relative_ttl_says_its_days() -> None:
    (problem,) = parse("x.yaml", (ASSETS / "bad-relative-ttl.yaml").read_bytes()).problems
    assert (problem.days, problem.pointer, problem.subject) == (30, "/spec/ttl", "Flag/a")


def test_a_good_document_beside_a_bad_one_remains() -> None:
    good = (ASSETS / "ok-flag-smallest.yaml").read_bytes()
    parsed = parse("x.yaml", good + b"---\nkind: Flagg\n")
    assert [document.subject for document in parsed.documents] == ["Flag/checkout-v2"]
    assert len(parsed.problems) == 1


def test_a_spoilt_document_is_not_handed_out() -> None:
    parsed = parse("x.yaml", (ASSETS / "bad-duplicate-key.yaml").read_bytes())
    assert parsed.documents == ()


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("cpu", [1, 0.5, "500m", 0.001], [0, -1, "0m", "1", "1.5m", 0.0001, True, None, [], 1e30]),
        ("memory", ["1Ki", "2Gi", "10M"], ["0Mi", "512", 512, "1.5Gi", "1mi", " 1Mi", None]),
        ("timeout", ["1s", "10m", "720h", "30d"], ["0s", "10", "1w", "31d", "1h30m", 60, None]),
        ("retries", [0], [-1, 11, 1.0, True, "1", None]),
        ("class", ["batch", "warm"], ["Batch", "", 1, None]),
        ("array", [{"size": 1}, {"size": 10000}], [{"size": 0}, {"size": 10001}, {}, {"size": 1, "x": 1}, 3, []]),
        ("egress", [[], ["a.example"], ["10.0.0.1:80"], ["*.a.example"]], [["a b"], ["http://x"], ["a:0"], "a", [1]]),
        ("env", [{}, {"A": "b"}, {"A": ""}], [{"A": 1}, {"1A": "b"}, {"A": "x\0y"}, {"MAESTRO_X": "y"}, []]),
        ("secrets", [{"A": {"from": "env:B"}}], [{"A": "env:B"}, {"A": {"from": "B"}}, {"A": {}}, {"a b": {}}]),
        ("residency", [["eu"], ["eu-west-1"]], [["e u"], "eu", [""]]),
        ("image", ["busybox", "ghcr.io/a/b@sha256:1"], ["", "--privileged", "a b", 1]),
        ("command", [["a"]], [[], [1], "a", ["a\0b"]]),
    ],
)  # fmt: skip
def test_values_of_a_manifest(field: str, good: list[Any], bad: list[Any]) -> None:
    document = {
        "apiVersion": "maestro-conductor/v1",
        "kind": "Manifest",
        "metadata": {"name": "a", "tenant": "acme", "owner": "@acme/data"},
        "spec": {"command": ["x"], "image": "y"},
    }
    for value in good:
        text = json.dumps({**document, "spec": {**document["spec"], field: value}})  # type: ignore[dict-item]
        assert parse("x.yaml", text.encode()).problems == (), value
    for value in bad:
        text = json.dumps({**document, "spec": {**document["spec"], field: value}})  # type: ignore[dict-item]
        parsed = parse("x.yaml", text.encode())
        assert parsed.documents == (), value
        assert all((problem.pointer or "").startswith(f"/spec/{field}") for problem in parsed.problems), parsed.problems


@given(JSON_VALUES, st.sampled_from(list(KINDS)), st.sampled_from(["metadata", "spec"]))
def test_any_value_in_any_place_is_judged_without_a_crash(value: Any, kind: str, section: str) -> None:
    text = json.dumps({"apiVersion": "maestro-conductor/v1", "kind": kind, section: value})
    parsed = parse("x.yaml", text.encode())
    assert parsed.documents == ()
    for problem in parsed.problems:
        assert problem.message.isprintable()


@given(
    st.dictionaries(st.sampled_from(["name", "ttl", "type", "retries", "variants", "env"]), JSON_VALUES), JSON_VALUES
)
def test_every_problem_has_a_place_in_the_text(spec: Any, metadata: Any) -> None:
    for kind in KINDS:
        document = {"apiVersion": "maestro-conductor/v1", "kind": kind, "metadata": metadata, "spec": spec}
        text = json.dumps(document, indent=1)
        for problem in parse("x.yaml", text.encode()).problems:
            assert 1 <= problem.location.line <= text.count("\n") + 1


@given(JSON_VALUES)
def test_a_shown_value_is_short_and_on_one_line(value: Any) -> None:
    shown = show(value)
    assert shown.isprintable()
    assert len(shown) < 700


def test_documents_are_values() -> None:
    one, other = (parse("x.yaml", GOOD[0].read_bytes()).documents for _ in range(2))
    assert isinstance(one[0], Document)
    assert one[0].model == other[0].model
