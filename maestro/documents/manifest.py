"""Kind ``Manifest``: what is to be executed, where it may run and what it may reach."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from maestro.documents.fields import (
    API_VERSION,
    Argument,
    Duration,
    Host,
    Image,
    Line,
    Memory,
    Millicpu,
    Name,
    Omittable,
    SecretSource,
    StrictModel,
    Tag,
    VariableName,
)
from maestro.documents.metadata import OwnedMetadata
from maestro.documents.relation import Relation

Class = Literal["batch", "warm"]


class Secret(StrictModel):
    """A reference, never the secret."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"from": "env:DB_URL"}]})

    from_: SecretSource = Field(alias="from", description="Resolved by the driver at start", examples=["env:DB_URL"])


class Array(StrictModel):
    """One execution for every index from 0."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"size": 5}]})

    size: int = Field(ge=1, le=10_000, description="How many executions")


class ManifestSpec(StrictModel):
    """At least ``image`` or ``command``; ``retries`` above 0 need ``idempotent``."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [{"required": ["image"]}, {"required": ["command"]}],
            "if": {"required": ["retries"], "properties": {"retries": {"minimum": 1}}},
            "then": {"required": ["idempotent"], "properties": {"idempotent": {"const": True}}},
        }
    )

    image: Omittable[Image] = Field(
        default=None, description="What a cloud runs", examples=["ghcr.io/acme/report@sha256:" + "0" * 64]
    )
    command: Omittable[Annotated[tuple[Argument, ...], Field(strict=False, min_length=1)]] = Field(
        default=None,
        description="What the local driver runs: the program and its arguments",
        examples=[["report", "--day"]],
    )
    args: Annotated[tuple[Argument, ...], Field(strict=False)] = Field(
        default=(), description="Further arguments, after the command or to the image's entrypoint"
    )
    env: dict[VariableName, Argument] = Field(default={}, description="The environment; quote numbers")
    secrets: dict[VariableName, Secret] = Field(
        default={}, description="Variables whose value is a secret", examples=[{"DB_URL": {"from": "env:DB_URL"}}]
    )
    cpu: Omittable[Millicpu] = Field(default=None, description="Cores, or thousandths of one", examples=[2, "500m"])
    memory: Omittable[Memory] = Field(default=None, description="Memory", examples=["512Mi"])
    timeout: Duration = Field(
        default=3600,
        description="After this everything the execution started is ended; 1h unless given",
        examples=["10m"],
        json_schema_extra={"default": "1h"},
    )
    retries: int = Field(default=0, ge=0, le=10, description="Further attempts after a failure; needs idempotent")
    idempotent: bool = Field(default=False, description="Whether running it twice does no harm")
    array: Omittable[Array] = Field(default=None, description="Many executions of one manifest")
    class_: Class = Field(
        default="batch", alias="class", description="batch waits for a place, warm has one kept ready"
    )
    pool: Omittable[Name] = Field(
        default=None, description="Name of the Pool to run in; placement chooses unless given"
    )
    region: Omittable[Name] = Field(default=None, description="Region to run in; placement chooses unless given")
    residency: Annotated[tuple[Tag, ...], Field(strict=False)] = Field(
        default=(), description="Regions or countries that the data may not leave", examples=[["eu"]]
    )
    export_control: Omittable[Tag] = Field(default=None, description="Export-control class", examples=["EAR99"])
    egress: Annotated[tuple[Host, ...], Field(strict=False)] = Field(
        default=(), description="Hosts that may be reached, nothing else", examples=[["db.acme.example:5432"]]
    )
    cost_centre: Omittable[Line] = Field(default=None, description="Where the cost is booked", examples=["cc-4711"])


class Manifest(StrictModel):
    """A job or service to execute once it is merged."""

    model_config = ConfigDict(title="Manifest")

    apiVersion: Literal["maestro-conductor/v1"] = Field(description=f"Always {API_VERSION}")  # noqa: N815 - the document's own key
    kind: Literal["Manifest"] = Field(description="What this document is")
    metadata: OwnedMetadata
    spec: ManifestSpec


def relations(spec: dict[str, Any]) -> Iterator[Relation]:
    """What fields of a manifest's ``spec`` ask of each other."""
    if "image" not in spec and "command" not in spec:
        yield Relation((), "needs `image` or `command`, or both", "say what is to be executed", missing=True)
    retries = spec.get("retries")
    if isinstance(retries, int) and retries > 0 and spec.get("idempotent") is not True:
        yield Relation(
            ("retries",),
            "is above 0, which needs `idempotent: true`",
            "add `idempotent: true` if running twice does no harm",
        )
    env, secrets = spec.get("env"), spec.get("secrets")
    for field, names in (("env", env), ("secrets", secrets)):
        for name in names if isinstance(names, dict) else ():
            if name.startswith("MAESTRO_"):
                yield Relation((field, name), "is reserved: variables that begin with MAESTRO_ are set by the driver")
            if field == "secrets" and isinstance(env, dict) and name in env:
                yield Relation((field, name), "is also given in spec.env", "keep one of the two")
