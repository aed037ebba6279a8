"""A pack: a folder of Rego with one namespace, a mode, an owner. Loading one never runs it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

from maestro.findings import Hardening, Location, Mode, Rule, milder, one_step_milder
from policy.engines.engine import Program, RegoVersion

if TYPE_CHECKING:
    from maestro.config import Config
    from policy.bundle.last_seen import Seen

InputKind = Literal["document", "flag-change", "manifest-change", "placement-request"]
RuleKind = Literal["deny", "warn", "violation"]


@dataclass(frozen=True)
class PackRule:
    """One rule of a pack, by its head (``deny_missing_owner``); ``mode`` is its own block's, or None.

    ``suffix`` is the part of its id after the pack's name: ``missing_owner``; the bare ``deny`` is ``deny``.
    """

    name: str
    kind: RuleKind
    suffix: str
    mode: Mode | None
    title: str | None
    location: Location
    custom: Mapping[str, Any] = field(default_factory=dict)
    effective_on: dt.date | None = None
    """As ``Pack.effective_on``, for this rule alone."""
    hardens: Hardening | None = None


@dataclass(frozen=True)
class Pack:
    """What judges. ``name`` is what its rules' ids begin with: the package (``mc.flags``), unless maestro.yaml gives
    another because two packs have one package. ``modules`` and ``data`` are keyed by the path inside
    ``path`` (data: by its path in the repository), tests and fixtures left out; ``data`` values are JSON objects."""

    name: str
    path: str
    mode: Mode
    owner: str | None
    input: InputKind
    match: tuple[str, ...]
    rego_version: RegoVersion
    builtin_errors: Literal["strict", "undefined"]
    title: str | None
    rules: tuple[PackRule, ...]
    modules: Mapping[str, bytes]
    data: Mapping[str, bytes]
    digest: str
    location: Location
    conftest_style: bool = False
    """Written for conftest and named by an entry of maestro.yaml: its helpers may live in other packages, and errors
    inside builtins are undefined unless its METADATA says ``builtin_errors: strict``."""
    decides: bool = False
    """It answers ``decision``."""
    exceptions: bool = False
    """It defines conftest's ``exception``."""
    new: bool = False
    package: str | None = None
    """The Rego package that is asked, where it is not ``name``."""
    bundle: str | None = None
    """The signed bundle's file that it came in."""
    bundle_lock: bytes = b""
    """The parity lock in that bundle; empty where it has none."""
    effective_on: dt.date | None = None
    """The day (UTC) from whose beginning on it has the mode that is written; before it, one step milder."""
    hardens: Hardening | None = None
    """What is still to come, seen from the day that ``on`` was asked for."""

    def on(self, day: dt.date) -> Pack:
        """The pack as it judges on ``day``. As loaded, it has the modes that are written, whatever the day: who does
        not ask is stricter, never milder."""
        mode, hardens = _in_force(self.mode, self.hardens, self.effective_on, day)
        rules = tuple(_rule_on(rule, day) for rule in self.rules)
        return replace(self, mode=mode, hardens=hardens, rules=rules)

    def hardening_of(self, rule: PackRule) -> Hardening | None:
        """When a result of ``rule`` will weigh more than it does, and how much."""
        announced = [one for one in (self.hardens, rule.hardens) if one is not None]
        for day in sorted(one.on for one in announced):
            mode = self.on(day).mode_of(_rule_on(rule, day))
            if mode != self.mode_of(rule):
                return Hardening(day, mode)
        return None

    def mode_of(self, rule: PackRule) -> Mode:
        """The mode a result of ``rule`` has: its own where milder than the pack's; a warn rule at most warns."""
        mode = milder(self.mode, rule.mode) if rule.mode else self.mode
        return milder(mode, "warn") if rule.kind == "warn" else mode

    @property
    def asked(self) -> tuple[str, ...]:
        """Every rule once, then ``decision`` and ``exception`` where the pack has them."""
        names = [rule.name for rule in self.rules]
        return (*names, *["decision"] * self.decides, *["exception"] * self.exceptions)

    def program(self) -> Program:
        """What an engine is asked: the values of ``asked``, in that order."""
        return Program(
            modules=self.modules,
            data=self.data,
            entrypoints=tuple(f"data.{self.package or self.name}.{name}" for name in self.asked),
            rego_version=self.rego_version,
            strict_builtin_errors=self.builtin_errors == "strict",
            bundle_lock=self.bundle_lock if self.bundle is not None else None,
        )


def _in_force(
    mode: Mode, hardens: Hardening | None, effective_on: dt.date | None, day: dt.date
) -> tuple[Mode, Hardening | None]:
    written = mode if hardens is None else hardens.mode
    if effective_on is None or day >= effective_on:
        return written, None
    return one_step_milder(written), Hardening(effective_on, written)


def _rule_on(rule: PackRule, day: dt.date) -> PackRule:
    if rule.effective_on is None or rule.mode is None:
        return rule
    mode, hardens = _in_force(rule.mode, rule.hardens, rule.effective_on, day)
    return replace(rule, mode=mode, hardens=hardens)


@dataclass(frozen=True)
class PackProblem:
    """Something wrong with a pack as it is written; ``pack`` is its folder."""

    rule: Rule
    message: str
    location: Location
    pack: str
    remedy: str | None = None


@dataclass(frozen=True)
class Packs:
    """The packs that can judge, and what is wrong with any. A pack that cannot judge has a problem that blocks."""

    packs: tuple[Pack, ...]
    problems: tuple[PackProblem, ...]
    bundles: tuple[tuple[str, Seen], ...] = ()
    """Of every bundle that was let in, its name and the revision it has."""

    def on(self, day: dt.date) -> Packs:
        """The packs as they judge on ``day`` (UTC)."""
        return replace(self, packs=tuple(pack.on(day) for pack in self.packs))


class Files(Protocol):
    """The part of a snapshot that loading needs."""

    @property
    def entries(self) -> Mapping[str, Any]:
        """Every path of the revision to its entry (``mode``, ``oid``)."""

    def read_many(self, paths: Iterable[str]) -> dict[str, bytes]:
        """The bytes of several files."""


@dataclass(frozen=True)
class Admission:
    """A bundle's packs, or what keeps them out; ``bundle`` as in ``Packs.bundles``, None where it was refused."""

    packs: tuple[Pack, ...]
    problems: tuple[PackProblem, ...]
    bundle: tuple[str, Seen] | None


class Door(Protocol):
    """The one way in for packs that do not lie in the revision as files."""

    def admit(self, snapshot: Files, config: Config) -> Iterable[Admission]:
        """Verify every bundle that maestro.yaml names. Raises nothing for what it reads."""


def load_packs(snapshot: Files, config: Config, door: Door | None = None) -> Packs:
    """Find, read and check every pack that maestro.yaml names. Evaluates nothing, raises nothing for what it reads.

    Without a ``door`` every bundle is a problem that blocks.
    """
    from policy.loading import load

    return load(snapshot, config, door)
