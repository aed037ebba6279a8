"""Git LFS pointers: the small text that stands in a tree for a large file (git-lfs docs/spec.md)."""

from __future__ import annotations

import re

_VERSIONS = (
    b"https://git-lfs.github.com/spec/",
    b"https://hawser.github.com/spec/",
    b"http://git-media.io/v/",
)
_DIGEST = re.compile(rb"^oid sha256:[0-9a-fA-F]{64}", re.MULTILINE)
_MAX_BYTES = 1024


def is_lfs_pointer(data: bytes) -> bool:
    """Whether a file's content is an LFS pointer, not the content that people see.

    As leniently as git-lfs reads one (lfs/pointer.go): white space around it and the last line's end do not matter.
    """
    if len(data) >= _MAX_BYTES:
        return False
    text = data.strip()
    known = text.startswith(tuple(b"version " + one for one in _VERSIONS))
    return known and _DIGEST.search(text) is not None


def lfs_pointer(sha256: str, size: int) -> bytes:
    """The pointer that git-lfs commits for a content of this digest (hexadecimal) and size in bytes."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
