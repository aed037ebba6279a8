"""Everything a release consists of, one verdict each: files, bundles, chain and verdicts by who already judges them.

A part that cannot be verified fails the release, and so does one that maestro.yaml requires and nobody names.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from maestro.chain.verify import Chain, verify_chain
from maestro.chain.words import as_lines
from maestro.commands.files import open_named, read_named
from maestro.commands.verify_blob import evidence_in, subject_of
from maestro.commands.verify_chain import read_links
from maestro.config import Config
from maestro.errors import MaestroError
from maestro.evidence.strict_json import SIZE_LIMIT
from maestro.evidence.trust import trust_of
from maestro.evidence.verdict import read_attested
from maestro.provenance.deciding import Decider
from maestro.provenance.verify import Evidence, Verification, verify
from policy.bundle.door import BundleDoor
from policy.release.document import Release

MISSING: Final = "release/part-missing"
UNREADABLE: Final = "release/unreadable"
VERDICT: Final = "release/verdict"
BUNDLE: Final = "bundle/"


@dataclass(frozen=True, slots=True)
class Part:
    """The verdict on one part; ``reason``: None where it holds, else a stable code."""

    kind: str
    name: str
    reason: str | None
    message: str
    remedy: str | None = None

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against it."""
        return self.reason is None


@dataclass(frozen=True, slots=True)
class Judged:
    """A release, judged; ``artifacts`` and ``evidence`` for whoever sums it up."""

    parts: tuple[Part, ...]
    artifacts: tuple[Verification, ...]
    evidence: tuple[Evidence, ...]

    @property
    def holds(self) -> bool:
        """Whether it may go out: there is something, and all of it holds."""
        return bool(self.parts) and all(part.holds for part in self.parts)


def judge(
    release: Release, folder: Path, config: Config, decider: Callable[[], Decider], door: BundleDoor, now: dt.datetime
) -> Judged:
    """The verdict on each part, in the document's order.

    Args:
        release: what it consists of.
        folder: that its paths are taken from.
        config: maestro.yaml of the policy revision.
        decider: makes trust.yaml of the policy revision; called only where an artifact is to be judged.
        door: of policy bundles.
        now: aware.
    """
    parts: list[Part] = []
    found: tuple[Verification, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    if release.artifacts:
        found, evidence, parts = _artifacts(release, folder, decider, now)
    for one in release.policy_bundles:
        parts.append(_part("policy bundle", one, partial(_bundle, folder / one, one, config, door)))
    if release.chain is not None:
        parts.append(_part("chain", release.chain.layout, partial(_chain, release, folder, config, now)))
    for one in release.verdicts:
        parts.append(_part("verdict", one, partial(_verdict, folder / one, one, config)))
    for name in config.release.requires:
        if not getattr(release, name):
            message = f"release.yaml names none, and maestro.yaml requires it (release.requires: {name})"
            parts.append(Part(name, "-", MISSING, message, "add it to release.yaml"))
    return Judged(tuple(parts), found, evidence)


def _part(kind: str, name: str, judge_it: Callable[[], str]) -> Part:
    try:
        return Part(kind, name, None, judge_it())
    except MaestroError as error:
        code = getattr(error, "code", None) or (VERDICT if kind == "verdict" else UNREADABLE)
        if kind == "policy bundle" and "/" not in code:
            code = BUNDLE + code
        place = f"{error.where}: " if error.where and error.where != name else ""
        return Part(kind, name, code, place + error.message, error.remedy)


def _artifacts(
    release: Release, folder: Path, decider: Callable[[], Decider], now: dt.datetime
) -> tuple[tuple[Verification, ...], tuple[Evidence, ...], list[Part]]:
    found: list[Verification] = []
    used: list[Evidence] = []
    parts = []
    try:
        by = decider()
    except MaestroError as error:
        return (
            (),
            (),
            [Part("artifact", one.path, UNREADABLE, error.message, error.remedy) for one in release.artifacts],
        )
    for one in release.artifacts:
        try:
            subject = subject_of(folder, one.path, by.root)
            evidence = [item for name in one.bundles for item in evidence_in(folder, name)]
        except MaestroError as error:
            parts.append(Part("artifact", one.path, UNREADABLE, f"{error.where}: {error.message}", error.remedy))
            continue
        [verified] = verify([subject], evidence, by.policy, by.believed, now)
        found.append(verified)
        used += evidence
        if verified.problem is not None:
            problem = verified.problem
            parts.append(Part("artifact", one.path, problem.code, problem.message, problem.remedy))
        else:
            met = [item for entry in verified.entries for item in entry.met]
            said = ", ".join(dict.fromkeys(f"{item.built.name} (level {item.built.level})" for item in met))
            loosened = [name for entry in verified.entries for name in entry.entry.loosened()]
            parts.append(
                Part("artifact", one.path, None, said + (f"; loosened: {', '.join(loosened)}" * bool(loosened)))
            )
    return tuple(found), tuple(used), parts


def _bundle(path: Path, shown: str, config: Config, door: BundleDoor) -> str:
    admitted = door.admit_file(path, config, shown)
    return f"{admitted.manifest.contents.name} revision {admitted.manifest.revision}, signed by {admitted.key.id}"


def owners_of(layout: bytes, config: Config, now: dt.datetime) -> list[str]:
    """The owners (PEM), valid now, whose key the layout says it is signed with: all of these must have."""
    from in_toto.models._signer import SSlibKey

    from maestro.evidence.strict_json import loads

    rows = loads(layout, what="the layout").get("signatures")
    named = {row.get("keyid") for row in rows if isinstance(row, dict)} if isinstance(rows, list) else set()
    keys = trust_of(config.release.layout_keys, file="maestro.yaml: release.layout_keys").keys.values()
    valid = [key for key in keys if key.objection(now) is None]
    return [key.pem for key in valid if SSlibKey.from_crypto(key.key).keyid in named]


def _chain(release: Release, folder: Path, config: Config, now: dt.datetime) -> str:
    if release.chain is None:
        raise TypeError("there is no chain")
    layout = read_named(folder / release.chain.layout, release.chain.layout, SIZE_LIMIT)
    links = read_links(folder / release.chain.links, release.chain.links)
    chain = verify_chain(layout, links, owners_of(layout, config, now), now)
    for path in (*(one.path for one in release.artifacts), *release.policy_bundles):
        _require(chain, folder, path)
    return "; ".join(as_lines(chain))


def _require(chain: Chain, folder: Path, path: str) -> None:
    with os.fdopen(open_named(folder / path, path), "rb") as file:
        chain.require(path, hashlib.file_digest(file, "sha256").hexdigest())


def _verdict(path: Path, shown: str, config: Config) -> str:
    from maestro.evidence.errors import BadEvidence

    verdict = read_attested(read_named(path, shown, SIZE_LIMIT), trust_of(config.keys))
    if not verdict.allowed:
        raise BadEvidence("the verdict blocks", remedy="see `maestro check`")
    return f"allows the tree {verdict.tree[:12]} under the policy of {verdict.policy_revision[:12]}"
