"""The time that goes into what is signed next: only one at which the key counts.

A clock may jump in the middle of a run, and a run may outlive its key. What is signed then nobody would believe, and
the run could never be completed: so nothing is signed.
"""

from __future__ import annotations

import datetime as dt

from maestro.errors import ToolFailure
from maestro.evidence.errors import KeyProblem
from maestro.evidence.signer import Signer
from maestro.evidence.trust import Trust


def signing_time(now: dt.datetime, signer: Signer, trust: Trust) -> dt.datetime:
    """``now``.

    Raises:
        ToolFailure: whoever reads it would not believe the key at that time.
    """
    try:
        trust.require(signer.key_id, now)
    except KeyProblem as error:
        raise ToolFailure(
            f"the ledger cannot be completed now: {error.message}",
            remedy="nothing is lost: see whether the clock is right, then resume the run with a key that is valid",
        ) from error
    return now
