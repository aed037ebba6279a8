"""A run as one file, for a ledger that is no folder: a tar of what a reader needs, and nothing of this machine."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from maestro.errors import ToolFailure
from maestro.evidence.errors import BadEvidence
from maestro.ledger.store import Reader
from runner.run_folder import RUN_ID, RunFolder

KINDS = ("sessions", "receipts", "segments", "logs")
_NAME = re.compile(r"[a-z]+/[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_LEVEL = 3
"""Of gzip: what is signed hardly gets smaller beyond it, and takes three times as long."""
SIZE_LIMIT = 1 << 30
"""Bytes of a run unpacked: beyond it somebody means harm."""


def name_of(run_id: str, number: int) -> str:
    """Where the run as of its ``number``-th segment lies in the store."""
    return f"runs/{run_id}/archives/{number}.tar.gz"


def pack(folder: RunFolder) -> bytes:
    """The run; equal runs give equal bytes.

    Raises:
        ToolFailure: it cannot be read.
    """

    def files() -> Iterator[tuple[str, bytes]]:
        for kind in KINDS:
            for path in sorted((folder.path / kind).iterdir()):
                if path.is_file() and not path.name.endswith(".tmp"):
                    yield f"{kind}/{path.name}", path.read_bytes()

    try:
        return packed(files())
    except OSError as error:
        raise ToolFailure(f"the run cannot be read: {error.strerror}", where=str(folder.path)) from error


def packed(files: Iterable[tuple[str, bytes]]) -> bytes:
    """An archive of these, by name: equal files in the same order give equal bytes."""
    out = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=out, mode="wb", compresslevel=_LEVEL, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w|", format=tarfile.GNU_FORMAT) as tar,
    ):
        for name, data in files:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


def members(data: bytes, kinds: Sequence[str] = KINDS) -> Iterator[tuple[str, bytes]]:
    """The files in an archive: name below the run's folder, content.

    Args:
        data: the archive.
        kinds: the folders it may have.

    Raises:
        BadEvidence: cut short, too large, or it holds something that no run has.
    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as zipped:  # whole before anything of it is read: a tar just ends
            unpacked = zipped.read(SIZE_LIMIT + 1)
        if len(unpacked) > SIZE_LIMIT:
            raise BadEvidence(f"the archive holds more than {SIZE_LIMIT} bytes")
        with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as tar:
            for member in tar:
                _require_plain(member)
                parts = PurePosixPath(member.name).parts
                if not member.isreg() or len(parts) != 2 or parts[0] not in kinds or parts[1] in (".", ".."):
                    raise BadEvidence(f"the archive holds {member.name!r:.100}, which no run has")
                file = tar.extractfile(member)
                yield "/".join(parts), file.read() if file is not None else b""
    except (tarfile.TarError, EOFError, OSError, ValueError, zlib.error) as error:
        raise BadEvidence(f"the archive of a run cannot be read: {error}") from error


def _require_plain(member: tarfile.TarInfo) -> None:
    """Refuse what we never write: a sparse file may claim to be a terabyte, an extended header any name."""
    plain = member.type == tarfile.REGTYPE and member.sparse is None and not member.pax_headers
    if not plain or not _NAME.fullmatch(member.name) or not 0 <= member.size <= SIZE_LIMIT:
        raise BadEvidence(f"the archive holds {member.name!r:.100}, which no run has")


def segments_in(data: bytes) -> list[tuple[str, bytes]]:
    """Only the segments: what says whether two archives are of one run.

    Raises:
        BadEvidence: as ``members``.
    """
    return [(name, content) for name, content in members(data) if name.startswith("segments/")]


def unpack(name: str, data: bytes, target: Path) -> None:
    """Write the run in the archive that is called ``name`` below ``target``, the folder of a ledger.

    Raises:
        BadEvidence: as ``members``, or the name is not one of ``name_of``.
    """
    parts = name.split("/")
    if len(parts) != 4 or not RUN_ID.fullmatch(parts[1]):
        raise BadEvidence(f"no run has an archive of that name: {name!r:.120}")
    folder = target / "runs" / parts[1]
    for kind in KINDS:
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for member, content in members(data):
        (folder / member).write_bytes(content)


def number_of(name: str) -> int:
    """The segment's number in an archive's name; 0 where it is none."""
    stem = name.rpartition("/")[2].removesuffix(".tar.gz")
    return int(stem) if stem.isascii() and stem.isdigit() else 0


def is_archive(name: str) -> bool:
    """Whether a file of the store is a run's archive."""
    return name.startswith("runs/") and "/archives/" in name


def latest_of(store: Reader, run_id: str | None = None) -> dict[str, str]:
    """Of each run (or this one) the name of its last archive.

    Raises:
        ToolFailure: the store cannot be read.
    """
    latest: dict[str, str] = {}
    for name in store.names("runs/" if run_id is None else f"runs/{run_id}/"):
        if is_archive(name):
            run = name.split("/")[1]
            if number_of(name) > number_of(latest.get(run, "")):
                latest[run] = name
    return latest


def fetch(store: Reader, name: str, target: Path) -> None:
    """Write the run in the store's archive of that name below ``target``; nothing where it is gone by now.

    Raises:
        BadEvidence: as ``unpack``.
        ToolFailure: the store cannot be read.
    """
    found = store.read(name)
    if found is None:
        return
    try:
        unpack(name, found.data, target)
    except BadEvidence as error:
        raise BadEvidence(error.message, where=f"{store.address}: {name}") from error
