"""A built bundle, signed: the same files with ``.signatures.json`` beside them, and a statement about the new file."""

from __future__ import annotations

import datetime as dt

from maestro.evidence.signer import Signer
from policy.bundle import manifest, signatures, statement
from policy.bundle.archive_reading import read
from policy.bundle.archive_writing import write
from policy.bundle.manifest import Manifest
from policy.bundle.packs import packs_of


def sign(data: bytes, file_name: str, signer: Signer, now: dt.datetime) -> tuple[bytes, bytes, Manifest]:
    """The signed tarball, the statement over it, and what it says of itself. A signature that is there is replaced.

    Raises:
        Refused: it is no bundle of ours, or not what its manifest says.
    """
    files = read(data)
    files.pop(signatures.SIGNATURES, None)
    said = manifest.parse(files.get(manifest.MANIFEST))
    signature = signatures.sign(files, signer, now)
    packs_of(files, said, file_name)
    signed = write({**files, signatures.SIGNATURES: signature})
    return signed, statement.attest(file_name, signed, said, signer, now), said
