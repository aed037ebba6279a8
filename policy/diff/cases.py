"""What both sides of a decision diff are asked: cases, each with the input that either side would be given."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from maestro import canonical_json

Origin = Literal["document", "fixture", "recorded"]


class NotAsked(enum.Enum):
    """The input of a side that would not be asked: no such pack, or its patterns leave the document out."""

    NOT_ASKED = "not asked"


NOT_ASKED: Final = NotAsked.NOT_ASKED


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to decide about. ``before`` and ``after`` are the inputs of the two sides.

    ``name`` is for people: ``Flag/checkout-v2``, a fixture's name. ``place`` (``path:line``) is asked for examples
    only, because finding a line costs more than a decision.
    """

    origin: Origin
    name: str
    place: Callable[[], str]
    owner: Callable[[], str | None]
    before: Any | NotAsked
    after: Any | NotAsked


def identity(value: Any | NotAsked, *, timeless: bool) -> str | None:  # noqa: ANN401
    """The digest of an input. ``timeless``: its time is that of asking, not part of the question; the same question
    asked again tomorrow is then the same.

    Raises:
        ValueError: it is not JSON.
    """
    if value is NOT_ASKED:
        return None
    if timeless and isinstance(value, dict) and "now" in value:
        value = {key: member for key, member in value.items() if key != "now"}
    return canonical_json.digest(value)


def owner_in(value: Any) -> str | None:  # noqa: ANN401
    """The owner that an input itself names: of the document, of the flag, of the manifest."""
    if not isinstance(value, dict):
        return None
    places = [value, value.get("manifest"), value.get("flag")]
    for place in places:
        if not isinstance(place, dict):
            continue
        metadata = place.get("metadata")
        for holder in (metadata, place):
            owner = holder.get("owner") if isinstance(holder, dict) else None
            if isinstance(owner, str) and owner:
                return owner
    return None
