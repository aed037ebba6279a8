"""Rekor: version 1 (ECDSA, a promise with a time) and version 2 (Ed25519, proofs alone)."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.private_sigstore.authority import new_key


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\0" + data).digest()


def tree(leaves: list[bytes]) -> bytes:
    """Root of the Merkle tree over leaf hashes (RFC 6962, section 2.1)."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + tree(leaves[:split]) + tree(leaves[split:])).digest()


def path(index: int, leaves: list[bytes]) -> list[bytes]:
    """The inclusion proof of a leaf (RFC 6962, section 2.1.1)."""
    if len(leaves) == 1:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        return [*path(index, leaves[:split]), tree(leaves[split:])]
    return [*path(index - split, leaves[split:]), tree(leaves[:split])]


@dataclass
class Log:
    """What both versions share: a tree in which an entry has neighbours on both sides."""

    host: str
    index: int = 5
    others: tuple[bytes, ...] = tuple(leaf_hash(b"another entry %d" % number) for number in range(10))

    def public_der(self) -> bytes:
        raise NotImplementedError

    def sign(self, data: bytes) -> bytes:
        raise NotImplementedError

    @property
    def log_id(self) -> bytes:
        return hashlib.sha256(self.public_der()).digest()

    @property
    def hint(self) -> bytes:
        return self.log_id[:4]

    @property
    def origin(self) -> str:
        return self.host

    def checkpoint(self, size: int, root: bytes) -> str:
        text = f"{self.origin}\n{size}\n{b64(root)}\n"
        return f"{text}\n— {self.host} {b64(self.hint + self.sign(text.encode()))}\n"

    def include(self, body: bytes) -> dict[str, Any]:
        """The inclusion proof, as bundles write it."""
        leaves = [*self.others[: self.index], leaf_hash(body), *self.others[self.index :]]
        root = tree(leaves)
        return {
            "logIndex": str(self.index),
            "treeSize": str(len(leaves)),
            "rootHash": b64(root),
            "hashes": [b64(one) for one in path(self.index, leaves)],
            "checkpoint": {"envelope": self.checkpoint(len(leaves), root)},
        }


@dataclass
class RekorV1(Log):
    key: ec.EllipticCurvePrivateKey = field(default_factory=new_key)

    def public_der(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, data: bytes) -> bytes:
        return self.key.sign(data, ec.ECDSA(SHA256()))

    @property
    def origin(self) -> str:
        return f"{self.host} - 2605736670972794746"

    def entry(self, body: dict[str, Any], at: dt.datetime, **changes: object) -> dict[str, Any]:
        data = canonical(body)
        index, when = 1000 + self.index, int(at.timestamp())
        promised = {"body": b64(data), "integratedTime": when, "logID": self.log_id.hex(), "logIndex": index}
        return {
            "logIndex": str(index),
            "logId": {"keyId": b64(self.log_id)},
            "kindVersion": {"kind": body["kind"], "version": body["apiVersion"]},
            "integratedTime": str(when),
            "inclusionPromise": {"signedEntryTimestamp": b64(self.sign(canonical(promised)))},
            "inclusionProof": self.include(data),
            "canonicalizedBody": b64(data),
            **changes,
        }


@dataclass
class RekorV2(Log):
    key: ed25519.Ed25519PrivateKey = field(default_factory=ed25519.Ed25519PrivateKey.generate)

    def public_der(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, data: bytes) -> bytes:
        return self.key.sign(data)

    @property
    def log_id(self) -> bytes:
        """The name and key that checkpoints hash (C2SP signed-note)."""
        raw = self.key.public_key().public_bytes_raw()
        return hashlib.sha256(self.host.encode() + b"\n\x01" + raw).digest()

    def entry(self, body: dict[str, Any], **changes: object) -> dict[str, Any]:
        data = canonical(body)
        return {
            "logIndex": str(self.index),
            "logId": {"keyId": b64(self.log_id)},
            "kindVersion": {"kind": body["kind"], "version": body["apiVersion"]},
            "inclusionProof": self.include(data),
            "canonicalizedBody": b64(data),
            **changes,
        }
