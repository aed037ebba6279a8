"""The tarball: the same bytes every time, and nothing odd gets in."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import random
import struct
import subprocess
import tarfile
import tracemalloc
import unicodedata
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro.errors import UsageError
from policy.bundle import archive_reading
from policy.bundle.archive_reading import read
from policy.bundle.archive_writing import write
from policy.bundle.reasons import Refused
from tests.policy.bundle.bundles import tarball

FILES = {"a.rego": b"package a\n", ".manifest": b"{}", "b/c.rego": b"x" * 70_000, "empty": b""}
SOUND = write(FILES)


def refused(data: bytes) -> str:
    with pytest.raises(Refused) as error:
        read(data)
    return error.value.code


def test_what_is_written_is_read() -> None:
    assert read(SOUND) == FILES
    assert list(read(SOUND)) == sorted(FILES)


def test_the_order_of_the_files_does_not_matter() -> None:
    assert write(dict(reversed(FILES.items()))) == SOUND


def test_other_programs_read_it(tmp_path: Path) -> None:
    assert gzip.decompress(SOUND)
    with tarfile.open(fileobj=io.BytesIO(SOUND)) as archive:
        assert {member.name: archive.extractfile(member).read() for member in archive} == FILES  # type: ignore[union-attr]
        assert {(member.mtime, member.uid, member.mode) for member in archive} == {(0, 0, 0o644)}
    (tmp_path / "a.tar.gz").write_bytes(SOUND)
    listed = subprocess.run(["tar", "-tzf", "a.tar.gz"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert listed.stdout.split() == sorted(FILES)
    assert subprocess.run(["gzip", "-t", "a.tar.gz"], cwd=tmp_path, check=True).returncode == 0


def test_the_bytes_are_these_on_every_machine() -> None:
    """Stored blocks, so no version of zlib has a say."""
    assert hashlib.sha256(SOUND).hexdigest() == "9c11a5365c0377542af4569d3086cdafa589a9cc19571e0440945302d1b41159"


def test_a_name_that_ustar_cannot_hold_is_said() -> None:
    with pytest.raises(UsageError, match="cannot hold a file of this name"):
        write({"n" * 101: b""})


def test_opa_writes_every_name_with_a_slash() -> None:
    assert read(tarball([("/a", b"1"), ("/b/c", b"2")])) == {"a": b"1", "b/c": b"2"}


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, link
    return found


def test_names() -> None:
    for name in ("../x", "a/../../x", "a/..", "./a", "a/./b", "a//b", "//a", "a\\b", "a\nb", "a\x7fb", ".", ".."):
        assert refused(tarball([(name, b"")])) == "archive-name", name
    assert refused(tarball([("/etc/passwd", b""), ("a", b"")])) == "archive-name"
    assert refused(_named(b"\xff\xfe")) == "archive-name"
    assert refused(_named(b"a\0b")) == "archive-name"


def _named(name: bytes) -> bytes:
    """A file of this name, whatever it is; the checksum is right."""
    header = bytearray(gzip.decompress(tarball([("x", b"")]))[:512])
    header[: len(name)] = name
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return gzip.compress(bytes(header) + bytes(1024))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a", "a"),
        ("policy/a.rego", "policy/A.rego"),
        ("stra\u00dfe", "strasse"),
        (unicodedata.normalize("NFC", "\u00fc"), unicodedata.normalize("NFD", "\u00fc")),
        ("a", "a/b"),
        ("A/b", "a"),
    ],
)
def test_two_files_that_some_reader_takes_for_one(one: str, other: str) -> None:
    assert refused(tarball([(one, b"1"), (other, b"2")])) == "archive-duplicate"


@pytest.mark.parametrize(
    "odd",
    [
        entry("a", tarfile.SYMTYPE, "/etc/passwd"),
        entry("a", tarfile.LNKTYPE, "b"),
        entry("a", tarfile.CHRTYPE),
        entry("a", tarfile.BLKTYPE),
        entry("a", tarfile.FIFOTYPE),
        entry("a", tarfile.DIRTYPE),
        entry("a", tarfile.CONTTYPE),
    ],
    ids=lambda found: found.type.decode(),
)
def test_only_regular_files(odd: tarfile.TarInfo) -> None:
    assert refused(tarball([odd])) == "archive-entry"


def test_extended_headers() -> None:
    long = "n" * 300
    assert refused(tarball([(long, b"")], tarfile.PAX_FORMAT)) == "archive-entry"
    assert refused(tarball([(long, b"")], tarfile.GNU_FORMAT)) == "archive-entry"
    with_global = io.BytesIO()
    with tarfile.open(fileobj=with_global, mode="w", pax_headers={"path": "elsewhere"}) as archive:
        archive.addfile(entry("a"))
    assert refused(gzip.compress(with_global.getvalue())) == "archive-entry"
    assert refused(tarball([("a", b"")], tarfile.GNU_FORMAT)) == "archive-tar"


def test_gzip_is_whole_and_alone() -> None:
    for cut in (1, 5, 12, len(SOUND) // 2, len(SOUND) - 1):
        assert refused(SOUND[:cut]) == "archive-gzip", cut
    assert refused(b"") == "archive-gzip"
    assert refused(b"PK\3\4") == "archive-gzip"
    assert refused(SOUND + SOUND) == "archive-trailing"
    assert refused(SOUND + b"\0") == "archive-trailing"
    flipped = bytearray(SOUND)
    flipped[-6] ^= 1
    assert refused(bytes(flipped)) == "archive-gzip"


def test_tar_is_whole_and_alone() -> None:
    plain = gzip.decompress(tarball([("a", b"1")]))[: 2 * 512]
    zeros = bytes(512)
    assert read(gzip.compress(plain + 2 * zeros)) == {"a": b"1"}
    for raw in (
        plain,
        plain + zeros,
        plain + 2 * zeros + b"x",
        plain + zeros + plain + 2 * zeros,
        plain[:600],
        plain[:-1] + b"x" + 2 * zeros,
        b"x" * 512 + 2 * zeros,
    ):
        assert refused(gzip.compress(raw)) == "archive-tar"


@pytest.mark.parametrize("size", [b"77777777777\0", b"\x80" + b"\0" * 10 + b"\1", b"-1\0", b"\0" * 12, b"9\0"])
def test_sizes_that_are_none(size: bytes) -> None:
    header = bytearray(gzip.decompress(tarball([("a", b"1")]))[:1024])
    header[124:136] = size.ljust(12, b"\0")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header[:512])
    assert refused(gzip.compress(bytes(header) + bytes(1024))) == "archive-tar"


def test_what_explodes_is_not_unpacked() -> None:
    """64 MiB of nothing are 65 kB packed, a thousandfold."""
    bomb = gzip.compress(bytes(64 << 20))
    assert len(bomb) < 100_000
    tracemalloc.start()
    assert refused(bomb) == "archive-size"
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * archive_reading.RATIO * len(bomb)


def test_a_bomb_inside_a_bomb_and_a_deflate_bomb_by_hand() -> None:
    assert refused(gzip.compress(gzip.compress(bytes(64 << 20)))) == "archive-tar"
    deflate = zlib.compressobj(9, wbits=-15)
    body = deflate.compress(bytes(32 << 20)) + deflate.flush()
    raw = b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + body + struct.pack("<II", 0, 1)
    assert refused(raw) == "archive-size"


def test_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_reading, "LARGEST", len(SOUND) - 1)
    assert refused(SOUND) == "archive-size"


def test_too_many() -> None:
    many = {f"f{number}": b"" for number in range(archive_reading.MOST_FILES + 1)}
    assert refused(write(many)) == "archive-count"
    many.popitem()
    assert len(read(write(many))) == archive_reading.MOST_FILES


@given(st.binary(max_size=3000))
def test_whatever_it_is_the_answer_is_clean(data: bytes) -> None:
    for raw in (data, gzip.compress(data), b"\x1f\x8b\x08" + data):
        with contextlib.suppress(Refused):
            read(raw)


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)


@given(st.dictionaries(NAMES, st.binary(max_size=600), max_size=6), st.sampled_from([0, 1, 2]))
def test_what_a_tar_library_wrote_is_read_as_it_says_or_refused(files: dict[str, bytes], form: int) -> None:
    data = tarball(list(files.items()), form)
    try:
        found = read(data)
    except Refused:
        return
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert [member.name for member in archive] == list(files)
    bare = all(name.startswith("/") for name in files)
    assert found == {name[1:] if bare else name: content for name, content in files.items()}


@given(st.randoms(use_true_random=False), st.integers(1, 5))
def test_damage_to_a_sound_one(chance: random.Random, times: int) -> None:
    """Below the gzip, where its checksum does not help: bytes changed, blocks moved, cut and doubled."""
    raw = bytearray(gzip.decompress(tarball([("a", b"1" * 600), ("b/c", b""), (".manifest", b"{}")]))[: 7 * 512])
    for _ in range(times):
        kind = chance.randrange(4)
        at = chance.randrange(len(raw))
        block = at - at % 512
        if kind == 0:
            raw[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            raw[block:block] = raw[:512]
        elif kind == 2 and len(raw) > 1024:
            del raw[block : block + 512]
        else:
            raw[block : block + 512] = bytes(512)
        if chance.random() < 0.5:
            raw[148:156] = b" " * 8
            raw[148:156] = b"%06o\0 " % (sum(raw[:512]) & 0o777777)
    try:
        found = read(gzip.compress(bytes(raw) + bytes(1024)))
    except Refused:
        return
    assert all(name and ".." not in name.split("/") for name in found)
