"""Kind ``Flag``: a feature flag, in flagd's words, with an owner and an end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from maestro.documents.fields import API_VERSION, Date, Omittable, Prose, StrictModel, VariantName
from maestro.documents.metadata import Metadata
from maestro.documents.relation import Relation

FlagType = Literal["release", "experiment", "operational", "kill-switch", "permission"]


class Extension(StrictModel):
    """A longer life, and why."""

    to: Date = Field(description="The new last day")
    reason: Prose = Field(description="Why it is needed longer")


class FlagSpec(StrictModel):
    """``ttl`` may be absent here: that is a finding of the pack ``mc.flags``, not of the form."""

    type: FlagType = Field(description="What the flag is for; decides how long it may live")
    ttl: Omittable[Date] = Field(default=None, description="The last day, inclusive, UTC", examples=["2027-02-01"])
    notes: Omittable[Prose] = Field(default=None, description="How it is rolled out")
    state: Literal["ENABLED", "DISABLED"] = Field(
        default="ENABLED", description="A disabled flag gives its code default"
    )
    variants: dict[VariantName, Any] = Field(
        default={}, description="Values by name, all of one type", examples=[{"on": True, "off": False}]
    )
    default_variant: Omittable[VariantName] = Field(default=None, description="The variant when no targeting applies")
    targeting: dict[str, Any] = Field(default={}, description="A JsonLogic rule that gives a variant's name (flagd)")
    extensions: Annotated[tuple[Extension, ...], Field(strict=False)] = Field(
        default=(), description="Every lengthening of the ttl with its reason"
    )


class Flag(StrictModel):
    """A feature flag."""

    model_config = ConfigDict(title="Flag")

    apiVersion: Literal["maestro-conductor/v1"] = Field(description=f"Always {API_VERSION}")  # noqa: N815 - the document's own key
    kind: Literal["Flag"] = Field(description="What this document is")
    metadata: Metadata
    spec: FlagSpec


_RELATIVE = re.compile(r"([1-9][0-9]{0,3})d")


def relative_days(value: object) -> int | None:
    """The days of a ttl like ``30d``; None when it is not of that form."""
    found = _RELATIVE.fullmatch(value) if isinstance(value, str) else None
    return int(found[1]) if found else None


def _type_of(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else "null"


def relations(spec: dict[str, Any]) -> Iterator[Relation]:
    """What fields of a flag's ``spec`` ask of each other."""
    variants = spec.get("variants")
    named = variants if isinstance(variants, dict) else {}
    if named:
        first = next(iter(named))
        for name, value in named.items():
            if _type_of(value) != _type_of(named[first]):
                yield Relation(
                    ("variants", name),
                    f"is {_type_of(value)}, but the variant before it, {first}, is {_type_of(named[first])}",
                    "give all variants values of one type",
                )
    default = spec.get("default_variant")
    if isinstance(default, str) and default not in named and (variants is None or isinstance(variants, dict)):
        yield Relation(("default_variant",), "names no variant of this flag", "use a name that stands in spec.variants")
