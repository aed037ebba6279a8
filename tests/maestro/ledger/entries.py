"""Entries, times and a trusted key for tests of the log."""

from __future__ import annotations

import datetime as dt
import hashlib

from maestro.evidence.trust import trust_of
from maestro.ledger.entry import Entry
from tests.maestro.evidence import keys

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
TRUST = trust_of([keys.row()])


def entry(number: int, writer: str = "a", when: dt.datetime = NOW) -> Entry:
    """The ``number``-th of a writer."""
    name = f"runs/{writer}-{number}/segments/1.sigstore.json"
    return Entry("segment", name, hashlib.sha256(name.encode()).hexdigest(), when.isoformat())
