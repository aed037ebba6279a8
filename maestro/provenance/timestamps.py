"""RFC 3161 timestamps over a signature: when it certainly existed."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from maestro.provenance.reasons import NotProven
from maestro.provenance.trusted_root import Authority, TrustedRoot

if TYPE_CHECKING:
    from rfc3161_client import TimeStampResponse


def verified_time(token: bytes, signature: bytes, root: TrustedRoot) -> dt.datetime:
    """The time (aware, UTC) that one of the root's timestamp authorities gives the signature.

    Raises:
        NotProven: malformed, over something else, or by nobody the root names, or outside of their time.
    """
    from rfc3161_client import decode_timestamp_response

    try:
        response = decode_timestamp_response(token)
        when = response.tst_info.gen_time
        nonsense = when.tzinfo is None
    except Exception as error:  # the decoder's kinds of errors are not documented; malformed is malformed
        raise NotProven("verify/timestamp-malformed", f"the timestamp cannot be read: {error}") from error
    if nonsense:
        raise NotProven("verify/timestamp-malformed", "the timestamp has no zone")
    found = "the trusted root names no timestamp authority"
    for authority in root.timestamp_authorities:
        if when not in authority.span:
            found = f"the timestamp authority was not in service at {when:%Y-%m-%d %H:%M:%S} UTC, says the trusted root"
            continue
        problem = _problem(authority, response, signature)
        if problem is None:
            return when.astimezone(dt.UTC)
        found = problem
    raise NotProven("verify/timestamp-untrusted", f"the timestamp proves nothing: {found}")


def _problem(authority: Authority, response: TimeStampResponse, signature: bytes) -> str | None:
    from rfc3161_client import VerificationError, VerifierBuilder

    signer, *above = authority.chain
    verifier = VerifierBuilder(
        tsa_certificate=signer, roots=[above[-1] if above else signer], intermediates=list(above[:-1])
    ).build()
    try:
        verifier.verify_message(response, signature)
    except VerificationError as error:
        return str(error)
    except Exception as error:  # its Rust part passes on whatever OpenSSL-like errors occur
        return f"it cannot be verified ({error})"
    return None
