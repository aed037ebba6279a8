"""The one question every engine answers: the values of these entrypoints for these inputs."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

RegoVersion = Literal["v0", "v1"]
BrokenKind = Literal[
    "builtin", "conflict", "timeout", "memory", "crash", "compile", "unsupported", "missing", "disagreement"
]


class Undefined(enum.Enum):
    """The value of an entrypoint that no rule defines."""

    UNDEFINED = "undefined"

    def __repr__(self) -> str:
        return "UNDEFINED"


UNDEFINED: Final = Undefined.UNDEFINED


@dataclass(frozen=True)
class Program:
    """Rego and the values wanted from it.

    ``modules``: file name (relative, ``/`` separated, never a test) to source. ``data``: file name to a JSON object;
    all are merged at the root of ``data``. ``entrypoints``: rules as references, ``data.mc.flags.deny_missing_owner``.
    ``strict_builtin_errors``: an error inside a builtin breaks the input (else the call is undefined, OPA's default).
    ``bundle_lock``: of a pack that came in a bundle, that bundle's own parity lock; empty where it has none.
    """

    modules: Mapping[str, bytes]
    data: Mapping[str, bytes]
    entrypoints: tuple[str, ...]
    rego_version: RegoVersion = "v1"
    strict_builtin_errors: bool = True
    bundle_lock: bytes | None = None


@dataclass(frozen=True)
class Values:
    """One JSON value (sets are sorted arrays) or UNDEFINED per entrypoint, in their order."""

    values: tuple[Any | Undefined, ...]


@dataclass(frozen=True)
class Disagreement:
    """Two engines answered, and not the same.

    ``answers``: for the input that was judged, per engine ``{"value": …}``, ``{"undefined": true}`` or
    ``{"error": …}``. ``smallest``: an input that shows it, as small as was found.
    """

    entrypoint: str
    answers: Mapping[str, Any]
    smallest: Any


@dataclass(frozen=True)
class Broken:
    """No trustworthy answer for this input. Never an allow. ``seen`` is what a disagreement consists of."""

    message: str
    kind: BrokenKind
    remedy: str | None = None
    seen: Disagreement | None = None


Answer = Values | Broken


class Engine(Protocol):
    """Something that evaluates Rego."""

    @property
    def name(self) -> str:
        """``conftest``, ``regopy`` or ``both``."""

    @property
    def version(self) -> str:
        """What it is made of, for reports: ``conftest 0.71.1, OPA 1.22.2``."""

    def evaluate(self, program: Program, inputs: Sequence[Any]) -> list[Answer]:
        """One answer per input, in order. Never raises for what Rego or an input causes."""
