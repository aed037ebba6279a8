"""Files in memory, for what loads packs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from maestro.config import Config, load_config
from policy.pack import Pack, Packs, load_packs


@dataclass(frozen=True)
class Entry:
    mode: str


class MemoryFiles:
    def __init__(self, files: Mapping[str, str | bytes], links: Iterable[str] = ()) -> None:
        self._files = {path: data.encode() if isinstance(data, str) else data for path, data in files.items()}
        links = set(links)
        self.entries: dict[str, Any] = {
            path: Entry("120000" if path in links else "100644") for path in sorted(self._files)
        }

    def read_many(self, paths: Iterable[str]) -> dict[str, bytes]:
        return {path: self._files[path] for path in paths}


def config(packs: str) -> Config:
    return load_config("maestro.yaml", f"apiVersion: maestro-conductor/v1\npacks: {packs}\n".encode())


def load(files: Mapping[str, str | bytes], packs: str = "['policy/packs/*']", links: Iterable[str] = ()) -> Packs:
    return load_packs(MemoryFiles(files, links), config(packs))


def pack_of(source: str, packs: str = "['policy/packs/*']") -> Pack:
    """The one pack of one module; anything blocking about it is a failure of the test."""
    found = load({"policy/packs/p/p.rego": source}, packs)
    assert [problem for problem in found.problems if problem.rule.mode == "enforce"] == []
    (pack,) = found.packs
    return pack
