"""The inputs of a pack's fixtures. What a fixture expects is the business of `maestro policy test`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from maestro.documents.reading import read
from policy.pack import Files, Pack

_SUFFIXES = (".yaml", ".yml", ".json")
_REGULAR = ("100644", "100755")


@dataclass(frozen=True)
class FixtureInput:
    """One input; ``name`` is what the fixture calls itself, else its file's name."""

    path: str
    line: int
    name: str
    value: Any


def fixture_inputs(files: Files, pack: Pack) -> tuple[list[FixtureInput], list[str]]:
    """The inputs of the pack's folder ``fixtures``, and the files of it that hold none."""
    prefix = "fixtures/" if pack.path == "." else f"{pack.path.rstrip('/')}/fixtures/"
    paths = sorted(
        path
        for path, entry in files.entries.items()
        if path.startswith(prefix) and PurePosixPath(path).suffix in _SUFFIXES and entry.mode in _REGULAR
    )
    found: list[FixtureInput] = []
    without: list[str] = []
    for path, data in files.read_many(paths).items():
        reading = read(path, data, dialect="lenient")
        before = len(found)
        for raw in reading.documents:
            if isinstance(raw.value, dict) and "input" in raw.value:
                name = raw.value.get("name")
                shown = name if isinstance(name, str) and name else PurePosixPath(path).stem
                found.append(FixtureInput(path, 1, shown, raw.value["input"]))
        if len(found) == before:
            without.append(path)
    return found, without
