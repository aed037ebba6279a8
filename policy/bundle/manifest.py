"""What a bundle says of itself: OPA's ``.manifest``, with what only we read under ``metadata.maestro``.

``metadata.maestro``: ``{name, commit, expires: YYYY-MM-DD (inclusive, UTC), parity: sha256:… or null,
packs: [{entry: as in maestro.yaml, digest: sha256:…, data: {path: object}}]}``. The revision is OPA's own field.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Final

from pydantic import Field, ValidationError

from maestro import canonical_json
from maestro.config import PackEntry
from maestro.documents.fields import StrictModel
from maestro.evidence.errors import BadEvidence
from maestro.evidence.strict_json import loads
from policy.bundle.reasons import Refused

MANIFEST: Final = ".manifest"
_KNOWN = {"revision", "roots", "rego_version", "file_rego_versions", "metadata"}
_Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
_Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,99}$")]


class PackedPack(StrictModel):
    """A pack of the bundle: its settings in maestro.yaml, its digest, and its data by path in the repository."""

    entry: PackEntry
    digest: _Digest
    data: dict[str, dict[str, Any]]


class Contents(StrictModel):
    """``metadata.maestro``."""

    name: _Name
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]
    expires: Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    parity: _Digest | None
    packs: Annotated[tuple[PackedPack, ...], Field(strict=False)]


class Manifest(StrictModel):
    """``revision`` as a number; ``roots`` and ``file_rego_versions`` as OPA has them (without leading slashes)."""

    revision: Annotated[int, Field(ge=1, le=2**53 - 1)]
    roots: Annotated[tuple[str, ...], Field(strict=False)]
    file_rego_versions: dict[str, int]
    contents: Contents

    @property
    def expires(self) -> dt.date:
        """The last day (UTC) on which it may be loaded."""
        return dt.date.fromisoformat(self.contents.expires)

    def to_bytes(self) -> bytes:
        """The file, in canonical JSON."""
        # OPA looks a file up by its name in the archive, which has a slash before it once OPA has rewritten it.
        versions = {f"{mark}{path}": version for path, version in self.file_rego_versions.items() for mark in ("", "/")}
        return canonical_json.dumps(
            {
                "revision": str(self.revision),
                "roots": list(self.roots),
                "rego_version": 1,
                **({"file_rego_versions": versions} if versions else {}),
                "metadata": {"maestro": self._contents()},
            }
        )

    def _contents(self) -> dict[str, Any]:
        packs = [
            {"entry": pack.entry.model_dump(mode="json", exclude_none=True), "digest": pack.digest, "data": pack.data}
            for pack in self.contents.packs
        ]
        return {**self.contents.model_dump(exclude={"packs"}), "packs": packs}


def parse(data: bytes | None) -> Manifest:
    """The manifest in a bundle's file.

    Raises:
        Refused: there is none, it is not ours, or it says something that we do not know.
    """
    if data is None:
        raise Refused("manifest-malformed", "it has no .manifest")
    try:
        value = loads(data, what=".manifest")
        unknown = sorted(set(value) - _KNOWN)
        if unknown:
            raise Refused("manifest-malformed", f".manifest has {unknown[0]!r:.60}, which this version cannot judge")
        revision, metadata = value.get("revision"), value.get("metadata")
        if not isinstance(revision, str) or not (revision.isascii() and revision.isdigit()) or revision[:1] == "0":
            raise Refused("manifest-malformed", f"its revision is {revision!r:.60}, not a whole number from 1")
        if not isinstance(metadata, dict) or "maestro" not in metadata:
            raise Refused("manifest-malformed", ".manifest has no metadata.maestro: it was not built by `maestro`")
        versions = value.get("file_rego_versions", {})
        manifest = Manifest.model_validate(
            {
                "revision": int(revision[:20]),
                "roots": value.get("roots", [""]),
                "file_rego_versions": {path.removeprefix("/"): version for path, version in versions.items()},
                "contents": metadata["maestro"],
            }
        )
        dt.date.fromisoformat(manifest.contents.expires)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"])
        raise Refused("manifest-malformed", f".manifest: {place}: {first['msg']}") from error
    except BadEvidence as error:
        if isinstance(error, Refused):
            raise
        raise Refused("manifest-malformed", error.message) from error
    except (AttributeError, ValueError) as error:
        raise Refused("manifest-malformed", f".manifest cannot be read: {error}") from error
    return manifest
