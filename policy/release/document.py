"""release.yaml: what one release consists of. It names parts and proves nothing; what it leaves out is not released."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from maestro.config import RepositoryPath
from maestro.documents import rules
from maestro.documents.fields import Line, Name, Omittable, StrictModel, text
from maestro.documents.pointer import dotted
from maestro.documents.refusal import Refusal
from maestro.documents.settings import Shape, read_settings, schema_of, usable
from maestro.errors import UsageError
from maestro.oci.reference import parse_reference

Paths = Annotated[tuple[RepositoryPath, ...], Field(strict=False)]
Image = Annotated[
    str,
    text(
        r"^[^@\s]+/[^@:\s]+@sha256:[0-9a-f]{64}$",
        "must be an image by its digest alone, like ghcr.io/acme/api@sha256:… (64 hexadecimal digits)",
        longest=400,
    ),
]
RunId = Annotated[
    str, text(r"^[A-Za-z0-9][A-Za-z0-9._-]*$", "must be a run's id, like 20261201-090000-ccafdc99", longest=100)
]


class ReleasedArtifact(StrictModel):
    """A file that is released, and the Sigstore bundles that speak for it."""

    path: RepositoryPath = Field(description="The file", examples=["dist/api-1.2.0.tar.gz"])
    bundles: Annotated[tuple[RepositoryPath, ...], Field(strict=False, min_length=1)] = Field(
        description="Its bundles", examples=[["dist/api.sigstore.json"]]
    )


class ChainFiles(StrictModel):
    """Where the in-toto layout and the steps' links lie."""

    layout: RepositoryPath = Field(description="The signed layout", examples=["chain/layout"])
    links: RepositoryPath = Field(description="The folder of the links", examples=["chain/links"])


class Receipts(StrictModel):
    """Runs that belong to the release. They lie in the ledger that maestro.yaml names, never in another one."""

    runs: Annotated[tuple[RunId, ...], Field(strict=False, min_length=1)] = Field(
        description="Their ids", examples=[["20261201-090000-ccafdc99"]]
    )
    checkpoint: RepositoryPath = Field(
        description="A checkpoint kept elsewhere, that the ledger's log has to continue", examples=["ledger.checkpoint"]
    )


class Release(StrictModel):
    """What one release consists of; paths are taken from its own folder."""

    model_config = ConfigDict(title="release.yaml")

    apiVersion: Literal["maestro-conductor/v1"] = Field(description="Always maestro-conductor/v1")  # noqa: N815
    kind: Literal["Release"] = Field(description="What this document is")
    name: Name = Field(description="What is released", examples=["api"])
    version: Line = Field(description="Its version", examples=["1.2.0"])
    artifacts: Annotated[tuple[ReleasedArtifact, ...], Field(strict=False)] = Field(
        default=(), description="Files, judged by trust.yaml"
    )
    images: Annotated[tuple[Image, ...], Field(strict=False)] = Field(
        default=(),
        description="Images by digest, judged by trust.yaml and by what lies beside them in their registry",
        examples=[[f"ghcr.io/acme/api@sha256:{'0' * 64}"]],
    )
    policy_bundles: Paths = Field(default=(), description="Signed policy bundles, judged by `bundles` in maestro.yaml")
    chain: Omittable[ChainFiles] = Field(default=None, description="How it came about")
    verdicts: Paths = Field(default=(), description="Signed verdicts of `maestro check --attest`")
    receipts: Omittable[Receipts] = Field(default=None, description="What `maestro run` executed for it")


_TWICE = "take it out: every part has one verdict"
_SMALLEST = "it has apiVersion, kind: Release, name, version and artifacts (docs/guides/release.md)"


def release_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of release.yaml."""
    return schema_of(Release)


def load_release(path: str, data: bytes) -> Release:
    """The release in ``data``.

    Raises:
        UsageError: everything wrong with it, each with its line and column.
    """
    return usable(read_settings(path, data, Release, Shape(release_schema, _SMALLEST), _relations))


def _relations(release: Release) -> Iterator[Refusal]:
    for index, name in enumerate(release.images):
        try:
            parse_reference(name)
        except UsageError as error:
            yield Refusal(rules.BAD_VALUE, error.message, ("images", index), remedy=error.remedy)
            return
    named: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
        (("artifacts",), tuple(one.path for one in release.artifacts)),
        (("images",), tuple(str(parse_reference(one)) for one in release.images)),
        (("policy_bundles",), release.policy_bundles),
        (("verdicts",), release.verdicts),
        (("receipts", "runs"), release.receipts.runs if release.receipts is not None else ()),
    )
    for steps, names in named:
        for index, name in enumerate(names):
            if name in names[:index]:
                place: tuple[str | int, ...] = (*steps, index)
                if steps == ("artifacts",):
                    place = (*place, "path")
                yield Refusal(rules.BAD_VALUE, f"{dotted(place)} names what is named before it", place, remedy=_TWICE)
