"""Verify a signed segment, a checkpoint and the proof that one is in the other. Shares no code with the project.

    python3 verify_segment.py KEY.pem SEGMENT.sigstore.json PROOF.tlog-proof

Only the standard library, and `openssl` for the two signatures. See DSSE, RFC 9162 (2.1.3.2), c2sp.org/signed-note,
c2sp.org/tlog-checkpoint and c2sp.org/tlog-proof.
"""

import base64
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path


def insist(holds: bool, what: str) -> None:
    if not holds:
        sys.exit(f"NOT VERIFIED: {what}")


def signature_holds(key: str, signature: bytes, data: bytes) -> bool:
    with tempfile.NamedTemporaryFile() as signed:
        signed.write(signature)
        signed.flush()
        command = ["openssl", "dgst", "-sha256", "-verify", key, "-signature", signed.name]
        return subprocess.run(command, input=data, capture_output=True, check=False).returncode == 0


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def main(key: str, segment_file: str, proof_file: str) -> None:
    segment = Path(segment_file).read_bytes()
    envelope = json.loads(segment)["dsseEnvelope"]
    payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"].encode()
    signed = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
    insist(signature_holds(key, base64.b64decode(envelope["signatures"][0]["sig"]), signed), "the segment's signature")

    head, _, checkpoint = Path(proof_file).read_bytes().decode("utf-8").partition("\n\n")
    first, extra, index_line, *hashes = head.split("\n")
    insist(first == "c2sp.org/tlog-proof@v1" and extra.startswith("extra "), "the proof's form")
    leaf = base64.b64decode(extra.split(" ")[1])
    insist(json.loads(leaf)["sha256"] == sha256(segment).hex(), "the entry names another segment")
    index = int(index_line.removeprefix("index "))

    text, _, signatures = checkpoint.rpartition("\n\n")
    text += "\n"
    origin, size_line, root = text.split("\n")[:3]
    size = int(size_line)
    der = subprocess.run(["openssl", "pkey", "-pubin", "-in", key, "-outform", "DER"], capture_output=True, check=True)
    for line in signatures.splitlines():
        dash, name, encoded = line.split(" ")
        raw = base64.b64decode(encoded)
        if dash == "\u2014" and name == origin and raw[:4] == sha256(der.stdout)[:4]:
            insist(signature_holds(key, raw[4:], text.encode()), "the checkpoint's signature")
            break
    else:
        insist(False, "the checkpoint is not signed by this key")

    insist(index < size, "the index lies beyond the checkpoint")
    found, last, position = sha256(b"\0" + leaf), size - 1, index
    for one in map(base64.b64decode, hashes):
        insist(last > 0, "the proof is too long")
        if position & 1 or position == last:
            found = sha256(b"\1" + one + found)
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            found = sha256(b"\1" + found + one)
        position, last = position >> 1, last >> 1
    insist(last == 0 and found == base64.b64decode(root), "the entry is not in the log of this checkpoint")
    said = json.loads(payload)["predicate"]
    print(f"verified: segment {said['number']} of run {said['run']}, entry {index} of {size} in {origin}")


if __name__ == "__main__":
    main(*sys.argv[1:])
