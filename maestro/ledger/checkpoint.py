"""Checkpoints of a log (c2sp.org/tlog-checkpoint): a signed note of origin, size and root."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from maestro.evidence import public_key
from maestro.evidence.errors import BadEvidence
from maestro.evidence.signer import Signer
from maestro.evidence.trust import Trust, TrustedKey
from maestro.ledger import note
from maestro.ledger.merkle import EMPTY_ROOT, HASH_SIZE
from maestro.ledger.note import Note

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True)
class Checkpoint:
    """What a log says of itself. ``root`` is 32 bytes; ``note`` the signed text it was read from."""

    origin: str
    size: int
    root: bytes
    note: Note

    def to_bytes(self) -> bytes:
        """As it is kept and handed on."""
        return self.note.to_bytes()


def signed(origin: str, size: int, root: bytes, signer: Signer) -> Checkpoint:
    """A new checkpoint; the key's name is the log's."""
    text = f"{origin}\n{size}\n{base64.b64encode(root).decode('ascii')}\n"
    return Checkpoint(origin, size, root, note.sign(text, origin, signer))


def parse(data: bytes) -> Checkpoint:
    """The checkpoint in ``data``. Extension lines are allowed, as the specification has it, and mean nothing.

    Raises:
        BadEvidence: no checkpoint. Its signature has not been looked at.
    """
    found = note.parse(data)
    lines = found.text[:-1].split("\n")
    if len(lines) < 3 or not all(lines):
        raise BadEvidence("the checkpoint has fewer than three lines, or an empty one")
    if not _SIZE.fullmatch(lines[1]):
        raise BadEvidence(f"the checkpoint's size is no number: {lines[1]!r:.40}")
    try:
        root = base64.b64decode(lines[2], validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadEvidence(f"the checkpoint's root is not base64: {error}") from error
    if len(root) != HASH_SIZE or base64.b64encode(root).decode("ascii") != lines[2]:
        raise BadEvidence("the checkpoint's root is not the base64 of 32 bytes")
    size = int(lines[1])
    if size == 0 and root != EMPTY_ROOT:
        raise BadEvidence("the checkpoint says that an empty log has entries")
    return Checkpoint(lines[0], size, root, found)


def signer_of(checkpoint: Checkpoint, trust: Trust) -> TrustedKey:
    """The listed key that signed, whether or not it is valid still: that is for the caller to judge.

    Raises:
        BadEvidence: signed by no key that is listed, or the signature of one is false.
    """
    for one in checkpoint.note.signatures:
        for key in trust.keys.values():
            if one.name == checkpoint.origin and one.key_id == note.key_id(key.fingerprint):
                if public_key.verifies(key.key, one.signature, checkpoint.note.text.encode()):
                    return key
                raise BadEvidence(f"the signature on the checkpoint is not that of the key {key.id!r}: it was changed")
    raise BadEvidence(
        "the checkpoint is signed by no key that maestro.yaml lists",
        remedy="believe it only by listing that public key under `keys` through a reviewed change",
    )
