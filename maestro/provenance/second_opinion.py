"""sigstore-python as a second judge: where it can judge a bundle, it has to accept it, too.

Our own checks say why something is refused and know what it does not; this one is written by others and guards against
a mistake in ours. It can judge what has a certificate and a log entry with a proof, of three kinds.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from maestro.evidence.dsse import Envelope
from maestro.provenance.bundle import Bundle
from maestro.provenance.certificate import Identity
from maestro.provenance.reasons import NotProven
from maestro.provenance.trusted_root import TrustedRoot

if TYPE_CHECKING:
    from sigstore.hashes import Hashed
    from sigstore.models import Bundle as Theirs
    from sigstore.verify import Verifier
    from sigstore.verify.policy import Identity as Expected

_KINDS = {("hashedrekord", "0.0.1"), ("hashedrekord", "0.0.2"), ("dsse", "0.0.1")}


def can_judge(bundle: Bundle, root: TrustedRoot, times: Sequence[dt.datetime]) -> bool:
    """Whether sigstore-python knows this shape of bundle."""
    entry = bundle.entry
    if bundle.certificate is None or entry is None or entry.proof is None or entry.proof.checkpoint is None:
        return False
    if isinstance(bundle.content, Envelope) and (entry.kind, entry.version) == ("hashedrekord", "0.0.1"):
        return False
    if any(one.span.end in times for one in root.timestamp_authorities):
        return False  # the format's ranges include their end (sigstore_common.proto), sigstore-python's do not
    return (entry.kind, entry.version) in _KINDS and bool(root.certificate_logs)


def require(data: bytes, bundle: Bundle, root: TrustedRoot, identity: Identity, sha256: str) -> None:
    """Insist that sigstore-python accepts the bundle, too.

    Args:
        data: the bundle's bytes, read once more by sigstore-python's own parser.
        bundle: as we have read it.
        root: which our checks went by.
        identity: whom we have found the certificate to name.
        sha256: of the artifact, hexadecimal.

    Raises:
        NotProven: it refuses it, or reads another payload in it.
    """
    try:
        judge = _judge(root.data)
        theirs = judge.read(data)
        expected = judge.expected(identity=identity.subject, issuer=identity.issuer)
        if isinstance(bundle.content, Envelope):
            read = judge.verifier.verify_dsse(theirs, expected)
            same = read == (bundle.content.payload_type, bundle.content.payload)
        else:
            judge.verifier.verify_artifact(judge.hashed(bytes.fromhex(sha256)), theirs, expected)
            same = True
    except Exception as error:  # refused or crashed: neither is an acceptance
        raise NotProven(
            "verify/second-opinion", f"sigstore-python refuses it: {error or type(error).__name__}"
        ) from error
    if not same:
        raise NotProven("verify/second-opinion", "sigstore-python reads another payload in the bundle")


@dataclass(frozen=True, slots=True)
class _Judge:
    """sigstore-python, ready to judge by one root: importing it takes half a second."""

    verifier: Verifier
    read: Callable[[bytes], Theirs]
    expected: type[Expected]
    hashed: Callable[[bytes], Hashed]


@lru_cache(maxsize=8)
def _judge(root: bytes) -> _Judge:
    from sigstore.hashes import Hashed
    from sigstore.models import Bundle as Theirs
    from sigstore.models import TrustedRoot as TheirRoot
    from sigstore.verify import Verifier
    from sigstore.verify.policy import Identity as Expected
    from sigstore_models.common.v1 import HashAlgorithm

    class Prepared(TheirRoot):
        """Reads its keys and authorities once; each verification asks for them anew."""

        rekor_keyring = cache(TheirRoot.rekor_keyring)
        ct_keyring = cache(TheirRoot.ct_keyring)
        get_timestamp_authorities = cache(TheirRoot.get_timestamp_authorities)

    # It reads roots from files only, and its own cache can be poisoned: it is given the bytes whose digest was pinned.
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        file.write(root)
        file.flush()
        verifier = Verifier(trusted_root=Prepared.from_file(file.name))
    return _Judge(
        verifier, Theirs.from_json, Expected, lambda digest: Hashed(algorithm=HashAlgorithm.SHA2_256, digest=digest)
    )
