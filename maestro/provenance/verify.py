"""Whether artifacts are proven: bundles against a trust policy. Pure; files, git and the clock are handed in.

Every entry of trust.yaml that means an artifact must hold; an entry holds when enough distinct signers meet it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from maestro.evidence.statement import Statement
from maestro.provenance import bundle as bundles
from maestro.provenance import statement as statements
from maestro.provenance.authenticate import Authentic, Believed, authenticate
from maestro.provenance.bundle import Bundle, MessageSignature
from maestro.provenance.expectations import Met, meet
from maestro.provenance.loosening import Loosened
from maestro.provenance.quorum import distinct
from maestro.provenance.reasons import NotProven
from maestro.provenance.trust_policy import Artifact, TrustPolicy

UNANSWERED: Final = "verify/image-unanswered"
"""The one reason that is no refusal: what could not be asked might prove it."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be proven: the name that patterns of trust.yaml mean, and its SHA-256 (hexadecimal).

    ``label``: what reports call it, where that says more than the name.
    """

    name: str
    sha256: str
    label: str = ""

    @property
    def shown(self) -> str:
        """What reports call it."""
        return self.label or self.name


@dataclass(frozen=True, slots=True)
class Evidence:
    """A bundle's bytes, and what to call it. ``problem``: why there are none (it could not be read)."""

    name: str
    data: bytes
    problem: NotProven | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """What one bundle is worth for one entry."""

    evidence: str
    met: Met | None
    problem: NotProven | None


@dataclass(frozen=True, slots=True)
class EntryResult:
    """One entry of the policy: every bundle's worth, and what is missing in the end."""

    entry: Artifact
    judged: tuple[Judged, ...]
    problem: NotProven | None

    @property
    def met(self) -> tuple[Met, ...]:
        """What counted."""
        return tuple(one.met for one in self.judged if one.met is not None)

    def loosened(self) -> Loosened:
        """What the entry gives up, and who was believed without a log."""
        unlogged = dict.fromkeys(one.unlogged for one in self.met if one.unlogged is not None)
        return Loosened(self.entry.name, (*self.entry.loosened(), *unlogged))


@dataclass(frozen=True, slots=True)
class Verification:
    """One artifact: proven when no problem remains."""

    subject: Subject
    entries: tuple[EntryResult, ...]
    problem: NotProven | None

    @property
    def proven(self) -> bool:
        """Whether it may be used."""
        return self.problem is None

    @property
    def refused(self) -> bool:
        """Whether it is not proven for certain: nothing is outstanding that might have proven it."""
        judged = [one.problem for entry in self.entries for one in entry.judged]
        return not self.proven and not any(
            one is not None and one.code == UNANSWERED for one in (self.problem, *judged)
        )


@dataclass(frozen=True, slots=True)
class _Read:
    """One bundle, authenticated once for all artifacts; ``about``: their digests, None where it cannot be told."""

    evidence: str
    about: frozenset[str] | None
    signed: Authentic | None
    statement: Statement | None
    problem: NotProven | None


def verify(
    subjects: Sequence[Subject],
    evidence: Sequence[Evidence],
    policy: TrustPolicy,
    believed: Believed,
    now: dt.datetime,
) -> tuple[Verification, ...]:
    """The verdict on each artifact, in the order given. ``now`` is aware."""
    known = frozenset(one.sha256 for one in subjects)
    read = [one for given in evidence for one in _read(given, known, believed, now)]
    return tuple(_verification(subject, read, policy, now) for subject in subjects)


def _read(given: Evidence, known: frozenset[str], believed: Believed, now: dt.datetime) -> list[_Read]:
    if given.problem is not None:
        return [_Read(given.name, None, None, None, given.problem)]
    try:
        bundle = bundles.parse(given.data)
        if isinstance(bundle.content, MessageSignature):
            return [_message(given, bundle, bundle.content, one, believed, now) for one in sorted(known)]
        signed = authenticate(given.data, bundle, "", believed, now)
        statement = statements.parse(bundle.content)
    except NotProven as error:
        return [_Read(given.name, None, None, None, error)]
    return [_Read(given.name, statements.digests(statement), signed, statement, None)]


def _message(
    given: Evidence, bundle: Bundle, content: MessageSignature, sha256: str, believed: Believed, now: dt.datetime
) -> _Read:
    """A signature over a file itself has to be tried on each."""
    about = frozenset((sha256,)) if content.sha256 is None else frozenset((content.sha256.hex(),))
    try:
        return _Read(given.name, about, authenticate(given.data, bundle, sha256, believed, now), None, None)
    except NotProven as error:
        return _Read(given.name, about, None, None, error)


def _verification(subject: Subject, read: Sequence[_Read], policy: TrustPolicy, now: dt.datetime) -> Verification:
    entries = policy.artifacts_of(subject.name)
    if not entries:
        known = ", ".join(pattern for one in policy.artifacts for pattern in one.match) or "none"
        problem = NotProven(
            "verify/no-policy", f"no entry of trust.yaml means {subject.name!r} (there are: {known:.200})"
        )
        return Verification(subject, (), problem)
    relevant = [one for one in read if one.about is None or subject.sha256 in one.about] or list(read)
    results = tuple(_entry(entry, subject, relevant, now) for entry in entries)
    return Verification(subject, results, next((one.problem for one in results if one.problem is not None), None))


def _entry(entry: Artifact, subject: Subject, read: Sequence[_Read], now: dt.datetime) -> EntryResult:
    judged = tuple(_judge(entry, subject, one, now) for one in read)
    met = [one.met for one in judged if one.met is not None]
    if entry.loosen.anyone:
        signers = len({one.signer for one in met})
    else:
        signers = distinct((one.signer, one.built.index) for one in met)
    if signers >= entry.signers:
        return EntryResult(entry, judged, None)
    problems = [one.problem for one in judged if one.problem is not None]
    if not judged:
        return EntryResult(
            entry, (), NotProven("verify/statement-missing", "there is no bundle that says anything about it")
        )
    if len(problems) == 1 and not met:
        return EntryResult(entry, judged, problems[0])
    said = f"; {problems[0].message}" if problems else ""
    code = problems[0].code if problems and not met and len({one.code for one in problems}) == 1 else "verify/signers"
    message = f"{signers} of {entry.signers} distinct signers vouch for it{said}"
    return EntryResult(entry, judged, NotProven(code, message))


def _judge(entry: Artifact, subject: Subject, read: _Read, now: dt.datetime) -> Judged:
    if read.signed is None:
        return Judged(read.evidence, None, read.problem)
    try:
        if read.statement is not None:
            statements.require_subject(read.statement, subject.sha256)
        elif read.about is not None and subject.sha256 not in read.about:
            raise NotProven("verify/subject-mismatch", "the signature is over another file")
        return Judged(read.evidence, meet(entry, read.signed, read.statement, now), None)
    except NotProven as error:
        return Judged(read.evidence, None, error)
