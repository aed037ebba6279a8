"""Checking a signed statement. No I/O; the order is the order of trust.

1. The bundle is read strictly. 2. Its hint names a listed key. 3. The signature over the PAE of the very bytes that
came is that key's. 4. Only then the payload's type and content are looked at. 5. The key was valid when it was made,
by the statement's own word.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from maestro.evidence import bundle, public_key, statement
from maestro.evidence.errors import BadEvidence
from maestro.evidence.statement import Statement
from maestro.evidence.trust import Trust, TrustedKey
from maestro.evidence.types import PAYLOAD


@dataclass(frozen=True, slots=True)
class Verified:
    """A statement somebody we believe has signed, with the bytes that were signed."""

    statement: Statement
    payload: bytes
    key: TrustedKey


def verify_bundle(
    data: bytes, trust: Trust, *, predicate_type: str, made_at: Callable[[Statement], dt.datetime]
) -> Verified:
    """The statement in a bundle, believed.

    Args:
        data: the bundle's bytes.
        trust: the keys of the policy revision.
        predicate_type: the only type accepted.
        made_at: reads from the statement when it was made (aware).

    Raises:
        BadEvidence: anything at all is wrong with it.
    """
    envelope = bundle.parse(data)
    key = trust.key(envelope.key_id)
    if not public_key.verifies(key.key, envelope.signature, envelope.signed):
        raise BadEvidence(f"the signature is not that of the key {key.id!r}: the content was changed after signing")
    if envelope.payload_type != PAYLOAD:
        raise BadEvidence(f"the signed payload is {envelope.payload_type!r}, not an in-toto statement")
    said = statement.parse(envelope.payload, predicate_type=predicate_type)
    objection = key.objection(made_at(said), trust.proven)
    if objection is not None:
        raise BadEvidence(objection)
    return Verified(said, envelope.payload, key)


def instant(text: object, what: str) -> dt.datetime:
    """An RFC 3339 time with an offset, as ``what`` of a statement gives it.

    Raises:
        BadEvidence: it is not one.
    """
    try:
        value = dt.datetime.fromisoformat(text if isinstance(text, str) else "")
        utc = value.astimezone(dt.UTC)
    except (ValueError, OverflowError) as error:
        raise BadEvidence(f"{what} is not a time: {text!r:.60}") from error
    if value.tzinfo is None:
        raise BadEvidence(f"{what} has no offset from UTC: {text!r}")
    return utc
