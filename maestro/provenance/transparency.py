"""That an entry stands in a transparency log: Rekor v1 (promise, proof, checkpoint) and v2 (proof, checkpoint).

Sources: RFC 6962 section 2.1 for trees, C2SP signed-note and tlog-checkpoint, rekor's and rekor-tiles' client
specifications.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import re
from dataclasses import dataclass

from maestro.provenance.bundle import InclusionProof, LogEntry
from maestro.provenance.public_keys import UnsupportedKey, verifies
from maestro.provenance.reasons import NotProven
from maestro.provenance.trusted_root import LogKey, TrustedRoot

_SIGNATURE_LINE = re.compile(r"— (\S+) ([A-Za-z0-9+/]+={0,2})")
_MOST_LINES = 100


@dataclass(frozen=True, slots=True)
class Logged:
    """What the log proves: the entry is in it; ``time``: since when, where a signed promise says so (aware, UTC)."""

    log: LogKey
    time: dt.datetime | None
    proven: bool
    """Whether the inclusion is proven; else it is only promised."""


def require_logged(entry: LogEntry, root: TrustedRoot) -> Logged:
    """Insist that a log of ``root`` holds the entry.

    Raises:
        NotProven: an unknown log, or a promise, checkpoint or proof that is not that log's.
    """
    log = root.log(entry.log_id)
    if log is None:
        raise NotProven(
            "verify/log-unknown", f"the transparency log {entry.log_id.hex()[:16]}… is none of the trusted root's"
        )
    try:
        proven = False
        if entry.proof is not None and entry.proof.checkpoint is not None:
            _require_checkpoint(entry.proof, entry.proof.checkpoint, log)
            _require_inclusion(entry.proof, entry.body)
            proven = True
        time = None
        if entry.promise is not None:
            time = _promised(entry, log)
    except UnsupportedKey as error:
        raise NotProven("verify/log-unknown", f"the log's key is not accepted: {error}") from error
    if not proven and time is None:
        raise NotProven("verify/log-inclusion", "the log entry has neither a proof nor a promise of inclusion")
    return Logged(log, time, proven)


def _promised(entry: LogEntry, log: LogKey) -> dt.datetime | None:
    """When the log says it took the entry in, by its signed entry timestamp."""
    if entry.promise is None or entry.integrated_time is None:
        raise NotProven("verify/log-promise", "the log's promise has no time")
    # Canonical JSON (RFC 8785) of what needs no escape in it.
    promised = b'{"body":"%b","integratedTime":%d,"logID":"%b","logIndex":%d}' % (
        base64.b64encode(entry.body),
        entry.integrated_time,
        entry.log_id.hex().encode("ascii"),
        entry.log_index,
    )
    if not verifies(log.key, entry.promise, promised):
        raise NotProven("verify/log-promise", "the log's promise to include the entry is not signed by the log")
    try:
        return dt.datetime.fromtimestamp(entry.integrated_time, dt.UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise NotProven("verify/log-promise", "the log's promise has a time that no calendar has") from error


def _require_checkpoint(proof: InclusionProof, note: str, log: LogKey) -> None:
    def refuse(words: str) -> NotProven:
        return NotProven("verify/log-checkpoint", f"the log's checkpoint {words}")

    text, blank, signatures = note.rpartition("\n\n")
    lines = text.split("\n")
    if not blank or len(lines) < 3 or "" in lines[:3]:
        raise refuse("is not a signed note with origin, size and root hash")
    origin, size, root_hash = lines[:3]
    if not re.fullmatch(r"0|[1-9][0-9]{0,18}", size):
        raise refuse("has no tree size on its second line")
    try:
        root = base64.b64decode(root_hash, validate=True)
    except (binascii.Error, ValueError) as error:
        raise refuse("has no root hash on its third line") from error
    if int(size) != proof.tree_size or root != proof.root_hash:
        raise refuse("is about another tree than the inclusion proof")
    if not signatures.endswith("\n") or signatures.count("\n") > _MOST_LINES:
        raise refuse("has no signature lines")
    # Cosignatures of witnesses stand among them; which keys those have nobody tells us, so only the log's counts.
    names = (log.host, origin.partition(" - ")[0])
    signed = (text + "\n").encode("utf-8")
    for line in signatures.splitlines():
        found = _SIGNATURE_LINE.fullmatch(line)
        if found is None:
            raise refuse("has a line that is not a signature")
        try:
            raw = base64.b64decode(found[2], validate=True)
        except (binascii.Error, ValueError) as error:
            raise refuse("has a signature that is not base64") from error
        if found[1] in names and _is_hint_of(raw[:4], log, found[1]) and verifies(log.key, raw[4:], signed):
            return
    raise refuse("is not signed by the log that is said to hold the entry")


def _is_hint_of(hint: bytes, log: LogKey, name: str) -> bool:
    """Rekor v1 begins the log's id; notes by Ed25519 hash name, algorithm and key (C2SP signed-note)."""
    if hint == log.log_id[:4]:
        return True
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if not isinstance(log.key, Ed25519PublicKey):
        return False
    return hint == hashlib.sha256(name.encode() + b"\n\x01" + log.key.public_bytes_raw()).digest()[:4]


def _require_inclusion(proof: InclusionProof, leaf: bytes) -> None:
    """RFC 6962, section 2.1.1: the path from the leaf leads to the root."""
    if proof.log_index >= proof.tree_size:
        raise NotProven("verify/log-inclusion", "the entry's place lies beyond the end of the log")
    node, last = proof.log_index, proof.tree_size - 1
    value = hashlib.sha256(b"\x00" + leaf).digest()
    for sibling in proof.hashes:
        if last == 0:
            raise NotProven("verify/log-inclusion", "the inclusion proof is longer than the log is high")
        if node & 1 or node == last:
            value = hashlib.sha256(b"\x01" + sibling + value).digest()
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            value = hashlib.sha256(b"\x01" + value + sibling).digest()
        node, last = node >> 1, last >> 1
    if last != 0 or value != proof.root_hash:
        raise NotProven(
            "verify/log-inclusion", "the inclusion proof does not lead to the log's root: the entry is not in it"
        )
