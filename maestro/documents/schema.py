"""JSON Schema (2020-12) of every kind, generated from the models."""

from __future__ import annotations

import functools
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from maestro.documents.fields import refuse_null
from maestro.documents.kinds import KINDS, Kind

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class ExactSchema(GenerateJsonSchema):
    """What the models accept and no more: a field may be absent but not null, a key that fits no pattern is refused."""

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        """A field that may be left out has its type, not also null."""
        inner = schema["schema"]
        if schema["function"]["function"] is refuse_null and inner["type"] == "nullable":
            return self.generate_inner(inner["schema"])
        return super().function_before_schema(schema)

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """No ``default: null``: it would be refused."""
        generated = super().default_schema(schema)
        if generated.get("default", 0) is None:
            del generated["default"]
        return generated

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """Keys outside of the pattern are refused."""
        generated = super().dict_schema(schema)
        if "patternProperties" in generated:
            generated["additionalProperties"] = False
        return generated

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401, ARG002
        """A title that only repeats the key says nothing."""
        return False


def schema(kind: Kind) -> dict[str, Any]:
    """The schema of one kind, complete in itself."""
    return {"$schema": DIALECT, **_generated(kind)}


def schema_all() -> dict[str, Any]:
    """One schema for any document of ours: what an editor maps to ``manifests/**`` and the like."""
    return {
        "$schema": DIALECT,
        "title": "Maestro Conductor document",
        "type": "object",
        "required": ["apiVersion", "kind"],
        "properties": {"kind": {"enum": list(KINDS)}},
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
                "then": {"$ref": f"#/$defs/{kind}"},
            }
            for kind in KINDS
        ],
        "$defs": _all_definitions(),
    }


@functools.cache
def _generated(kind: Kind) -> dict[str, Any]:
    return KINDS[kind].model.model_json_schema(by_alias=True, schema_generator=ExactSchema)


@functools.cache
def _all_definitions() -> dict[str, Any]:
    # One flat table of definitions: editors do not follow an embedded `$id`.
    definitions: dict[str, Any] = {}
    for kind in KINDS:
        generated = dict(_generated(kind))
        for name, definition in generated.pop("$defs", {}).items():
            if definitions.setdefault(name, definition) != definition:
                raise ValueError(f"two definitions are called {name}")
        definitions[kind] = generated
    return definitions
