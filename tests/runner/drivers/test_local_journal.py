"""Reading a journal while it is written: every record once, whole, in order."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro.errors import ToolFailure
from runner.drivers.local_journal import JournalFile

SLOT = {"kind": "slot", "session": 1, "pid": 0, "birth": None, "boot": "b", "anchor_wall": 0, "anchor_mono": 0}


def line(number: int) -> bytes:
    return json.dumps({"kind": "horizon", "ids": [f"{number}" * 40]}).encode() + b"\n"


def test_the_end_of_a_line_may_be_seen_before_its_beginning(tmp_path: Path) -> None:
    """As a reader sees it that was at the page before when both were written."""
    first, second = json.dumps(SLOT).encode() + b"\n", line(1)
    path = tmp_path / "1-a.0.jsonl"
    path.write_bytes(first + bytes(10) + second[10:] + bytes(4096))
    file = JournalFile(path)
    assert file.new_records() == [SLOT]
    assert file.new_records() == []
    path.write_bytes(first + second + bytes(4096))
    assert file.new_records() == [json.loads(second)]


@given(st.lists(st.integers(0, 9), max_size=6), st.data())
def test_whatever_has_arrived_by_then(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int], data: st.DataObject
) -> None:
    """The bytes of the lines arrive in any order; each read sees those that have, and NULs in between."""
    whole = json.dumps(SLOT).encode() + b"\n" + b"".join(map(line, numbers))
    path = tmp_path_factory.mktemp("j") / "1-a.0.jsonl"
    blocks = list(range(0, len(whole), 16))
    arrives = data.draw(st.permutations(blocks))
    seen = bytearray(len(whole) + 64)
    file, read = JournalFile(path), []
    path.touch()
    for at in arrives:
        seen[at : at + 16] = whole[at : at + 16]
        path.write_bytes(seen[: len(whole)] + bytes(64))
        read += file.new_records()
    assert read == [json.loads(one) for one in whole.splitlines()]


def test_two_processes_at_once(tmp_path: Path) -> None:
    path = tmp_path / "1-a.0.jsonl"
    count = 20_000
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    os.posix_fallocate(fd, 0, 4 << 20)
    os.write(fd, json.dumps(SLOT).encode() + b"\n")
    pid = os.fork()
    if pid == 0:
        for number in range(count):
            os.write(fd, line(number % 10))
        os._exit(0)
    os.close(fd)
    file, found = JournalFile(path), 0
    while True:
        ended = os.waitpid(pid, os.WNOHANG)[0]
        found += len(file.new_records())
        if ended:
            break
    assert found == count + 1


def test_what_is_no_record_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "1-a.0.jsonl"
    path.write_bytes(json.dumps(SLOT).encode() + b"\n" + b"[" * 10_000 + b"\n")
    with pytest.raises(ToolFailure, match="is damaged"):
        JournalFile(path).new_records()
