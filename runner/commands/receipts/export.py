"""``receipts export``: a folder that somebody without this tool can check."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from maestro.counting import many
from maestro.errors import ToolFailure, UsageError
from maestro.ledger.log import published
from maestro.world import World
from runner.commands.receipts.opened import OpenLedger
from runner.commands.receipts.words import SCHEMA, as_json
from runner.ledger_check import RunReport
from runner.run_folder import KINDS, RunFolder


def export(arguments: argparse.Namespace, world: World, ledger: OpenLedger) -> int:
    """A folder that somebody without this tool can check."""
    target = world.cwd / arguments.what
    folders = ledger.runs(arguments.run)
    reports = [ledger.check(folder, counted=True) for folder in folders]
    objections = [one for report in reports for one in report.objections]
    try:
        target.mkdir(parents=True)
    except FileExistsError as error:
        raise UsageError(
            "the folder is there already", where=str(arguments.what), remedy="name one that is not"
        ) from error
    except OSError as error:
        raise ToolFailure(f"the export could not be written: {error.strerror}", where=str(target)) from error
    try:
        _write(target, ledger, folders, reports)
    except BaseException as error:
        shutil.rmtree(target, ignore_errors=True)  # half of it would prove less than it seems to, and be in the way
        if isinstance(error, OSError):
            why = error.args[0][0][2] if isinstance(error, shutil.Error) else error.strerror
            raise ToolFailure(f"the export could not be written: {why}", where=str(target)) from error
        raise
    world.stderr.write(
        f"exported {many(len(folders), 'run')} with {many(len(objections), 'objection')} to {arguments.what}\n"
    )
    return 10 if objections else 0


def _write(target: Path, ledger: OpenLedger, folders: Sequence[RunFolder], reports: Sequence[RunReport]) -> None:
    (target / "keys").mkdir()
    for folder in folders:
        for kind in () if folder.unreadable else KINDS:
            shutil.copytree(
                folder.path / kind, target / "runs" / folder.run_id / kind, ignore=shutil.ignore_patterns("*.tmp")
            )
    for key in ledger.trust.keys.values():
        name = "".join(char if char.isalnum() or char in "-_." else "_" for char in key.id).lstrip(".")
        (target / "keys" / f"{name or 'key'}.pem").write_text(key.pem.strip() + "\n")
    head = ledger.log.head()
    for name, data in published(ledger.log, head) if head is not None else ():
        (target / "log" / name).parent.mkdir(parents=True, exist_ok=True)
        (target / "log" / name).write_bytes(data)
    (target / "README.md").write_text(_README)
    (target / "verification.json").write_text(
        json.dumps({"schema": SCHEMA, "runs": [as_json(report) for report in reports]}, indent=2) + "\n"
    )


_README = """\
# Receipts

`keys/` holds the public keys that maestro.yaml listed on the default branch when this was exported. A key that comes
with what it is to prove, proves nothing: compare them with a copy you got from elsewhere.

One receipt and the log it is about, in the folder of a run, with cosign 3:

    cosign verify-blob-attestation --key ../../keys/KEY.pem --bundle receipts/ID.sigstore.json \\
      --insecure-ignore-tlog --type urn:maestro-conductor:receipt:v1 logs/ID.1.log

(`--insecure-ignore-tlog`: there is no entry in a public transparency log.)

The same with openssl and python, without any of us:

    python3 - receipts/ID.sigstore.json <<'END'
    import base64, json, sys
    envelope = json.load(open(sys.argv[1]))["dsseEnvelope"]
    payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"].encode()
    open("pae", "wb").write(b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload))
    open("sig", "wb").write(base64.b64decode(envelope["signatures"][0]["sig"]))
    END
    openssl dgst -sha256 -verify ../../keys/KEY.pem -signature sig pae
    sha256sum logs/ID.1.log        # must be the first subject's digest in the payload

`segments/` holds signed lists of all receipts of a run; the last one counts. `sessions/` holds what policy decided.
`verification.json` is what `maestro receipts verify` said.

`log/` is the Merkle log that segments are entered into, laid out as https://c2sp.org/tlog-tiles says, `log/checkpoint`
is signed (https://c2sp.org/tlog-checkpoint, ECDSA). Compare it with one that you kept: only that shows what is missing.
"""
