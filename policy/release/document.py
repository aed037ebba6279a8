"""release.yaml: what one release consists of. It names parts and proves nothing; what it leaves out is not released."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field

from maestro.config import RepositoryPath
from maestro.documents.fields import Line, Name, Omittable, StrictModel
from maestro.documents.refusal import Refusal
from maestro.documents.settings import Shape, read_settings, schema_of, unusable

RELEASE_PATH: Final = "release.yaml"
Paths = Annotated[tuple[RepositoryPath, ...], Field(strict=False)]


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
    policy_bundles: Paths = Field(default=(), description="Signed policy bundles, judged by `bundles` in maestro.yaml")
    chain: Omittable[ChainFiles] = Field(default=None, description="How it came about")
    verdicts: Paths = Field(default=(), description="Signed verdicts of `maestro check --attest`")


_SMALLEST = "it has apiVersion, kind: Release, name, version and artifacts (docs/guides/release.md)"


def release_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of release.yaml."""
    return schema_of(Release)


def load_release(path: str, data: bytes) -> Release:
    """The release in ``data``.

    Raises:
        UsageError: everything wrong with it, each with its line and column.
    """
    found = read_settings(path, data, Release, Shape(release_schema, _SMALLEST), _relations)
    if isinstance(found, Release):
        return found
    raise unusable(found)


def _relations(release: Release) -> Iterator[Refusal]:
    from maestro.documents import rules

    paths = [one.path for one in release.artifacts]
    for index, path in enumerate(paths):
        if path in paths[:index]:
            steps = ("artifacts", index, "path")
            yield Refusal(rules.BAD_VALUE, f"artifacts[{index}].path also names an artifact before it", steps)
