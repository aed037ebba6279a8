"""One decision as the ledger remembers it: what was judged, by which pack of which commit, when, and the answer.

Inputs are cited by digest; they are kept apart, so that they can be erased without the evidence losing anything.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

Phase = Literal["check", "merge", "execution"]
"""When it was decided: in the pull request, by the job on push after the merge, or when the execution was planned."""


@dataclass(frozen=True)
class RecordedReason:
    """A rule that spoke, and the weight it had."""

    rule: str
    mode: str


@dataclass(frozen=True)
class RecordedDecision:
    """``made_at`` is UTC. ``subject`` and ``path`` name what was judged; ``owner`` answers for it, None where
    nobody does. Digests are ``sha256:`` and hexadecimal. ``error`` says why there is none; then ``allow`` is False.
    """

    made_at: dt.datetime
    phase: Phase
    commit: str
    policy_revision: str
    pack: str
    pack_digest: str
    mode: str
    engine: str
    subject: str
    path: str
    owner: str | None
    input_digest: str
    allow: bool
    reasons: tuple[RecordedReason, ...]
    error: str | None
