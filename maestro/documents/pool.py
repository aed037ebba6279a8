"""Kind ``Pool``: a place where executions may run."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from maestro.documents.fields import API_VERSION, Name, StrictModel, Tag
from maestro.documents.manifest import Class
from maestro.documents.metadata import Metadata


class PoolSpec(StrictModel):
    """Where it is, what it offers, what it satisfies."""

    cloud: Literal["aws", "gcp", "local"] = Field(description="The engine behind it")
    region: Name = Field(description="The cloud's own name of the region", examples=["eu-central-1"])
    classes: Annotated[tuple[Class, ...], Field(strict=False, min_length=1)] = Field(description="What it offers")
    size: int = Field(ge=1, le=100_000, description="How many executions at once")
    drained: bool = Field(default=False, description="Nothing new is placed here while true")
    residency: Annotated[tuple[Tag, ...], Field(strict=False)] = Field(
        default=(), description="Residency tags that running here satisfies", examples=[["eu", "de"]]
    )
    export_control: Annotated[tuple[Tag, ...], Field(strict=False)] = Field(
        default=(), description="Export-control classes admitted here", examples=[["EAR99"]]
    )


class Pool(StrictModel):
    """A pool of capacity in one region of one cloud."""

    model_config = ConfigDict(title="Pool")

    apiVersion: Literal["maestro-conductor/v1"] = Field(description=f"Always {API_VERSION}")  # noqa: N815 - the document's own key
    kind: Literal["Pool"] = Field(description="What this document is")
    metadata: Metadata
    spec: PoolSpec
