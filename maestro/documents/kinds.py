"""The kinds of documents: one explicit table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple

from maestro.documents import flag, manifest
from maestro.documents.flag import Flag
from maestro.documents.manifest import Manifest
from maestro.documents.pool import Pool
from maestro.documents.relation import Relation
from maestro.documents.waiver import Waiver

Kind = Literal["Manifest", "Flag", "Pool", "Waiver"]
Model = Manifest | Flag | Pool | Waiver


class KindEntry(NamedTuple):
    """A row: the model, and what its fields ask of each other."""

    model: type[Manifest] | type[Flag] | type[Pool] | type[Waiver]
    relations: Callable[[dict[str, Any]], Iterable[Relation]] | None = None


KINDS: dict[Kind, KindEntry] = {
    "Manifest": KindEntry(Manifest, manifest.relations),
    "Flag": KindEntry(Flag, flag.relations),
    "Pool": KindEntry(Pool),
    "Waiver": KindEntry(Waiver),
}
