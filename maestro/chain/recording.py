"""What a step took and made, as a link: files by path and SHA-256, read before and after its command.

in-toto's own recorder leaves out what is not there and follows links to folders, in circles too; here both are errors,
since what is not recorded is not protected.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from maestro.chain.reading import JOB
from maestro.commands.files import open_named
from maestro.errors import SelectionError, UsageError

if TYPE_CHECKING:
    from in_toto.models.link import Link

_NEVER = ".git"
_TOLD = (*JOB, "GITHUB_SHA")

Artifacts = dict[str, dict[str, str]]
"""Path to ``{"sha256": hexadecimal}``, as links have it."""


def artifacts(folder: Path, names: Sequence[str], excluded: Callable[[str], bool]) -> Artifacts:
    """Every file that ``names`` mean, files or folders, by its path from ``folder``.

    ``.git`` is git's and left out; what is excluded is left out with all below it.

    Raises:
        SelectionError: a name is not there or holds no file; something in it is neither a file nor a folder.
        UsageError: a name leads out of ``folder``.
    """
    found: Artifacts = {}
    for name in names:
        path = PurePosixPath(os.path.normpath(name))
        # The name `a/../b` is another file than `b` where `a` is a link.
        if path.is_absolute() or ".." in PurePosixPath(name).parts or _behind_a_link(folder, path):
            remedy = "links hold paths that every step shares: run this in the folder that all of them are in"
            raise UsageError("leads out of this folder", where=name, remedy=remedy)
        files = dict(_files(folder, path, excluded))
        if not files:
            raise SelectionError("there is no file to record", where=name, remedy="check the path, or leave it out")
        found.update(files)
    return dict(sorted(found.items()))


def _behind_a_link(folder: Path, path: PurePosixPath) -> bool:
    return bool(path.parts) and (folder / path).parent.resolve() != folder.resolve() / path.parent


def link(
    step: str, materials: Artifacts, products: Artifacts, command: Sequence[str], environ: Mapping[str, str]
) -> Link:
    """What is signed; of the environment only which job it was. ``command`` ended with 0, or is empty."""
    from in_toto.models.link import Link

    byproducts = {"return-value": 0, "stdout": "", "stderr": ""} if command else {}
    told = {name: environ[name] for name in _TOLD if environ.get(name)}
    return Link(
        name=step,
        materials=materials,
        products=products,
        command=list(command),
        byproducts=byproducts,
        environment=told,
    )


def _files(folder: Path, start: PurePosixPath, excluded: Callable[[str], bool]) -> Iterator[tuple[str, dict[str, str]]]:
    pending = [start]
    while pending:
        path = pending.pop()
        shown = str(path)
        if path.parts and excluded(shown):
            continue
        try:
            shown.encode("utf-8")
            kind = (folder / path).lstat().st_mode
        except UnicodeEncodeError as error:
            remedy = "rename it, or leave it out with --exclude"
            raise SelectionError("the name is not UTF-8", where=ascii(shown), remedy=remedy) from error
        except OSError as error:
            remedy = "check the path"
            raise SelectionError(f"cannot be recorded: {error.strerror}", where=shown, remedy=remedy) from error
        if stat.S_ISDIR(kind):
            pending += (path / inner.name for inner in (folder / path).iterdir() if inner.name != _NEVER)
            continue
        if stat.S_ISLNK(kind) and (folder / path).is_dir():
            remedy = "name the folder itself, and leave the link out with --exclude"
            raise SelectionError("is a link to a folder", where=shown, remedy=remedy)
        if stat.S_ISLNK(kind) and not (folder / path).resolve().is_relative_to(folder.resolve()):
            remedy = "put the file here, or leave the link out with --exclude"
            raise SelectionError("is a link that leads out of this folder", where=shown, remedy=remedy)
        with os.fdopen(open_named(folder / path, shown), "rb") as file:
            yield shown, {"sha256": hashlib.file_digest(file, "sha256").hexdigest()}
