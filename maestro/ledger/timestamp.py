"""RFC 3161: when somebody else has seen a file, by the word of an authority that maestro.yaml lists."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from maestro.errors import UsageError
from maestro.evidence.errors import BadEvidence


def time_of(token: bytes, data: bytes, authorities: Sequence[str]) -> dt.datetime:
    """The latest instant at which ``data`` existed, as a timestamp response says.

    Args:
        token: the response (DER), as ``openssl ts -reply`` or an authority over HTTP gives it.
        data: the very bytes that were stamped.
        authorities: root certificates (PEM).

    Raises:
        UsageError: no authority is listed, or one is no certificate.
        BadEvidence: of other bytes, of another authority, malformed, or refused by the authority.
    """
    from cryptography.x509 import load_pem_x509_certificate
    from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

    if not authorities:
        raise UsageError(
            "maestro.yaml lists no authority whose timestamps are believed",
            remedy="list its root certificate under `ledger: timestamp_authorities:` through a reviewed change",
        )
    builder = VerifierBuilder()
    for number, pem in enumerate(authorities, 1):
        try:
            builder = builder.add_root_certificate(load_pem_x509_certificate(pem.encode()))
        except ValueError as error:
            raise UsageError(f"timestamp authority {number} of maestro.yaml is no certificate: {error}") from error
    try:
        response = decode_timestamp_response(token)
        builder.build().verify_message(response, data)
        info = response.tst_info
        said = info.gen_time
        accuracy = info.accuracy
    except (VerificationError, ValueError, TypeError) as error:
        raise BadEvidence(f"the timestamp is not believed: {error}") from error
    if accuracy is not None:
        said += dt.timedelta(
            seconds=accuracy.seconds or 0, milliseconds=accuracy.millis or 0, microseconds=accuracy.micros or 0
        )
    return said if said.tzinfo else said.replace(tzinfo=dt.UTC)
