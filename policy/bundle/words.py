"""What the commands say of a bundle."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from maestro import canonical_json
from maestro.counting import many
from maestro.report.visible_text import visible

if TYPE_CHECKING:
    from policy.bundle.manifest import Manifest

SCHEMA: Final = "maestro-conductor/policy-bundle/v1"


def as_json(said: Manifest) -> dict[str, Any]:
    """``{"schema", "name", "revision", "commit", "expires", "parity", "roots", "packs": [{path, digest}]}``."""
    contents = said.contents
    return {
        "schema": SCHEMA,
        "name": contents.name,
        "revision": said.revision,
        "commit": contents.commit,
        "expires": contents.expires,
        "parity": contents.parity,
        "roots": list(said.roots),
        "packs": [{"path": pack.entry.path, "digest": pack.digest} for pack in contents.packs],
    }


def as_lines(said: Manifest, today: dt.date) -> Iterator[str]:
    """Name and revision, source, last day, one line for each pack."""
    contents = said.contents
    left = (said.expires - today).days
    yield f"{contents.name} revision {said.revision}, from commit {contents.commit[:12]}"
    yield f"  loaded until {said.expires} ({many(left, 'day') + ' left' if left >= 0 else 'expired'})"
    yield f"  parity lock  {contents.parity[:19] if contents.parity else 'none'}"
    for pack in contents.packs:
        yield f"  pack         {visible(pack.entry.path)}  {pack.digest[:19]}"


def listed(files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """``[{name, size, digest}]`` of everything in a bundle."""
    return [
        {"name": name, "size": len(files[name]), "digest": canonical_json.digest_of_bytes(files[name])}
        for name in sorted(files)
    ]
