"""Git LFS pointers: the small text that stands in a tree for a large file (git-lfs docs/spec.md)."""

from __future__ import annotations

import re

_POINTER = re.compile(
    rb"version https?://[^\n]+\n(?:[a-z0-9.-]+ [^\n]*\n)*?oid sha256:[0-9a-f]{64}\n(?:[a-z0-9.-]+ [^\n]*\n)*?size \d+\n"
)
_MAX_BYTES = 1024


def is_lfs_pointer(data: bytes) -> bool:
    """Whether a file's content is an LFS pointer, not the content that people see."""
    known = data.startswith((b"version https://git-lfs.github.com/spec/", b"version https://hawser.github.com/spec/"))
    return known and len(data) < _MAX_BYTES and _POINTER.match(data) is not None


def lfs_pointer(sha256: str, size: int) -> bytes:
    """The pointer that git-lfs commits for a content of this digest (hexadecimal) and size in bytes."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
