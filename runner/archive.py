"""A run in a ledger that is no folder: what a reader needs of it, and nothing of this machine.

::

    <store>/runs/<run id>/archives/<n>.tar.gz     the run as of its n-th segment: all of it, or what is not in parts
    <store>/runs/<run id>/parts/<sha256>.tar.gz   more of its receipts and logs

The archive of a large run lists its parts by digest, as empty files ``parts/<sha256>``, and is written after them.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from maestro.errors import ToolFailure
from maestro.evidence.errors import BadEvidence
from maestro.ledger.store import Reader
from runner.plain_tar import Content, contents, packed
from runner.run_folder import KINDS, RunFolder

CARRIED = 32 << 20
"""Bytes of files after which an archive or a step carries no more, and another one follows."""
SPARE = 256 << 20
"""Bytes of a disk that what is unpacked leaves free, however much it is; of a small disk a tenth."""
_LISTED = "parts"
_IN_PARTS = ("receipts", "logs")
_DIGEST = re.compile(r"[0-9a-f]{64}")


def name_of(run_id: str, number: int) -> str:
    """Where the run as of its ``number``-th segment lies in the store."""
    return f"runs/{run_id}/archives/{number}.tar.gz"


def _part(run_id: str, sha256: str) -> str:
    return f"runs/{run_id}/parts/{sha256}.tar.gz"


def pieces(folder: RunFolder, number: int) -> Iterator[tuple[str, bytes]]:
    """What the store is to hold of the run as of its ``number``-th segment, by name, in the order of writing.

    A few of them are in memory at most; equal runs give equal pieces.

    Raises:
        ToolFailure: it cannot be read.
    """
    try:
        sizes = {name: (folder.path / name).stat().st_size for name in _files(folder)}
        listed = []
        if sum(sizes.values()) > CARRIED:
            for group in _groups({name: size for name, size in sizes.items() if name.startswith(_IN_PARTS)}):
                data = packed((name, (folder.path / name).read_bytes()) for name in group)
                listed.append(hashlib.sha256(data).hexdigest())
                yield _part(folder.run_id, listed[-1]), data
        rest = [name for name in sizes if not listed or not name.startswith(_IN_PARTS)]
        files = [(name, (folder.path / name).read_bytes()) for name in rest]
        yield name_of(folder.run_id, number), packed([*files, *((f"{_LISTED}/{one}", b"") for one in listed)])
    except OSError as error:
        raise ToolFailure(f"the run cannot be read: {error.strerror}", where=str(folder.path)) from error


def _files(folder: RunFolder) -> Iterator[str]:
    for kind in KINDS:
        for path in sorted((folder.path / kind).iterdir()):
            if path.is_file() and not path.name.endswith(".tmp"):
                yield f"{kind}/{path.name}"


def _groups(sizes: dict[str, int]) -> Iterator[list[str]]:
    """Each of at most ``CARRIED`` bytes, or of one file."""
    group: list[str] = []
    size = 0
    for name, more in sizes.items():
        if group and size + more > CARRIED:
            yield group
            group, size = [], 0
        group.append(name)
        size += more
    if group:
        yield group


def same(name: str, there: bytes, data: bytes) -> bool:
    """Whether what lies under a name of ``pieces`` is as good as what was to be written: archives go by their segments.

    Raises:
        BadEvidence: as ``plain_tar.contents``.
    """
    return there == data or ("/archives/" in name and _segments_in(there) == _segments_in(data))


def _segments_in(data: bytes) -> list[tuple[str, bytes]]:
    found = contents(data, (*KINDS, _LISTED))
    return [(name, content.read()) for name, content in found if name.startswith("segments/")]


Files = Iterator[tuple[str, Content]]
"""Names below the run's folder, and what they hold; each can be read until the next one is asked for."""


def objects_of(store: Reader, name: str) -> Iterator[tuple[str, Files]]:
    """The archive of that name and its parts, each with its files, to be read to the end.

    Raises:
        BadEvidence: it or a part is missing, or a part is another one; reading the files, as ``plain_tar.contents``.
        ToolFailure: the store cannot be read.
    """
    found = store.read(name)
    if found is None:
        raise BadEvidence("the archive was listed, and is gone", where=f"{store.address}: {name}")
    run_id = name.split("/")[1]
    parts: list[str] = []
    yield name, _noting(parts, contents(found.data, (*KINDS, _LISTED)))
    for digest in parts:
        name = _part(run_id, digest)
        found = store.read(name)
        if found is None or hashlib.sha256(found.data).hexdigest() != digest:
            raise BadEvidence(
                f"a part of the run is {'gone' if found is None else 'not the one that its archive lists'}",
                where=f"{store.address}: {name}",
                remedy="put it back from a copy",
            )
        yield name, contents(found.data, _IN_PARTS)


def _noting(parts: list[str], files: Files) -> Files:
    for name, content in files:
        kind, _, rest = name.partition("/")
        if kind != _LISTED:
            yield name, content
        elif _DIGEST.fullmatch(rest):
            parts.append(rest)
        else:
            raise BadEvidence(f"the archive lists {rest!r:.80}, which is no part")


def unpack(files: Files, folder: Path, kinds: Sequence[str] = KINDS) -> None:
    """Write files of a run below its ``folder``; what is there already stays as it is.

    Raises:
        BadEvidence: as what gives the files.
        ToolFailure: there is no room for them.
        OSError: they cannot be written.
    """
    for kind in kinds:
        (folder / kind).mkdir(parents=True, exist_ok=True)
    unchecked = SPARE
    for name, content in files:
        path = folder / name
        if path.exists():
            continue
        with path.open("xb") as file:
            for data in content.chunks():
                if unchecked >= SPARE // 16:
                    require_room(folder)
                    unchecked = 0
                unchecked += len(data)
                file.write(data)


def require_room(folder: Path) -> None:
    """Whoever unpacks what others have written leaves room on the disk.

    Raises:
        ToolFailure: there is none.
    """
    usage = shutil.disk_usage(folder)
    if usage.free < min(SPARE, usage.total // 10):
        raise ToolFailure(
            "unpacked it is more than the disk has room for",
            where=str(folder),
            remedy="name a larger one with TMPDIR, if it is meant to be that large",
        )
