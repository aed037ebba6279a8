from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro.lfs_pointer import is_lfs_pointer, lfs_pointer

POINTER = lfs_pointer(hashlib.sha256(b"x").hexdigest(), 12345)


@given(st.binary(max_size=64))
def test_what_we_write_is_recognised(content: bytes) -> None:
    assert is_lfs_pointer(lfs_pointer(hashlib.sha256(content).hexdigest(), len(content)))


@given(st.binary(max_size=2000))
def test_other_contents_are_not(content: bytes) -> None:
    assert not is_lfs_pointer(content)


def test_pointers_with_extensions_are_recognised() -> None:
    assert is_lfs_pointer(POINTER.replace(b"oid", b"ext-0-foo sha256:" + b"0" * 64 + b"\noid"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        POINTER[:-2],
        POINTER.replace(b"sha256", b"sha1"),
        POINTER.replace(b"git-lfs.github.com", b"elsewhere.example"),
        b"\n" + POINTER,
        POINTER + b"x" * 1024,
        POINTER.replace(b"size 12345", b"size many"),
    ],
)
def test_what_only_looks_like_one_is_not(data: bytes) -> None:
    assert not is_lfs_pointer(data)
