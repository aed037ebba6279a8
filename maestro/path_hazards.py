"""Paths that mean one thing to git and another to somebody's disk. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from maestro.snapshot import LINK, SUBMODULE, Entry

HazardKind = Literal[
    "link",
    "escaping_link",
    "submodule",
    "case_collision",
    "unicode_collision",
    "not_utf8",
    "git_folder",
]


class Hazard(NamedTuple):
    """A path, what is wrong with it, and the other path it collides with (for a link: its target; else None)."""

    path: str
    kind: HazardKind
    other: str | None


def hazards(entries: Mapping[str, Entry], read_link: Callable[[str], bytes] | None = None) -> list[Hazard]:
    """What is hazardous among all paths of a snapshot, sorted by path.

    Collisions are also found between folders (``Flags/a`` and ``flags/b``): a disk that does not tell them apart
    merges them. ``read_link`` gives a link's target text (`Snapshot.read`); without it no link counts as escaping.
    """
    found = [hazard for path, entry in entries.items() for hazard in _of_one(path, entry, read_link)]
    found += _collisions(entries)
    return sorted(found, key=lambda hazard: (hazard.path, hazard.kind))


def link_escapes(path: str, target: str) -> bool:
    """Whether a link at ``path`` leaves the repository, by its text alone: absolute, or more ``..`` than folders.

    Stricter than following it: a target that leaves on its way and comes back counts as escaping.
    """
    if target.startswith("/") or "\0" in target:
        return True
    depth = path.count("/")
    for part in target.split("/"):
        if part == "..":
            depth -= 1
            if depth < 0:
                return True
        elif part not in ("", "."):
            depth += 1
    return False


def _of_one(path: str, entry: Entry, read_link: Callable[[str], bytes] | None) -> list[Hazard]:
    found: list[Hazard] = []
    if entry.mode == SUBMODULE:
        found.append(Hazard(path, "submodule", None))
    elif entry.mode == LINK:
        target = read_link(path).decode("utf-8", "surrogateescape") if read_link else None
        escapes = target is not None and link_escapes(path, target)
        found.append(Hazard(path, "escaping_link" if escapes else "link", target))
    if not path.isascii() and any("\ud800" <= char <= "\udfff" for char in path):
        found.append(Hazard(path, "not_utf8", None))
    if ".git" in path.lower() and any(part.lower() == ".git" for part in path.split("/")):
        found.append(Hazard(path, "git_folder", None))
    return found


def _collisions(entries: Mapping[str, Entry]) -> list[Hazard]:
    """Each of the paths that are one on a disk which ignores case, or normalises Unicode, names the first of them."""
    firsts: dict[str, str] = {}
    reported: list[Hazard] = []
    seen: set[str] = set()
    for path in sorted(entries):
        for place in _with_new_folders(path, seen):
            first = firsts.setdefault(_folded(place), place)
            if first != place:
                same_letters = unicodedata.normalize("NFC", first) == unicodedata.normalize("NFC", place)
                reported.append(Hazard(path, "unicode_collision" if same_letters else "case_collision", first))
                break
    return reported


def _with_new_folders(path: str, seen: set[str]) -> list[str]:
    """The path, preceded by those of its folders that were not met before."""
    places = [path]
    folder = path.rpartition("/")[0]
    while folder and folder not in seen:
        seen.add(folder)
        places.append(folder)
        folder = folder.rpartition("/")[0]
    return places[::-1]


def _folded(path: str) -> str:
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())
