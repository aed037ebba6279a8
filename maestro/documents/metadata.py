"""What every document says of itself."""

from __future__ import annotations

from pydantic import Field

from maestro.documents.fields import LabelKey, Line, Name, Omittable, Owner, StrictModel


class Metadata(StrictModel):
    """Name, tenant, owner, labels."""

    name: Name = Field(description="Unique among the documents of its kind", examples=["nightly-report"])
    tenant: Omittable[Name] = Field(default=None, description="Who pays and whose data it is", examples=["acme"])
    owner: Omittable[Owner] = Field(
        default=None,
        description="A @user, @org/team or mail address that occurs in CODEOWNERS or in maestro.yaml's owners",
        examples=["@acme/data"],
    )
    labels: dict[LabelKey, Line] = Field(default={}, description="Free words for people and tools")


class OwnedMetadata(Metadata):
    """The same, where tenant and owner must be given."""

    tenant: Name = Field(description="Who pays and whose data it is", examples=["acme"])
    owner: Owner = Field(
        description="A @user, @org/team or mail address that occurs in CODEOWNERS or in maestro.yaml's owners",
        examples=["@acme/data"],
    )
