"""What is left of a log beyond its limit, where nothing writes between a look and a cut: counted to the byte."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from runner.drivers.local_slots.log_cut import TAIL, LogCut

LIMIT = 1000


@given(st.lists(st.integers(0, 3 * TAIL), max_size=6))
def test_every_byte_is_kept_or_counted(tmp_path_factory: object, sizes: list[int]) -> None:
    folder: Path = tmp_path_factory.mktemp("log")  # type: ignore[attr-defined]
    path = folder / "a.log"
    path.touch()
    cut, written = LogCut(str(path), LIMIT), b""
    for number, size in enumerate(sizes):
        more = bytes([number]) * size
        with path.open("ab") as file:
            file.write(more)
        written += more
        cut.check()
    gone, log = cut.finish(), path.read_bytes()
    if not gone:
        assert log == written
        assert len(log) <= LIMIT + TAIL
        return
    notice = b"\n[maestro: at least %d bytes left out here]\n" % gone
    beginning, end = log.split(notice)
    assert beginning == written[:LIMIT]
    assert written.endswith(end)
    assert len(beginning) + len(end) + gone == len(written)
