"""Where a ledger is kept, as maestro.yaml names it: a folder, ``s3://``, ``gs://`` or ``git+…``. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["folder", "s3", "gs", "git"]

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9_=+@-][A-Za-z0-9._=+@-]*(/[A-Za-z0-9_=+@-][A-Za-z0-9._=+@-]*)*")
ORIGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9./_-]{0,199}")
"""What we call a log: a name, better still an address without its scheme. Others' may be anything."""
_GIT = re.compile(r"git\+(?P<protocol>https|ssh|file)://(?P<rest>[^\s?#'\"\\]+)")


@dataclass(frozen=True)
class Address:
    """A parsed address. ``place`` is the folder's path, the bucket, or the URL for git; ``prefix`` is of objects."""

    kind: Kind
    place: str
    prefix: str = ""
    protocol: str = ""


def parse(text: str) -> Address:
    """The address in ``text``.

    Raises:
        ValueError: what it must be.
    """
    scheme, found, rest = text.partition("://")
    if not found:
        return Address("folder", text)
    if scheme in ("s3", "gs"):
        bucket, _, prefix = rest.partition("/")
        prefix = prefix.rstrip("/")
        if not _BUCKET.fullmatch(bucket) or (prefix and not _PREFIX.fullmatch(prefix)):
            raise ValueError(
                f"must be {scheme}://BUCKET/PREFIX, the bucket in lower case, no part beginning with a dot"
            )
        return Address("s3" if scheme == "s3" else "gs", bucket, prefix)
    git = _GIT.fullmatch(text)
    if git:
        if "@" in git["rest"].partition("/")[0] and git["protocol"] == "https":
            raise ValueError("must not hold a user or password: git's own credential helpers have them")
        if git["rest"].startswith("-"):
            raise ValueError("must name a host")
        return Address("git", f"{git['protocol']}://{git['rest']}", protocol=git["protocol"])
    raise ValueError(
        "must be a folder, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, git+https://…, git+ssh://… or git+file://…"
    )
