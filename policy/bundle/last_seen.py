"""The highest revision of a bundle that was run by: kept in the ledger's store, and only ever raised."""

from __future__ import annotations

from dataclasses import dataclass

from maestro import canonical_json
from maestro.errors import MaestroError, ToolFailure
from maestro.evidence.strict_json import loads
from maestro.ledger.store import Store, Stored


@dataclass(frozen=True, slots=True)
class Seen:
    """A revision, and the digest of what it held: one number never stands for two contents."""

    revision: int
    content: str


def seen(store: Store, name: str) -> Seen | None:
    """The highest revision of the bundle ``name`` that was remembered.

    Raises:
        ToolFailure: the store cannot be read, or what it says of the bundle makes no sense.
    """
    stored = store.read(_file(name))
    return None if stored is None else _parse(stored, name)


def remember(store: Store, name: str, found: Seen) -> None:
    """Raise what was seen to ``found``; a lower one changes nothing.

    Raises:
        ToolFailure: the store cannot be written.
    """
    data = canonical_json.dumps({"revision": found.revision, "content": found.content}) + b"\n"
    while True:
        stored = store.read(_file(name))
        if stored is None:
            if store.create(_file(name), data):
                return
        elif _parse(stored, name).revision >= found.revision or store.replace(_file(name), data, stored.version):
            return


def _file(name: str) -> str:
    return f"bundles/{name}.json"


def _parse(stored: Stored, name: str) -> Seen:
    try:
        value = loads(stored.data, what="it")
    except MaestroError as error:
        raise _broken(name) from error
    revision, content = value.get("revision"), value.get("content")
    if type(revision) is not int or not isinstance(content, str):
        raise _broken(name)
    return Seen(revision, content)


def _broken(name: str) -> ToolFailure:
    return ToolFailure(
        f"what the ledger says of the last revision of the bundle {name} cannot be read",
        where=_file(name),
        remedy="restore the file from a copy; until then no revision can be called new enough",
    )
