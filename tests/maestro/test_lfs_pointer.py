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
        POINTER.replace(b"sha256", b"sha1"),
        POINTER.replace(b"oid ", b"oid: "),
        POINTER.replace(b"git-lfs.github.com", b"elsewhere.example"),
        POINTER + b"x" * 1024,
    ],
)
def test_what_only_looks_like_one_is_not(data: bytes) -> None:
    assert not is_lfs_pointer(data)


@pytest.mark.parametrize(
    "data",
    [
        POINTER.removesuffix(b"\n"),
        b" \n" + POINTER + b"\n\n",
        POINTER.replace(b"\n", b"\r\n"),
        POINTER.replace(b"\n", b"\n\n"),
        POINTER.replace(b"https://git-lfs.github.com/spec/v1", b"http://git-media.io/v/2"),
        POINTER.replace(b"https://git-lfs.github.com/spec/v1", b"https://hawser.github.com/spec/v1"),
        POINTER.replace(hashlib.sha256(b"x").hexdigest().encode(), b"A" * 64),
        POINTER.replace(b"12345", b"+12345"),
    ],
)
def test_what_git_lfs_takes_for_one_is_one(data: bytes) -> None:
    """Its checkout writes what the pointer stands for, however the pointer was written."""
    assert is_lfs_pointer(data)
