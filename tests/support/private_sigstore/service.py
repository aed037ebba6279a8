"""The instance over http on loopback, as far as ``cosign attest`` speaks to one: Fulcio's and Rekor's two endpoints.

Whoever asks gets a certificate for ``run``: what an OIDC token says, and who signed it, is not looked at.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key

from tests.support.private_sigstore.instance import PrivateSigstore
from tests.support.private_sigstore.workflow import Run

TOKEN = ".".join(
    base64.urlsafe_b64encode(one).decode().rstrip("=") for one in (b'{"alg":"RS256"}', b'{"sub":"x"}', b"x")
)

UUID = "00" * 40


class Service:
    """An instance whose clock is this machine's."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.sigstore = PrivateSigstore(dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(days=100))

    def certificate(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Fulcio, POST /api/v2/signingCert."""
        key = load_pem_public_key(asked["publicKeyRequest"]["publicKey"]["content"].encode())
        assert isinstance(key, ec.EllipticCurvePublicKey)
        authority = self.sigstore.authority
        names = [x509.UniformResourceIdentifier(self.run.signer_uri)]
        at = dt.datetime.now(dt.UTC).replace(microsecond=0)
        leaf = authority.issue(key, names, self.run.extensions(), at, self.sigstore.certificate_log)
        chain = [one.public_bytes(Encoding.PEM).decode() for one in (leaf, authority.certificate, authority.root)]
        return {"signedCertificateEmbeddedSct": {"chain": {"certificates": chain}}}

    def entry(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Rekor v1, POST /api/v1/log/entries, of the kind dsse."""
        proposed = asked["spec"]["proposedContent"]
        envelope = json.loads(proposed["envelope"])
        payload = base64.b64decode(envelope["payload"])
        [signature], [verifier] = envelope["signatures"], proposed["verifiers"]
        body = {
            "apiVersion": "0.0.1",
            "kind": "dsse",
            "spec": {
                "envelopeHash": {
                    "algorithm": "sha256",
                    "value": hashlib.sha256(proposed["envelope"].encode()).hexdigest(),
                },
                "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()},
                "signatures": [{"signature": signature["sig"], "verifier": verifier}],
            },
        }
        made = self.sigstore.log.entry(body, dt.datetime.now(dt.UTC))
        proof = made["inclusionProof"]
        return {
            UUID: {
                "body": made["canonicalizedBody"],
                "integratedTime": int(made["integratedTime"]),
                "logID": base64.b64decode(made["logId"]["keyId"]).hex(),
                "logIndex": int(made["logIndex"]),
                "verification": {
                    "signedEntryTimestamp": made["inclusionPromise"]["signedEntryTimestamp"],
                    "inclusionProof": {
                        "checkpoint": proof["checkpoint"]["envelope"],
                        "hashes": [base64.b64decode(one).hex() for one in proof["hashes"]],
                        "logIndex": int(proof["logIndex"]),
                        "rootHash": base64.b64decode(proof["rootHash"]).hex(),
                        "treeSize": int(proof["treeSize"]),
                    },
                },
            }
        }


@contextmanager
def serving(folder: Path, run: Run) -> Iterator[Service]:
    """Puts ``root.json`` (trusted root) and ``signing.json`` (signing config) into ``folder``."""
    service = Service(run)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            fulcio = self.path == "/api/v2/signingCert"
            answer = json.dumps(service.certificate(asked) if fulcio else service.entry(asked)).encode()
            self.send_response(200 if fulcio else 201)
            self.send_header("Content-Type", "application/json")
            self.send_header("ETag", UUID)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    start = service.sigstore.start.strftime("%Y-%m-%dT%H:%M:%SZ")
    one = {
        "url": f"http://127.0.0.1:{server.server_address[1]}",
        "majorApiVersion": 1,
        "validFor": {"start": start},
        "operator": "sigstore.test",
    }
    config = {
        "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
        "caUrls": [one],
        "rekorTlogUrls": [one],
        "rekorTlogConfig": {"selector": "ANY"},
        "tsaConfig": {"selector": "ANY"},
    }
    (folder / "signing.json").write_text(json.dumps(config))
    (folder / "root.json").write_text(json.dumps(service.sigstore.trusted_root()))
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
