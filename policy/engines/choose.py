"""Which engine judges here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from maestro.errors import MaestroError, ToolFailure, UsageError
from maestro.process import find_program
from policy.engines.conftest_engine import ConftestEngine, probe
from policy.engines.engine import Engine
from policy.engines.known_bad import known_bad

if TYPE_CHECKING:
    from policy.parity.lock import LockSource

Choice = Literal["auto", "conftest", "regopy", "both"]
CHOICES: tuple[Choice, ...] = ("auto", "conftest", "regopy", "both")
HOW_TO_GET_CONFTEST = (
    "build conftest from tools/conftest/go.mod of maestro-conductor (`make tools`) and put it on PATH; "
    "the released conftest v0.71.1 embeds an OPA that loses a deny"
)
HOW_TO_LOCK = "merge policy/parity.lock, made with conftest at hand by `maestro policy parity --write`"


def choose(choice: str, environ: Mapping[str, str], lock: LockSource) -> Engine:
    """The engine that ``choice`` asks for, given what is on PATH.

    ``auto`` is conftest; without a trustworthy one it is regopy, which answers only for packs that the lock names.
    ``both`` asks both about every pack and trusts only what they agree on.

    Args:
        choice: one of ``CHOICES``.
        environ: for PATH.
        lock: gives ``policy/parity.lock`` as it is where policy is read; asked only when regopy judges alone.

    Raises:
        UsageError: no such choice.
        ToolFailure: conftest is asked for and missing, unusable or known to answer wrongly.
    """
    if choice not in CHOICES:
        raise UsageError(f"there is no engine {choice!r}", remedy="use one of " + ", ".join(CHOICES))
    if choice == "regopy":
        return _locked(lock, HOW_TO_GET_CONFTEST)
    try:
        conftest = trusted_conftest(environ)
    except MaestroError as error:
        if choice != "auto":
            raise
        return _locked(lock, f"{error.message}: {HOW_TO_GET_CONFTEST}")
    if choice == "both":
        from policy.engines.both_engine import BothEngines

        return BothEngines(conftest, unlocked_regopy())
    return conftest


def _locked(lock: LockSource, get_conftest: str) -> Engine:
    from policy.engines.locked_engine import LockedEngine
    from policy.engines.regopy_engine import RegopyEngine  # brings package metadata along; conftest needs none of it

    remedy = f"{HOW_TO_LOCK}; or install conftest: {get_conftest}"
    return LockedEngine(RegopyEngine(remedy=get_conftest), lock, remedy)


def unlocked_regopy() -> Engine:
    """regopy beside conftest, where it decides nothing alone."""
    from policy.engines.regopy_engine import RegopyEngine

    return RegopyEngine(remedy=HOW_TO_GET_CONFTEST)


def trusted_conftest(environ: Mapping[str, str]) -> ConftestEngine:
    """conftest as found on PATH.

    Raises:
        ToolFailure: it is missing, does not say its version, or embeds an OPA that is known to answer wrongly.
    """
    program = find_program("conftest", environ)
    if program is None:
        raise ToolFailure("conftest is not on PATH", remedy=HOW_TO_GET_CONFTEST)
    conftest, opa = probe(program)
    require_trusted(program, opa)
    return ConftestEngine(program, conftest, opa)


def require_trusted(program: Path, opa: str) -> None:
    """Refuse an embedded OPA with known wrong answers.

    Raises:
        ToolFailure: it has some, or the version cannot be told.
    """
    cases = known_bad(opa)
    if cases is None:
        raise ToolFailure(f"{program} embeds OPA {opa!r}, which is no released version", remedy=HOW_TO_GET_CONFTEST)
    if cases:
        needed = ".".join(str(part) for part in max(case.fixed_in for case in cases))
        raise ToolFailure(
            f"{program} embeds OPA {opa}, which answers wrongly ({cases[0].title}); {needed} or later is needed",
            remedy=HOW_TO_GET_CONFTEST,
        )
