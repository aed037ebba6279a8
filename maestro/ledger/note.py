"""Signed notes (c2sp.org/signed-note): a text, a blank line, and a line for each signature.

Our signatures have the type 0x02, ECDSA: P-256 with SHA-256 and DER, the key id being the first four bytes of the
SHA-256 of the public key's DER form (SubjectPublicKeyInfo). Signatures of other types are kept and never judged.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from maestro.evidence.errors import BadEvidence
from maestro.evidence.signer import Signer

SIZE_LIMIT = 1 << 20
_MARK = "\N{EM DASH} "
_SIGNATURES = 100
_NAME = re.compile(r"[^\s+]+")
_KEY_ID_SIZE = 4


@dataclass(frozen=True)
class Signature:
    """One signature line: who, by name and short id, and the signature's bytes."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True)
class Note:
    """A signed text; it ends in a newline. Nothing in it is believed before a signature was checked."""

    text: str
    signatures: tuple[Signature, ...]

    def to_bytes(self) -> bytes:
        """The note as it is kept."""
        lines = [
            f"{_MARK}{one.name} {base64.b64encode(one.key_id + one.signature).decode('ascii')}\n"
            for one in self.signatures
        ]
        return f"{self.text}\n{''.join(lines)}".encode()


def key_id(fingerprint: str) -> bytes:
    """The short id of a P-256 key, from its fingerprint (see ``maestro.evidence.public_key.fingerprint``)."""
    return base64.b64decode(fingerprint)[:_KEY_ID_SIZE]


def key_id_of(der: bytes) -> bytes:
    """The short id of a public key in DER form (SubjectPublicKeyInfo)."""
    return hashlib.sha256(der).digest()[:_KEY_ID_SIZE]


def sign(text: str, name: str, signer: Signer) -> Note:
    """``text``, which ends in a newline, signed under ``name``."""
    return Note(text, (Signature(name, key_id(signer.key_id), signer.sign(text.encode())),))


def parse(data: bytes) -> Note:
    """The note in ``data``, strictly.

    Raises:
        BadEvidence: what is wrong with it.
    """
    if len(data) > SIZE_LIMIT:
        raise BadEvidence(f"the note is larger than {SIZE_LIMIT} bytes")
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadEvidence(f"the note is not UTF-8: {error.reason} at byte {error.start}") from error
    if any(char < " " and char != "\n" for char in whole):
        raise BadEvidence("the note has a control character")
    text, found, signatures = whole.rpartition("\n\n")
    if not found or not text:
        raise BadEvidence("the note has no blank line between its text and its signatures")
    if not signatures.endswith("\n"):
        raise BadEvidence("the note does not end in a newline")
    lines = signatures[:-1].split("\n")
    if len(lines) > _SIGNATURES:
        raise BadEvidence(f"the note has more than {_SIGNATURES} signatures")
    return Note(text + "\n", tuple(map(_signature, lines)))


def _signature(line: str) -> Signature:
    parts = line.removeprefix(_MARK).split(" ")
    if not line.startswith(_MARK) or len(parts) != 2 or not _NAME.fullmatch(parts[0]):
        raise BadEvidence(f"no signature line: {line!r:.100}")
    try:
        raw = base64.b64decode(parts[1], validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadEvidence(f"the signature of {parts[0]!r:.60} is not base64: {error}") from error
    if len(raw) <= _KEY_ID_SIZE or base64.b64encode(raw).decode("ascii") != parts[1]:
        raise BadEvidence(f"the signature of {parts[0]!r:.60} is too short or not the base64 of its bytes")
    return Signature(parts[0], raw[:_KEY_ID_SIZE], raw[_KEY_ID_SIZE:])
