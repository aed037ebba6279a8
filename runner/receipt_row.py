"""What receipts are found by, and the order in which they are listed. Pure."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any

from maestro.errors import UsageError
from maestro.evidence import bundle, statement
from maestro.evidence.errors import BadEvidence
from maestro.evidence.types import RECEIPT
from maestro.evidence.verify import instant
from runner.execution import execution_id

Key = tuple[str, str, str, str]
"""Tenant, day, workflow, id: the order of every listing, by code points."""


@dataclass(frozen=True, slots=True)
class Row:
    """One receipt, as it can be asked for.

    Args:
        tenant: the manifest's; empty where the receipt names none.
        day: when the receipt was made, UTC, ``2026-01-31``.
        workflow: the manifest's name.
        id: the execution's.
        run: the run's id.
        commit: what was executed.
        outcome: of the last attempt.
        decisions: digests of the decisions that it cites.
    """

    tenant: str
    day: str
    workflow: str
    id: str
    run: str
    commit: str
    outcome: str
    decisions: tuple[str, ...]

    @property
    def key(self) -> Key:
        """Its place in a listing."""
        return self.tenant, self.day, self.workflow, self.id


def row_of(said: Mapping[str, Any], run_id: str, execution: str) -> Row:
    """The row of a receipt's predicate, whether or not it is believed.

    Raises:
        BadEvidence: it is malformed, or not about this execution of this run.
    """
    try:
        manifest, commit, decisions = said["manifest"], said["source"]["commit"], said["decisions"]
        subject, index = manifest["subject"], said["execution"]["index"]
        day = instant(said["made_at"], "made_at").date().isoformat()
        texts = (manifest.get("tenant") or "", subject, commit, said["outcome"], *decisions)
    except (KeyError, TypeError, AttributeError) as error:
        raise BadEvidence(f"the receipt is malformed: {error!r:.80}") from error
    if not all(isinstance(text, str) for text in texts) or not (index is None or type(index) is int):
        raise BadEvidence("the receipt is malformed")
    if execution_id(run_id, subject, index) != execution:
        raise BadEvidence("the receipt is about another execution")
    tenant, _, commit, outcome, *cited = texts
    return Row(tenant, day, subject.removeprefix("Manifest/"), execution, run_id, commit, outcome, tuple(cited))


def row_in(data: bytes, run_id: str, execution: str) -> Row:
    """The row of a signed receipt. The signature is not looked at: a row finds, it proves nothing.

    Raises:
        BadEvidence: as ``row_of``, or no receipt at all.
    """
    said = statement.parse(bundle.parse(data).payload, predicate_type=RECEIPT)
    return row_of(said.predicate, run_id, execution)


_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for; None leaves open.

    ``commit`` is a hexadecimal prefix; everything else is the whole value.
    """

    id: str | None = None
    run: str | None = None
    tenant: str | None = None
    day: str | None = None
    workflow: str | None = None
    commit: str | None = None
    decision: str | None = None
    outcome: str | None = None

    def __post_init__(self) -> None:
        if self.id is not None and not (len(self.id) == 32 and _HEX.issuperset(self.id)):
            raise UsageError(f"--id {self.id!r:.60} is no execution's id", remedy="it has 32 hexadecimal digits")
        if self.commit is not None and not (4 <= len(self.commit) <= 64 and _HEX.issuperset(self.commit)):
            raise UsageError(
                f"--commit {self.commit!r:.80} is none", remedy="give 4 to 64 hexadecimal digits of its id"
            )
        if self.day is not None:
            _checked_day(self.day)

    @property
    def anything(self) -> bool:
        """Whether something but a run is asked for."""
        return any(value is not None for value in (self.id, *astuple(self)[2:]))

    def matches(self, row: Row) -> bool:
        """Whether this row is asked for."""
        whole = ("id", "run", "tenant", "day", "workflow", "outcome")
        return (
            all(getattr(self, name) in (None, getattr(row, name)) for name in whole)
            and (self.commit is None or row.commit.startswith(self.commit))
            and (self.decision is None or self.decision in row.decisions)
        )


def _checked_day(text: str) -> None:
    try:
        if dt.date.fromisoformat(text).isoformat() == text:
            return
    except ValueError:
        pass
    raise UsageError(f"--day {text!r:.40} is no day", remedy="write it like 2026-01-31")


def cursor_of(key: Key) -> str:
    """A listing's place, for ``--after``."""
    return base64.urlsafe_b64encode(json.dumps(key, ensure_ascii=False).encode()).decode("ascii").rstrip("=")


def key_in(cursor: str) -> Key:
    """The place a cursor stands for.

    Raises:
        UsageError: it is none of ``cursor_of``.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        value = json.loads(raw)
        tenant, day, workflow, last = value
        if isinstance(value, list) and all(isinstance(text, str) for text in value) and len(bytes.fromhex(last)) == 16:
            "".join(value).encode()
            return tenant, day, workflow, last
    except (ValueError, TypeError, binascii.Error, RecursionError):
        pass
    raise UsageError(f"--after {cursor!r:.60} is no place in a listing", remedy="take it from the listing before")
