"""Names of images: registry, repository, tag or digest (distribution-spec 1.1, "Pulling manifests").

Nothing is completed: neither a registry nor ``latest`` is assumed, because what decides is written for one of them.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from maestro.errors import UsageError

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_REGISTRY = re.compile(rf"((?:{_LABEL})(?:\.{_LABEL})*|\[[0-9a-fA-F:.]+\])(?::([0-9]{{1,5}}))?")
_PART = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_LONGEST_NAME = 255
_REMEDY: Final = "write it whole, like ghcr.io/acme/api@sha256:… or ghcr.io/acme/api:v1.2.0"


@dataclass(frozen=True, slots=True)
class Reference:
    """One image. Either ``tag`` or ``sha256`` (hexadecimal) is there: beside a digest, a tag says nothing."""

    registry: str
    repository: str
    tag: str | None
    sha256: str | None

    @property
    def name(self) -> str:
        """What patterns of trust.yaml mean: registry and repository."""
        return f"{self.registry}/{self.repository}"

    def pinned(self, sha256: str) -> Reference:
        """The same name by a digest."""
        return Reference(self.registry, self.repository, None, sha256)

    def __str__(self) -> str:
        return f"{self.name}@sha256:{self.sha256}" if self.sha256 is not None else f"{self.name}:{self.tag}"


def digest_of(text: str) -> str | None:
    """The hexadecimal digits of ``sha256:…``; None for anything else, other algorithms included."""
    found = _DIGEST.fullmatch(text)
    return found[1] if found is not None else None


def is_loopback(registry: str) -> bool:
    """Whether a registry (``host``, ``host:port``) is this machine by its name alone; nothing is looked up."""
    found = _REGISTRY.fullmatch(registry)
    host = found[1].strip("[]") if found is not None else ""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parse_reference(text: str) -> Reference:
    """The image that ``text`` names.

    Raises:
        UsageError: it is not the whole name of one, with what is missing or malformed.
    """
    name, at, digest = text.partition("@")
    sha256 = digest_of(digest) if at else None
    if at and sha256 is None:
        raise _wrong(text, "what follows @ must be sha256: and 64 hexadecimal digits in lower case")
    registry, slash, rest = name.partition("/")
    if not slash or not ("." in registry or ":" in registry or registry.lower() == "localhost"):
        raise _wrong(text, "it names no registry, and none is assumed")
    _require_registry(text, registry)
    repository, colon, tag = rest.partition(":")
    if not _REPOSITORY.fullmatch(repository) or len(registry) + 1 + len(repository) > _LONGEST_NAME:
        raise _wrong(text, "the repository must be words in lower case, digits and single . _ - between them, with /")
    if colon and not _TAG.fullmatch(tag):
        raise _wrong(text, "the tag must be up to 128 letters, digits and . _ -, and begin with none of . -")
    if not colon and sha256 is None:
        raise _wrong(text, "it has neither a tag nor a digest, and `latest` is not assumed")
    return Reference(registry.lower(), repository, None if sha256 is not None else tag, sha256)


def _require_registry(text: str, registry: str) -> None:
    found = _REGISTRY.fullmatch(registry)
    if found is None or (found[2] is not None and not 0 < int(found[2]) < 65536):
        raise _wrong(text, "the registry must be a host, or host:port")
    if found[1].startswith("["):
        try:
            ipaddress.IPv6Address(found[1][1:-1])
        except ValueError:
            raise _wrong(text, "the registry's address is no IPv6 address") from None


def _wrong(text: str, words: str) -> UsageError:
    return UsageError(f"{text!r:.200} is not the name of an image: {words}", remedy=_REMEDY)
