"""When folders of a repository were last changed: one walk through its history for all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from maestro.repository import Repository


@dataclass(frozen=True)
class LastChange:
    """The newest commit of HEAD's history that touched a folder: its short id and its date (``2026-12-01``)."""

    commit: str
    date: str


def last_changes(repository: Repository, folders: Iterable[str]) -> dict[str, LastChange]:
    """Folder (from the repository's root, ``.`` for all of it) to its last change; without those never committed.

    Raises:
        ToolFailure: git fails.
    """
    wanted = list(dict.fromkeys(folders))
    if not wanted or repository.is_empty():
        return {}
    # Names only: no content is read, so nothing that a checkout configures is run.
    options = ("--no-show-signature", "--no-renames", "--name-only", "-z", "--format=%x01%h %cs")
    output = repository.git.output("log", *options, "HEAD", "--", *wanted)
    found: dict[str, LastChange] = {}
    for commit in output.decode("utf-8", "surrogateescape").split("\x01")[1:]:
        head, *names = commit.replace("\n", "\0", 1).split("\0")
        short, _, date = head.partition(" ")
        for folder in wanted:
            inside = folder.rstrip("/") + "/"
            if folder not in found and any(folder == "." or name.startswith(inside) for name in names if name):
                found[folder] = LastChange(short, date)
        if len(found) == len(wanted):
            break
    return found
