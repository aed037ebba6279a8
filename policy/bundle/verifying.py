"""Whether a bundle may judge: stage by stage, nothing of a later one before an earlier one holds. No I/O.

Archive; signature; the files as listed; manifest; statement; expiry; revision; contents. One exception, named: the
bundle's own name is read before its signature is checked where it has to say which keys may have signed it, and then
those keys must have.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from maestro import canonical_json
from maestro.config import SignedBundle
from maestro.errors import ToolFailure
from maestro.evidence.trust import TrustedKey, trust_of
from policy.bundle import manifest, signatures, statement
from policy.bundle.archive_reading import read
from policy.bundle.last_seen import Seen
from policy.bundle.manifest import MANIFEST, Manifest
from policy.bundle.packs import packs_of
from policy.bundle.reasons import Refused
from policy.bundle.signatures import SIGNATURES
from policy.pack import Packs

WARN_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class Admitted:
    """A bundle that may judge. ``days_left`` counts the days after today on which it still may."""

    manifest: Manifest
    packs: Packs
    key: TrustedKey
    signed_at: dt.datetime | None
    attested: bool
    days_left: int
    seen: Seen

    @property
    def expires_soon(self) -> bool:
        """Whether it is time to build the next."""
        return self.days_left <= WARN_DAYS


def admit(
    data: bytes,
    attestation: bytes | None,
    expected: Sequence[SignedBundle],
    last_seen: Callable[[str], Seen | None],
    now: dt.datetime,
    *,
    where: str,
) -> Admitted:
    """Let a bundle in.

    Args:
        data: the file's bytes.
        attestation: those of the statement beside it, None where there is none.
        expected: the rows of ``bundles`` in maestro.yaml that it may be.
        last_seen: what the ledger remembers of a bundle's name.
        now: aware.
        where: the file's path, for every place that is shown.

    Raises:
        Refused: it may not judge.
        ToolFailure: it cannot be told, because there is no revision to compare its own with.
    """
    files = read(data)
    row = _row(files, expected)
    trust = trust_of(row.keys)
    signed = signatures.verify(files.get(SIGNATURES), trust, now)
    signatures.check_files({name: content for name, content in files.items() if name != SIGNATURES}, signed)
    said = manifest.parse(files.get(MANIFEST))
    if said.contents.name != row.name:
        raise Refused("bundle-unknown", f"it is the bundle {said.contents.name}, and {row.name} is expected")
    if attestation is not None:
        statement.check(attestation, data, said, trust)
    left = _days_left(said, row, now)
    mine = Seen(said.revision, content_of(files))
    _check_revision(mine, row, last_seen(row.name))
    packs = packs_of(files, said, where)
    return Admitted(said, packs, signed.key, signed.signed_at, attestation is not None, left, mine)


def content_of(files: Mapping[str, bytes]) -> str:
    """The digest of everything but the signature: what a revision stands for."""
    return canonical_json.digest(
        [[name, canonical_json.digest_of_bytes(files[name])] for name in sorted(files) if name != SIGNATURES]
    )


def _row(files: Mapping[str, bytes], expected: Sequence[SignedBundle]) -> SignedBundle:
    if len(expected) == 1:
        return expected[0]
    name = manifest.parse(files.get(MANIFEST)).contents.name
    for row in expected:
        if row.name == name:
            return row
    raise Refused("bundle-unknown", f"it calls itself {name}, which maestro.yaml does not list")


def _days_left(said: Manifest, row: SignedBundle, now: dt.datetime) -> int:
    left = (said.expires - now.astimezone(dt.UTC).date()).days
    if left < 0:
        raise Refused("expired", f"it expired: {said.expires} was its last day")
    if left > row.maximum_age_days + 1:  # whoever built it may have had tomorrow already
        raise Refused(
            "expiry-too-far", f"it expires {said.expires}, {left} days ahead; {row.maximum_age_days} are allowed"
        )
    return left


def _check_revision(mine: Seen, row: SignedBundle, seen: Seen | None) -> None:
    if seen is None and row.minimum_revision is None:
        raise ToolFailure(
            f"there is no revision of the bundle {row.name} to compare {mine.revision} with",
            remedy="set `minimum_revision` for it under `bundles` in maestro.yaml",
        )
    if row.minimum_revision is not None and mine.revision < row.minimum_revision:
        raise Refused(
            "revision-too-low", f"it is revision {mine.revision}; maestro.yaml wants {row.minimum_revision} or later"
        )
    if seen is not None and mine.revision < seen.revision:
        raise Refused("revision-too-low", f"it is revision {mine.revision}; {seen.revision} was run by before")
    if seen is not None and mine.revision == seen.revision and mine.content != seen.content:
        raise Refused("revision-reused", f"it is revision {mine.revision}, which stood for another content before")
