"""Runs of a release in an evidence pack: what was decided, what was executed, and the checkpoint.

That the ledger's log continues it is a proof over a Merkle tree: openssl and sha256sum cannot follow it, so the README
says that Maestro did.
"""

from __future__ import annotations

from collections.abc import Mapping

from maestro.evidence import statement
from maestro.evidence.trust import Trust
from maestro.evidence.types import RECEIPT
from maestro.ledger import checkpoint as checkpoints
from maestro.ledger.note import key_id
from policy.release.pack_files import SIGNED_BY_KEY, Pack, digest_of, openssl, quoted


def pack_run(made: Pack, run_id: str, files: Mapping[str, bytes], trust: Trust) -> None:
    """Lay one run into the pack.

    Args:
        made: the pack.
        run_id: the run.
        files: of its folder: sessions, receipts, segments and logs.
        trust: the keys of maestro.yaml.
    """
    top = f"runs/{run_id}"
    segments: list[str] = []
    for name, data in files.items():
        if name.startswith("logs/"):
            made.add(f"{top}/{name}", data)
    for name, data in files.items():
        if name.startswith("segments/"):
            signed, command = made.statement(f"{top}/{name}", data, trust)
            made.check(f"Run {run_id}: {name}", command)
            segments.append(signed)
    for name, data in files.items():
        if not name.startswith(("sessions/", "receipts/")):
            continue
        path = f"{top}/{name}"
        signed, command = made.statement(path, data, trust)
        commands = [command, f'grep -q "{digest_of(path)}" {" ".join(map(quoted, segments))}']
        if name.startswith("receipts/"):
            commands += [f'grep -q \'"outcome":"succeeded"\' {quoted(signed)}', *_logs(made, top, path, data, trust)]
        made.check(f"Run {run_id}: {name}, listed by a segment", *commands)


def _logs(made: Pack, top: str, path: str, data: bytes, trust: Trust) -> list[str]:
    from maestro.evidence import bundle as bundles

    envelope = bundles.parse(data)
    key = trust.key(envelope.key_id)
    pem = made.key(key.id, key.pem)
    said = statement.parse(envelope.payload, predicate_type=RECEIPT)
    return [
        f"cosign verify-blob-attestation --key {quoted(pem)} {SIGNED_BY_KEY} --type {RECEIPT} "
        f"--bundle {quoted(path)} {quoted(f'{top}/{one.name}')}"
        for one in said.subjects
    ]


def pack_checkpoint(made: Pack, name: str, data: bytes, trust: Trust) -> None:
    """Lay the checkpoint into the pack that the ledger's log was compared with."""
    path = made.add("runs/checkpoint", data)
    found = checkpoints.parse(data)
    key = checkpoints.signer_of(found, trust)
    signature = next(one for one in found.note.signatures if one.key_id == key_id(key.fingerprint))
    signed = made.add(f"{path}.signed", found.note.text.encode())
    sig = made.add(f"{path}.sig", signature.signature)
    made.check(f"{name}: the ledger's checkpoint", openssl(made.key(key.id, key.pem), sig, signed))
