"""Manifests and indexes (image-spec 1.1), read so that no other reader can see something else in the same bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from maestro.evidence.errors import BadEvidence
from maestro.evidence.strict_json import loads
from maestro.oci.reference import digest_of
from maestro.provenance.reading import Fields
from maestro.provenance.reasons import NotProven

INDEX: Final = "application/vnd.oci.image.index.v1+json"
_IMAGES: Final = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_INDEXES: Final = (INDEX, "application/vnd.docker.distribution.manifest.list.v2+json")
ACCEPTED: Final = (*_IMAGES, *_INDEXES)
_MOST_DESCRIPTORS = 1000
_MEMBERS = (
    *("schemaVersion", "mediaType", "artifactType", "config", "layers", "manifests", "subject", "annotations"),
    *("digest", "size", "urls", "data", "platform", "architecture", "os", "os.version", "os.features", "variant"),
)
_KEYS: Final = {key.casefold(): key for key in _MEMBERS}
"""Members of manifests, descriptors and platforms, by what a reader that ignores case takes for them."""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What a manifest points at. ``size`` in bytes; ``platform`` like ``linux/arm64/v8``, where it is stated."""

    media_type: str
    sha256: str
    size: int
    artifact_type: str | None
    annotations: dict[str, str]
    platform: str | None


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest (``layers``) or an index (``children``); ``sha256`` is of its bytes ``data``, ``subject`` that of
    another."""

    data: bytes
    media_type: str
    artifact_type: str | None
    sha256: str
    subject: str | None
    layers: tuple[Descriptor, ...]
    children: tuple[Descriptor, ...]

    @property
    def is_index(self) -> bool:
        """Whether it only lists manifests."""
        return self.media_type in _INDEXES


def _malformed(words: str) -> NotProven:
    return NotProven("verify/image-manifest", f"the manifest is malformed: {words}")


def parse_manifest(data: bytes, content_type: str, sha256: str) -> Manifest:
    """The manifest in ``data``, served as ``content_type``.

    Raises:
        NotProven: it is none, or its kind is said in two ways.
    """
    served = content_type.partition(";")[0].strip()
    try:
        value = loads(data, what="the manifest")
    except BadEvidence as error:
        raise NotProven("verify/image-manifest", error.message) from error
    _refuse_other_case(value)
    manifest = Fields(value, "", _malformed)
    media_type = manifest.text("mediaType") if "mediaType" in manifest else served
    if media_type != served:
        raise _malformed(f"it is served as {served!r:.80} and calls itself {media_type!r:.80}")
    if media_type not in ACCEPTED:
        raise _malformed(f"{media_type!r:.80} is no kind of manifest that is known")
    index = media_type in _INDEXES
    if ("manifests" in manifest) != index or (index and ("layers" in manifest or "config" in manifest)):
        raise _malformed("image and index at once, or neither")
    subject = _descriptor(manifest.fields("subject")).sha256 if "subject" in manifest else None
    layers = _descriptors(manifest, "layers")
    kind = manifest.text("artifactType") if "artifactType" in manifest else None
    return Manifest(data, media_type, kind, sha256, subject, layers, _descriptors(manifest, "manifests"))


def _refuse_other_case(value: dict[str, Any]) -> None:
    """Go's JSON, and with it docker and containerd, takes ``Manifests`` for ``manifests``, and of both the last."""
    pending: list[Any] = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, list):
            pending += one
        elif isinstance(one, dict):
            for key, inner in one.items():
                if _KEYS.get(key.casefold(), key) != key:
                    raise _malformed(f"{key!r:.40} is {_KEYS[key.casefold()]} to some readers and nothing to others")
                if key != "annotations":
                    pending.append(inner)


def _descriptors(manifest: Fields, key: str) -> tuple[Descriptor, ...]:
    given = manifest.each(key)
    if len(given) > _MOST_DESCRIPTORS:
        raise _malformed(f"{key} has {len(given):,} entries, at most {_MOST_DESCRIPTORS:,} are read")
    return tuple(_descriptor(one) for one in given)


def _descriptor(fields: Fields) -> Descriptor:
    sha256 = digest_of(fields.text("digest"))
    if sha256 is None:
        raise _malformed("a digest is not SHA-256")
    names = fields.fields("annotations").texts() if "annotations" in fields else {}
    return Descriptor(
        media_type=fields.text("mediaType"),
        sha256=sha256,
        size=fields.number("size"),
        artifact_type=fields.text("artifactType") if "artifactType" in fields else None,
        annotations=names,
        platform=_platform(fields.fields("platform")) if "platform" in fields else None,
    )


def _platform(fields: Fields) -> str:
    parts = [fields.text("os"), fields.text("architecture")]
    return "/".join([*parts, fields.text("variant")] if "variant" in fields else parts)
