"""Whom we believe: the keys that maestro.yaml lists at the policy revision, each with its time.

A key lying beside the ledger proves nothing. The time a signature was made at is the signer's own word, so a revoked
key is believed for nothing: whoever stole it could write an earlier date. The exception is what a checkpoint lists that
is known from elsewhere to be older than the revocation (``TrustedKey.objection``). Retiring a key without harm is what
``valid_until`` is for.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from maestro.evidence import public_key
from maestro.evidence.errors import BadEvidence, KeyProblem

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey


class ListedKey(Protocol):
    """A row of ``keys`` in maestro.yaml."""

    @property
    def id(self) -> str:
        """The name people give it."""

    @property
    def public_key(self) -> str:
        """PEM."""

    @property
    def valid_from(self) -> dt.datetime | dt.date | None:
        """The first instant it may sign at."""

    @property
    def valid_until(self) -> dt.datetime | dt.date | None:
        """The first instant it may not sign at any more; a date counts to its end."""

    @property
    def revoked_at(self) -> dt.datetime | dt.date | None:
        """When trust in it ended."""


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A listed key, parsed. Times are aware UTC; the end is exclusive."""

    id: str
    fingerprint: str
    key: EllipticCurvePublicKey
    pem: str
    valid_from: dt.datetime | None
    valid_until: dt.datetime | None
    revoked_at: dt.datetime | None

    def objection(self, when: dt.datetime, proven: dt.datetime | None = None) -> str | None:
        """Why a signature said to be of ``when`` is not believed; None when it is.

        ``proven`` is a time at which it existed for sure, not by the signer's word; None where nothing proves one.
        """
        if self.revoked_at is not None and (proven is None or proven >= self.revoked_at):
            return f"the key {self.id!r} is revoked since {self.revoked_at.isoformat()}"
        if self.valid_from is not None and when < self.valid_from:
            return f"the key {self.id!r} is valid only from {self.valid_from.isoformat()}, signed {when.isoformat()}"
        if self.valid_until is not None and when >= self.valid_until:
            return f"the key {self.id!r} was valid until {self.valid_until.isoformat()}, signed {when.isoformat()}"
        return None


@dataclass(frozen=True, slots=True)
class Trust:
    """Keys by fingerprint. ``proven``: when what is judged existed for sure (``TrustedKey.objection``)."""

    keys: Mapping[str, TrustedKey]
    proven: dt.datetime | None = None

    def since(self, proven: dt.datetime | None) -> Trust:
        """The same, for something that existed at ``proven``."""
        return self if proven == self.proven else Trust(self.keys, proven)

    def key(self, hint: str) -> TrustedKey:
        """The listed key a bundle's hint names.

        Raises:
            BadEvidence: no such key is listed.
        """
        if hint not in self.keys:
            raise BadEvidence(
                f"signed by a key that maestro.yaml does not list (fingerprint {hint[:60]!r})",
                remedy="believe it only by listing its public key under `keys` through a reviewed change",
            )
        return self.keys[hint]

    def require(self, fingerprint: str, when: dt.datetime) -> TrustedKey:
        """The listed key, believed at ``when``: asked before anything is signed.

        Raises:
            KeyProblem: not listed, not valid now, revoked.
        """
        listed = self.keys.get(fingerprint)
        if listed is None:
            raise KeyProblem(
                "the signing key is not one that maestro.yaml lists at the policy revision",
                remedy="add its public key (`openssl pkey -in KEY -pubout`) to `keys` in maestro.yaml and merge that",
            )
        objection = listed.objection(when)
        if objection is not None:
            raise KeyProblem(objection, remedy="sign with a key that is valid now")
        return listed


def _instant(value: dt.datetime | dt.date | None, *, end: bool = False) -> dt.datetime | None:
    if value is None:
        return None
    if isinstance(value, dt.datetime):
        return value if value.tzinfo else value.replace(tzinfo=dt.UTC)
    midnight = dt.datetime.combine(value, dt.time(), dt.UTC)
    return midnight + dt.timedelta(days=1) if end else midnight


def trust_of(keys: Iterable[ListedKey], *, file: str = "maestro.yaml") -> Trust:
    """The trust that the rows of ``keys`` in maestro.yaml, or another ``file``, express.

    Raises:
        KeyProblem: a row that is not a P-256 key, or one key under two ids.
    """
    found: dict[str, TrustedKey] = {}
    for row in keys:
        where = f"{file}: keys: {row.id}"
        key = public_key.load(row.public_key, where=where)
        fingerprint = public_key.fingerprint(key)
        if fingerprint in found:
            raise KeyProblem(f"the keys {found[fingerprint].id!r} and {row.id!r} are one key", where=where)
        found[fingerprint] = TrustedKey(
            id=row.id,
            fingerprint=fingerprint,
            key=key,
            pem=row.public_key,
            valid_from=_instant(row.valid_from),
            valid_until=_instant(row.valid_until, end=True),
            revoked_at=_instant(row.revoked_at),
        )
    return Trust(found)
