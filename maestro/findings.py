"""What a gate says: findings, and the verdict they add up to. Plain values, no I/O."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

Mode = Literal["enforce", "warn", "shadow"]
Outcome = Literal["passed", "failed", "skipped", "errored"]

MILDNESS: dict[Mode, int] = {"enforce": 0, "warn": 1, "shadow": 2}


def milder(one: Mode, other: Mode) -> Mode:
    """The milder of two modes (shadow is milder than warn, warn than enforce)."""
    return one if MILDNESS[one] >= MILDNESS[other] else other


def one_step_milder(mode: Mode) -> Mode:
    """What ``mode`` is staged from: warn for enforce, shadow for warn."""
    return "warn" if mode == "enforce" else "shadow"


@dataclass(frozen=True, slots=True)
class Hardening:
    """A stricter mode that is announced: ``mode`` holds from the beginning of the day ``on``, UTC."""

    on: dt.date
    mode: Mode


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a file of the governed repository. Lines and columns count from 1, columns in code points;
    the end is exclusive."""

    path: str
    line: int = 1
    column: int = 1
    end_line: int | None = None
    end_column: int | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the text of ``location`` (an empty span inserts) with ``text``; everything around it stays."""

    location: Location
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """A repair a person may accept: what it does, and the edits that do it (they never overlap)."""

    description: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """One defect.

    ``discriminator`` tells apart findings of one rule on one subject without naming a line: a JSON pointer,
    or the message. ``fingerprint``, ``existing`` and ``waived_by`` are filled in by the harness.
    """

    rule: str
    message: str
    location: Location
    subject: str
    mode: Mode = "enforce"
    remedy: str | None = None
    owner: str | None = None
    fix: Fix | None = None
    discriminator: str | None = None
    docs: str | None = None
    existing: bool = False
    waived_by: str | None = None
    fingerprint: str = ""
    hardens: Hardening | None = None
    """When its rule will have a stricter mode, where that is announced. No part of the fingerprint."""

    @property
    def blocks(self) -> bool:
        """Whether this finding alone stops the change."""
        return self.mode == "enforce" and not self.existing and self.waived_by is None


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a gate, declared once, beside the code that finds it. ``id`` is ``mc.<gate>/<name>``."""

    id: str
    title: str
    remedy: str
    mode: Mode = "enforce"
    hides: bool = False
    """What breaks it keeps the rest of its file from being judged."""

    def finding(
        self,
        message: str,
        location: Location,
        *,
        subject: str,
        remedy: str | None = None,
        owner: str | None = None,
        fix: Fix | None = None,
        discriminator: str | None = None,
    ) -> Finding:
        """A finding of this rule; ``remedy`` is this rule's own unless a better one is given."""
        return Finding(
            rule=self.id,
            message=message,
            location=location,
            subject=subject,
            mode=self.mode,
            remedy=remedy or self.remedy,
            owner=owner,
            fix=fix,
            discriminator=discriminator,
        )


@dataclass(frozen=True, slots=True)
class Passed:
    """Everything in scope was judged and nothing was found. ``note`` says what is worth knowing all the same."""

    judged: int
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """Something was found (whether it blocks is settled by the harness from modes, target and waivers)."""

    judged: int
    findings: tuple[Finding, ...]
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """Nothing was in scope."""

    reason: str


GateResult = Passed | Failed | Skipped


def result_of(judged: int, findings: Iterable[Finding], note: str | None = None) -> Passed | Failed:
    """``Failed`` when there is a finding, else ``Passed``."""
    found = tuple(findings)
    return Failed(judged, found, note) if found else Passed(judged, note)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one gate concluded, as reported. ``errored`` is made by the harness alone; it blocks."""

    gate: str
    outcome: Outcome
    judged: int = 0
    seconds: float = 0.0
    findings: tuple[Finding, ...] = ()
    reason: str | None = None
    """Why it was skipped, or what went wrong."""
    remedy: str | None = None
    """What to do about an error."""

    @property
    def blocks(self) -> bool:
        """Whether this verdict stops the change."""
        return self.outcome in ("failed", "errored")


def with_fingerprints(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Give every finding the fingerprint of (rule, subject, discriminator or message).

    No line enters it, so it survives text moving around. The n-th equal one gets its ordinal mixed in, so two
    equal defects on one subject stay two.
    """
    seen: dict[tuple[str, str, str], int] = {}
    out = []
    for finding in findings:
        key = (finding.rule, finding.subject, finding.discriminator or finding.message)
        ordinal = seen[key] = seen.get(key, -1) + 1
        text = "\0".join((*key, str(ordinal)))
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        out.append(replace(finding, fingerprint=digest))
    return tuple(out)
