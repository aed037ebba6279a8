"""The JSON Schema and the models accept the same documents."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro.documents import parse, read
from maestro.documents.kinds import KINDS, Kind
from maestro.documents.schema import schema, schema_all

ASSETS = Path(__file__).parents[2] / "assets" / "documents"


def _validator(of: dict[str, Any]) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(of)


ALL = _validator(schema_all())
EACH = {kind: _validator(schema(kind)) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_is_one(kind: Kind) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(kind))
    jsonschema.Draft202012Validator.check_schema(schema_all())


@pytest.mark.parametrize("path", sorted(ASSETS.glob("ok-*.yaml")), ids=lambda path: path.stem)
def test_good_documents_fit_their_schema(path: Path) -> None:
    for document in parse(path.name, path.read_bytes()).documents:
        assert [error.message for error in EACH[document.kind].iter_errors(document.raw.value)] == []
        assert [error.message for error in ALL.iter_errors(document.raw.value)] == []


@pytest.mark.parametrize("path", sorted(ASSETS.glob("bad-*.yaml")), ids=lambda path: path.stem)
def test_what_the_schema_refuses_the_models_refuse(path: Path) -> None:
    valid = {document.raw.index for document in parse(path.name, path.read_bytes()).documents}
    for raw in read(path.name, path.read_bytes(), dialect="strict").documents:
        if not ALL.is_valid(raw.value):
            assert raw.index not in valid


def test_every_field_says_what_it_is() -> None:
    for kind in KINDS:
        generated = schema(kind)
        for name, definition in {**generated["$defs"], kind: generated}.items():
            for field, node in definition.get("properties", {}).items():
                assert "description" in node or "$ref" in node, f"{name}.{field}"


_FIELDS: dict[Kind, dict[str, st.SearchStrategy[Any]]] = {
    "Manifest": {
        "image": st.sampled_from(["busybox", "", "-x", 1, None]),
        "command": st.sampled_from([["a"], [], "a", [1], None]),
        "retries": st.sampled_from([0, 1, 10, 11, -1, True, "1", 1.5]),
        "idempotent": st.sampled_from([True, False, "yes", None]),
        "cpu": st.sampled_from([1, 0.5, "500m", 0, "0m", "x", None, True]),
        "memory": st.sampled_from(["1Gi", "1", 1, None]),
        "timeout": st.sampled_from(["1m", "0m", 1, None]),
        "array": st.sampled_from([{"size": 1}, {"size": 0}, {}, None, {"size": 1, "x": 1}]),
        "class": st.sampled_from(["batch", "x", None]),
        "env": st.sampled_from([{}, {"A": "b"}, {"A": 1}, {"1": "x"}, {"A": "\0"}]),
        "egress": st.sampled_from([["a.example:1"], ["a b"], "x"]),
    },
    "Flag": {
        "type": st.sampled_from(["release", "kill-switch", "Release", None, 1]),
        "ttl": st.sampled_from(["2027-02-01", "30d", "2027-2-1", 20270201, None]),
        "variants": st.sampled_from([{"on": True}, {"on": None}, {"": 1}, [], None]),
        "default_variant": st.sampled_from(["on", "", None]),
        "extensions": st.sampled_from([[], [{"to": "2027-02-01", "reason": "x"}], [{"to": "2027-02-01"}], [1]]),
        "typ": st.just("x"),
    },
    "Pool": {
        "cloud": st.sampled_from(["aws", "azure", None]),
        "region": st.sampled_from(["eu-1", "EU", "", None]),
        "classes": st.sampled_from([["batch"], [], ["x"], None]),
        "size": st.sampled_from([1, 0, 100001, "1", None]),
        "drained": st.sampled_from([True, "true", 1, None]),
    },
    "Waiver": {
        "rule": st.sampled_from(["mc.flags/x", "x", "", None]),
        "subject": st.sampled_from(["Flag/x", "", " ", "a\nb", None]),
        "until": st.sampled_from(["2027-02-01", "x", None]),
        "reason": st.sampled_from(["x", "", " ", None]),
    },
}


@given(st.sampled_from(list(KINDS)), st.data())
def test_schema_and_model_agree(kind: Kind, data: Any) -> None:
    """The model may only be stricter, and then by what fields ask of each other or by the calendar."""
    spec = data.draw(st.fixed_dictionaries({}, optional=_FIELDS[kind]))
    metadata = {"name": data.draw(st.sampled_from(["a", "A", ""])), "tenant": "acme", "owner": "@acme/data"}
    value = {"apiVersion": "maestro-conductor/v1", "kind": kind, "metadata": metadata, "spec": spec}
    import json

    parsed = parse("x.yaml", json.dumps(value).encode())
    fits = EACH[kind].is_valid(value)
    assert fits == ALL.is_valid(value)
    if not fits:
        assert parsed.documents == ()
    elif not parsed.documents:
        assert {problem.pointer for problem in parsed.problems} <= {
            "/spec/default_variant",
            "/spec/retries",
            "/spec/secrets/A",
        }
