"""The archive of a run, as somebody else wrote it: what is no plain file of a run is refused before it is unpacked."""

from __future__ import annotations

import gzip
import io
import tarfile
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro.errors import ToolFailure
from maestro.evidence.errors import BadEvidence
from runner import plain_tar
from runner.plain_tar import contents, members, packed
from runner.run_folder import KINDS


def archive_of(name: str = "logs/a", kind: bytes = tarfile.REGTYPE, link: str = "", **pax: str) -> bytes:
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
    header = bytearray(gzip.decompress(archive_of()))
    header[124:136] = size
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header[:512])
    return gzip.compress(bytes(header), mtime=0)


def _record(key: str, value: str) -> bytes:
    rest = f" {key}={value}\n".encode("utf-8", "surrogateescape")
    size = len(rest) + 2
    return str(size if len(str(size)) == 2 else size + 1).encode() + rest


def raw(*parts: bytes) -> bytes:
    """An archive of these bytes as they are."""
    return gzip.compress(b"".join(parts), mtime=0)


WHOLE = gzip.decompress(archive_of())


def test_a_plain_file_is_read() -> None:
    assert list(members(archive_of(), KINDS)) == [("logs/a", b"x")]


@pytest.mark.parametrize(
    "data",
    [
        archive_of("../logs/a"),
        archive_of("logs/../../a"),
        archive_of("logs/.."),
        archive_of("/logs/a"),
        archive_of("logs/a/b"),
        archive_of("journals/a"),
        archive_of("logs/a\\b"),
        archive_of("logs/a\nb"),
        archive_of("logs/" + "a" * 250),
        archive_of(kind=tarfile.SYMTYPE, link="/etc/passwd"),
        archive_of(kind=tarfile.LNKTYPE, link="logs/b"),
        archive_of(kind=tarfile.CHRTYPE),
        archive_of(kind=tarfile.FIFOTYPE),
        archive_of(kind=tarfile.DIRTYPE),
        archive_of(kind=tarfile.GNUTYPE_SPARSE),
        archive_of(path="logs/a\0b"),
        archive_of(path="logs/" + "b" * 60),
        archive_of(path="logs/\udcff"),
        archive_of(size="9" * 14),
        archive_of(GNU_sparse_size="x", GNU_sparse_map="0,1"),
        archive_of(GNU_sparse_size="1000000000000", GNU_sparse_map="0,1"),
        archive_of(GNU_sparse_major="1", GNU_sparse_minor="0", GNU_sparse_realsize="999999999999"),
        resized(b"\x80" + bytes(2) + b"\xff" * 9),
        resized(b"\xff" * 12),
        archive_of()[:-9],
        archive_of() + b"x",
        b"",
        raw(b""),
        raw(WHOLE[:700]),
        raw(WHOLE[:1024]),
        raw(WHOLE, b"hidden"),
        raw(WHOLE[:1024], WHOLE),
        raw(b"x" * 2048),
    ],
    ids=range(33),
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(BadEvidence, match=r"which no run has|cannot be read|holds logs/a twice"):
        list(members(data, KINDS))


@given(st.dictionaries(st.from_regex(r"logs/[a-z0-9][a-z0-9._-]{0,99}", fullmatch=True), st.binary(max_size=1500)))
def test_what_is_packed_is_read_again_also_by_tar(files: dict[str, bytes]) -> None:
    data = packed(files.items())
    assert dict(members(data, KINDS)) == files
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as tar:
        assert {one.name: tar.extractfile(one).read() for one in tar} == files  # type: ignore[union-attr]
    assert data == packed(files.items())


@given(st.data())
def test_whatever_was_changed_it_is_refused_or_it_is_an_archive(data: st.DataObject) -> None:
    changed = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = dict(members(raw(bytes(changed)), KINDS))
    except BadEvidence:
        return
    assert all(name.partition("/")[0] in KINDS and len(name) < 110 for name in found)


def test_a_file_need_not_be_read_to_get_to_the_next_one() -> None:
    data = packed([("logs/a", b"a" * 3000), ("logs/b", b"b" * 513), ("logs/c", b"")])
    found = []
    for name, content in contents(data, KINDS):
        found.append(name)
        if name == "logs/b":
            assert content.read() == b"b" * 513
            assert content.read() == b""
    assert found == ["logs/a", "logs/b", "logs/c"]


@pytest.mark.parametrize("before", [0, 3 << 20, 64 << 20])
def test_what_explodes_is_read_no_further_than_the_limit(before: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Zeros after the end, or a file that is as long as it says, or one that is longer than anything may be."""
    monkeypatch.setattr(plain_tar, "SIZE_LIMIT", 4 << 20)
    member = tarfile.TarInfo("logs/a")
    member.size = before
    bomb = gzip.compress((member.tobuf(tarfile.GNU_FORMAT) if before else b"") + bytes(64 << 20), mtime=0)
    assert len(bomb) < 1 << 17
    tracemalloc.start()
    try:
        with pytest.raises(BadEvidence, match=r"holds more than|which no run has"):
            for _, content in contents(bomb, KINDS):
                assert all(len(piece) <= 1 << 20 for piece in content.chunks())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20


def test_nothing_is_written_that_nobody_could_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_tar, "SIZE_LIMIT", 1 << 20)
    most = (1 << 20) - 10240
    assert dict(members(packed([("logs/a", bytes(most))]), KINDS)) == {"logs/a": bytes(most)}
    with pytest.raises(ToolFailure, match="cannot be kept"):
        packed([("logs/a", bytes(1 << 20))])
