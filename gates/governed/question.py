"""What governance asks of a change, what it answers, and the places and words of the answers. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from gates.approvals import allowed_signers_path, without_approvals
from gates.document_index import DocumentIndex
from gates.scene import Settings
from maestro.change import ChangeSet
from maestro.errors import MaestroError
from maestro.findings import Location, Rule
from maestro.repository import Change

if TYPE_CHECKING:
    from maestro.provenance.trust_policy import TrustPolicy
    from maestro.snapshot import Snapshot

CONFIG = "maestro.yaml"
TRUST = "trust.yaml"
FILES = ("100644", "100755")


def trust_policy_of(files: Snapshot) -> TrustPolicy | None:
    """trust.yaml of a revision; None where there is none that can be read."""
    if TRUST not in files.entries or files.entries[TRUST].mode not in FILES:
        return None
    from maestro.provenance.trust_policy import TrustPolicy, read_trust_policy  # most repositories have none

    policy = read_trust_policy(TRUST, files.read(TRUST))
    return policy if isinstance(policy, TrustPolicy) else None


@dataclass(frozen=True, slots=True)
class GovernedChange:
    """One change to what decides. ``paths`` are the files whose owners have to agree."""

    rule: Rule
    message: str
    location: Location
    subject: str
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Question:
    """A change, what decides before it and after it, and its documents under the patterns that decide now.

    ``before`` is None where the target's maestro.yaml cannot be read, so that a repair has nothing to compare with.
    """

    change: ChangeSet
    before: Settings | None
    after: Settings | MaestroError
    at_base: DocumentIndex
    at_head: DocumentIndex

    @cached_property
    def signers(self) -> str:
        """Where the policy revision keeps its approvers."""
        return self.before.config.allowed_signers if self.before else allowed_signers_path(self.change.policy)

    @cached_property
    def trust_roots(self) -> frozenset[str]:
        """The files that trust.yaml names as roots, at the policy revision or at the head."""
        policies = (trust_policy_of(files) for files in (self.change.policy, self.change.head))
        return frozenset(root.path for policy in policies if policy is not None for root in policy.roots)

    @property
    def changes(self) -> tuple[Change, ...]:
        """The changes without approvals: those add nothing to what decides."""
        return without_approvals(self.change.changes)


def no_longer(question: Question, was: Callable[[str], bool], now: Callable[[str], bool]) -> tuple[str, ...]:
    """The files of the head that one pattern matches and another does not."""
    entries = question.change.head.entries.items()
    return tuple(sorted(path for path, entry in entries if entry.mode in FILES and was(path) and not now(path)))


def texts(question: Question, change: Change) -> tuple[bytes, bytes]:
    """The text before and after; empty where there is no regular file."""
    before = question.change.base.read(change.path) if change.before and change.before.mode in FILES else b""
    after = question.change.head.read(change.path) if change.after and change.after.mode in FILES else b""
    return before, after


def changed_line(question: Question, *paths: str, holding: str | None = None) -> Location:
    """The first line that is new in one of ``paths``, preferably one that matches ``holding``."""
    fallback: Location | None = None
    for change in question.changes:
        if change.path not in paths:
            continue
        before, after = (data.decode("utf-8", "replace").split("\n") for data in texts(question, change))
        known = set(before)
        fresh = [number for number, line in enumerate(after, start=1) if line not in known]
        if holding is not None:
            for number in fresh:
                if re.search(holding, after[number - 1]):
                    return Location(change.path, number)
        if fallback is None and (fresh or change.after is not None):
            fallback = Location(change.path, fresh[0] if fresh else 1)
    return fallback or Location(paths[0])


def verb_of(change: Change) -> str:
    """What happens to the file."""
    if change.before is None:
        return "is added"
    return "is removed" if change.after is None else "changes"


def verb(paths: Sequence[str]) -> str:
    """The verb for so many files."""
    return "changes" if len(paths) == 1 else "change"


def count(number: int, noun: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def names(words: Sequence[str]) -> str:
    """Up to three, and how many more."""
    more = f" and {len(words) - 3} more" if len(words) > 3 else ""
    return ", ".join(words[:3]) + more
