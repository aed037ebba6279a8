"""The files of an evidence pack and the commands of its README; what a signature is over lies beside it."""

from __future__ import annotations

import re
import shlex
from typing import Final

from maestro.evidence import bundle as bundles
from maestro.evidence.trust import Trust

SIGNED_BY_KEY: Final = "--insecure-ignore-tlog"


class Pack:
    """The files of a pack by their path in it, and the README's checks, in order."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.checks: list[tuple[str, list[str]]] = []

    def add(self, path: str, data: bytes) -> str:
        """Lay a file into the pack; two of one path are told apart by a number."""
        free, number = path, 2
        while self.files.get(free, data) != data:
            head, dot, tail = path.rpartition("/")
            free = f"{head}{dot}{number}-{tail}"
            number += 1
        self.files[free] = data
        return free

    def check(self, title: str, *commands: str) -> None:
        """A section of the README."""
        self.checks.append((title, list(commands)))

    def key(self, name: str, pem: str) -> str:
        """Lay a public key into the pack."""
        return self.add(f"keys/{file_name(name)}.pub", pem.encode())

    def statement(self, path: str, data: bytes, trust: Trust) -> tuple[str, str]:
        """Lay a statement signed by a plain key into the pack, and what openssl wants.

        Returns:
            where the signed bytes lie, and the command that verifies them.
        """
        envelope = bundles.parse(data)
        key = trust.key(envelope.key_id)
        path = self.add(path, data)
        signed = self.add(f"{path}.signed", envelope.signed)
        signature = self.add(f"{path}.sig", envelope.signature)
        return signed, openssl(self.key(key.id, key.pem), signature, signed)


def file_name(text: str) -> str:
    """Text as part of a file's name."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", text)[:80]


def quoted(text: str) -> str:
    """Text as one word of a shell's."""
    return shlex.quote(text)


def openssl(key: str, signature: str, signed: str) -> str:
    """The command that verifies an ECDSA signature."""
    return f"openssl dgst -sha256 -verify {quoted(key)} -signature {quoted(signature)} {quoted(signed)}"


def digest_of(path: str) -> str:
    """A shell's words for a file's SHA-256, in hexadecimal."""
    return f"$(sha256sum < {quoted(path)} | cut -c1-64)"
