"""Keys for tests: made in the process, listed as maestro.yaml lists them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from maestro.evidence.ecdsa_signer import EcdsaSigner

LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Row:
    """A row of ``keys`` in maestro.yaml."""

    id: str
    public_key: str
    valid_from: dt.datetime | dt.date | None = LONG_AGO
    valid_until: dt.datetime | dt.date | None = None
    revoked_at: dt.datetime | dt.date | None = None


@cache
def private_key(name: str) -> ec.EllipticCurvePrivateKey:
    """One key per name and test process."""
    return ec.generate_private_key(ec.SECP256R1())


def signer(name: str = "release") -> EcdsaSigner:
    """A signer with the key of that name."""
    return EcdsaSigner(private_key(name))


def pem(name: str = "release") -> bytes:
    """The private key as PKCS #8 PEM."""
    return private_key(name).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def row(name: str = "release", **times: dt.datetime | dt.date | None) -> Row:
    """The row that lists that key."""
    return Row(name, signer(name).public_key_pem, **times)
