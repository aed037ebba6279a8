"""layout.yaml: the steps of a release as their owner writes them; ``maestro chain layout`` makes a signed layout of it.

What no rule of a step names is refused (in-toto's DISALLOW stands at the end of every list), and a rule that names one
file instead of a pattern requires that file (REQUIRE): in-toto's rules alone let a step leave out what it took.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field

from maestro.config import Pattern, RepositoryPath, Time
from maestro.documents import rules
from maestro.documents.fields import Name, Omittable, Prose, StrictModel
from maestro.documents.pointer import dotted
from maestro.documents.refusal import Refusal
from maestro.documents.settings import Shape, read_settings, schema_of, usable

_VERBS: Final = ("match", "create", "modify", "allow")


class ArtifactRule(StrictModel):
    """One rule: exactly one verb, as in the in-toto specification 1.0, section 4.3.3."""

    match: Omittable[Pattern] = Field(
        default=None, description="Files that are what the step of `from` made", examples=["src/*"]
    )
    from_: Omittable[Name] = Field(default=None, alias="from", description="The step before", examples=["checkout"])
    create: Omittable[Pattern] = Field(default=None, description="Products that were no materials", examples=["dist/*"])
    modify: Omittable[Pattern] = Field(default=None, description="Products that were other materials")
    allow: Omittable[Pattern] = Field(default=None, description="Files that may be there and be anything")

    def required(self) -> str | None:
        """The file that has to be there."""
        named = self.match or self.create or self.modify
        return None if named is None or any(char in named for char in "*?[") else named

    def unpacked(self) -> list[str]:
        """In-toto's form of it."""
        if self.match is not None:
            return ["MATCH", self.match, "WITH", "PRODUCTS", "FROM", self.from_ or ""]
        [(verb, pattern)] = ((verb, getattr(self, verb)) for verb in _VERBS if getattr(self, verb) is not None)
        return [verb.upper(), pattern]


Rules = Annotated[tuple[ArtifactRule, ...], Field(strict=False)]


class LayoutStep(StrictModel):
    """A step: who signs that it was done, what it may take and make."""

    name: Name = Field(description="How its link is called", examples=["build"])
    keys: Annotated[tuple[RepositoryPath, ...], Field(strict=False, min_length=1)] = Field(
        description="Public keys (PEM files) that may sign its link", examples=[["keys/build.pub"]]
    )
    threshold: Omittable[Annotated[int, Field(ge=1, le=100)]] = Field(
        default=None, description="How many of the keys must have signed (default: all of them)"
    )
    materials: Rules = Field(default=(), description="What it takes; nothing else")
    products: Rules = Field(default=(), description="What it makes; nothing else")


class LayoutDocument(StrictModel):
    """The steps of a release, in order."""

    model_config = ConfigDict(title="layout.yaml")

    apiVersion: Literal["maestro-conductor/v1"] = Field(description="Always maestro-conductor/v1")  # noqa: N815
    kind: Literal["Layout"] = Field(description="What this document is")
    expires: Time = Field(description="From then on nothing is released by it", examples=["2027-06-30"])
    readme: Prose = Field(default="", validate_default=False, description="For whoever reads the signed layout")
    steps: Annotated[tuple[LayoutStep, ...], Field(strict=False, min_length=1)] = Field(description="In their order")


_SMALLEST = "it has apiVersion, kind: Layout, expires and steps (docs/guides/chain.md)"


def layout_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of layout.yaml."""
    return schema_of(LayoutDocument)


def load_layout(path: str, data: bytes) -> LayoutDocument:
    """The layout in ``data``.

    Raises:
        UsageError: everything wrong with it, each with its line and column.
    """
    return usable(read_settings(path, data, LayoutDocument, Shape(layout_schema, _SMALLEST), _relations))


def _relations(layout: LayoutDocument) -> Iterator[Refusal]:
    met: list[str] = []
    for index, step in enumerate(layout.steps):
        above: tuple[str | int, ...] = ("steps", index)
        if step.name in met:
            yield Refusal(
                rules.BAD_VALUE, f"{dotted((*above, 'name'))} is also that of a step before it", (*above, "name")
            )
        if step.threshold is not None and step.threshold > len(step.keys):
            message = f"{dotted((*above, 'threshold'))} is more than the {len(step.keys)} keys that may sign"
            yield Refusal(rules.BAD_VALUE, message, (*above, "threshold"))
        for field in ("materials", "products"):
            for place, rule in enumerate(getattr(step, field)):
                yield from _rule(rule, (*above, field, place), met)
        met.append(step.name)


def _rule(rule: ArtifactRule, steps: tuple[str | int, ...], before: list[str]) -> Iterator[Refusal]:
    verbs = [verb for verb in _VERBS if getattr(rule, verb) is not None]
    if len(verbs) != 1:
        said = f"has {' and '.join(verbs)}" if verbs else "has no verb"
        remedy = "write one of match (with from), create, modify, allow"
        yield Refusal(rules.BAD_VALUE, f"{dotted(steps)} {said}: a rule is one of them", steps, remedy=remedy)
    elif rule.create is not None and steps[-2] == "materials":
        message = f"{dotted(steps)} is a material, but `create` is about what the step makes"
        yield Refusal(rules.BAD_VALUE, message, steps, remedy="write it under products, or write match or allow")
    elif (rule.match is None) != (rule.from_ is None):
        yield Refusal(rules.BAD_VALUE, f"{dotted(steps)} must have `from` with `match`, and only there", steps)
    elif rule.from_ is not None and rule.from_ not in before:
        message = f"{dotted((*steps, 'from'))} must be a step before this one, but is {rule.from_!r}"
        remedy = f"one of {', '.join(before)}" if before else "the first step takes nothing from another"
        yield Refusal(rules.BAD_VALUE, message, (*steps, "from"), remedy=remedy)
