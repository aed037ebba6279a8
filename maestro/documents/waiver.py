"""Kind ``Waiver``: one finding does not block until a date."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from maestro.documents.fields import API_VERSION, Date, Line, Prose, RuleId, StrictModel
from maestro.documents.metadata import Metadata


class WaiverSpec(StrictModel):
    """Which finding, until when, why."""

    rule: RuleId = Field(description="The rule's id", examples=["mc.flags/missing_ttl"])
    subject: Line = Field(description="The finding's subject, as reports show it", examples=["Flag/checkout-v2"])
    until: Date = Field(description="The last day, inclusive, UTC")
    reason: Prose = Field(description="Why")


class Waiver(StrictModel):
    """A finding that is waived."""

    model_config = ConfigDict(title="Waiver")

    apiVersion: Literal["maestro-conductor/v1"] = Field(description=f"Always {API_VERSION}")  # noqa: N815 - the document's own key
    kind: Literal["Waiver"] = Field(description="What this document is")
    metadata: Metadata
    spec: WaiverSpec
