"""The archive of a run, as somebody else wrote it: what is no plain file of a run is refused before it is unpacked."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from maestro.evidence.errors import BadEvidence
from runner import archive
from tests.runner import plans

NAME = archive.name_of("run-1", 1)


def packed(name: str = "logs/a", kind: bytes = tarfile.REGTYPE, link: str = "", **pax: str) -> bytes:
    """An archive of one file; ``pax`` are records of an extended header before it, with dots for underscores."""
    out = io.BytesIO()
    if pax:
        records = b"".join(_record(key.replace("_", "."), value) for key, value in pax.items())
        before = tarfile.TarInfo("PaxHeader")
        before.type, before.size = b"x", len(records)
        out.write(before.tobuf(tarfile.USTAR_FORMAT) + records + bytes(-len(records) % 512))
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, link, 1 if kind == tarfile.REGTYPE else 0
    out.write(member.tobuf(tarfile.GNU_FORMAT) + (b"x" + bytes(511)) * member.size + bytes(1024))
    return gzip.compress(out.getvalue(), mtime=0)


def resized(size: bytes) -> bytes:
    """An archive whose one member says that it has this size (12 bytes: octal, or GNU's base 256)."""
    header = bytearray(gzip.decompress(packed()))
    header[124:136] = size
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header[:512])
    return gzip.compress(bytes(header), mtime=0)


def _record(key: str, value: str) -> bytes:
    rest = f" {key}={value}\n".encode("utf-8", "surrogateescape")
    size = len(rest) + 2
    return str(size if len(str(size)) == 2 else size + 1).encode() + rest


def test_a_plain_file_is_unpacked(tmp_path: Path) -> None:
    archive.unpack(NAME, packed(), tmp_path)
    assert (tmp_path / "runs/run-1/logs/a").read_bytes() == b"x"


@pytest.mark.parametrize(
    "data",
    [
        packed("../logs/a"),
        packed("logs/../../a"),
        packed("logs/.."),
        packed("/logs/a"),
        packed("logs/a/b"),
        packed("journals/a"),
        packed("logs/a\\b"),
        packed("logs/a\nb"),
        packed("logs/" + "a" * 250),
        packed(kind=tarfile.SYMTYPE, link="/etc/passwd"),
        packed(kind=tarfile.LNKTYPE, link="logs/b"),
        packed(kind=tarfile.CHRTYPE),
        packed(kind=tarfile.FIFOTYPE),
        packed(kind=tarfile.DIRTYPE),
        packed(kind=tarfile.GNUTYPE_SPARSE),
        packed(path="logs/a\0b"),
        packed(path="logs/" + "b" * 60),
        packed(path="logs/\udcff"),
        packed(size="9" * 14),
        packed(GNU_sparse_size="x", GNU_sparse_map="0,1"),
        packed(GNU_sparse_size="1000000000000", GNU_sparse_map="0,1"),
        packed(GNU_sparse_major="1", GNU_sparse_minor="0", GNU_sparse_realsize="999999999999"),
        resized(b"\x80" + bytes(2) + b"\xff" * 9),
        resized(b"\xff" * 12),
        packed()[:-9],
        packed() + b"x",
        b"",
    ],
    ids=range(27),
)
def test_anything_else_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(BadEvidence, match=r"which no run has|cannot be read"):
        archive.unpack(NAME, data, tmp_path / "ledger")
    assert not [path for path in tmp_path.rglob("*") if not path.is_dir()]


def test_what_explodes_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "SIZE_LIMIT", 1 << 20)
    bomb = gzip.compress(bytes(64 << 20), mtime=0)
    assert len(bomb) < 1 << 17
    with pytest.raises(BadEvidence, match="holds more than"):
        archive.unpack(NAME, bomb, tmp_path)


def test_what_we_write_is_plain(tmp_path: Path) -> None:
    plans.dispatcher(tmp_path).dispatch(plans.facts(), [plans.planned(size=2)], plans.local(tmp_path))
    run = plans.folder(tmp_path)
    found = dict(archive.members(archive.pack(run)))
    assert found == {name: (run.path / name).read_bytes() for name in found}
    assert {name.partition("/")[0] for name in found} == set(archive.KINDS)
