"""SSH keys made by ssh-keygen for tests; each run makes its own, none is kept."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

_FOLDER = TemporaryDirectory(prefix="maestro-test-keys-")


@dataclass(frozen=True)
class Key:
    """A key pair; ``public`` is the line that goes into allowed_signers."""

    private: Path
    public: str


@cache
def key(name: str, kind: str = "ed25519") -> Key:
    """The key pair called ``name``, made when first asked for."""
    path = Path(_FOLDER.name) / name
    keygen("-q", "-t", kind, "-N", "", "-C", "", "-f", str(path))
    return Key(path, Path(f"{path}.pub").read_text().strip())


def certified(name: str, authority: str, principals: str) -> Path:
    """A certificate (``-cert.pub``) for the key ``name`` by the key ``authority``."""
    own = key(name)
    keygen("-q", "-s", str(key(authority).private), "-I", name, "-n", principals, f"{own.private}.pub")
    return Path(f"{own.private}-cert.pub")


def keygen(*arguments: str) -> None:
    """Run ssh-keygen; an error of it is the test's."""
    subprocess.run(["ssh-keygen", *arguments], check=True, capture_output=True)
