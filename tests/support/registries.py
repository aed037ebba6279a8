"""Registries on loopback: real ones, and one that lies as told."""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.tools import tool

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _serving(argv: list[str], port: int, folder: Path) -> Iterator[str]:
    address = f"127.0.0.1:{port}"
    with (folder / "registry.log").open("wb") as log:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)
        try:
            for _ in range(200):
                try:
                    urllib.request.urlopen(f"http://{address}/v2/", timeout=1).close()
                    break
                except urllib.error.HTTPError:
                    break  # it wants a password, so it is there
                except OSError:
                    time.sleep(0.05)
            else:
                raise AssertionError((folder / "registry.log").read_text())
            yield address
        finally:
            process.kill()
            process.wait()


@contextmanager
def distribution(folder: Path, *, htpasswd: str | None = None) -> Iterator[str]:
    """The CNCF's registry; yields host:port. ``htpasswd``: a line ``user:bcrypt`` that it then asks for."""
    port = free_port()
    lines = ["version: 0.1", "log: {level: error}", "storage: {inmemory: {}}", f'http: {{addr: "127.0.0.1:{port}"}}']
    if htpasswd is not None:
        (folder / "htpasswd").write_text(htpasswd + "\n")
        lines.append(f"auth: {{htpasswd: {{realm: test, path: {json.dumps(str(folder / 'htpasswd'))}}}}}")
    (folder / "registry.yml").write_text("\n".join(lines) + "\n")
    with _serving([tool("registry"), "serve", "registry.yml"], port, folder) as address:
        yield address


@contextmanager
def go_containerregistry(folder: Path) -> Iterator[str]:
    """go-containerregistry's registry; yields host:port."""
    port = free_port()
    with _serving([tool("crane"), "registry", "serve", "--address", f"127.0.0.1:{port}"], port, folder) as address:
        yield address


@contextmanager
def with_referrers(folder: Path) -> Iterator[str]:
    """go-containerregistry's registry with the Referrers API; yields host:port."""
    port = free_port()
    with _serving([tool("referrers-registry"), f"127.0.0.1:{port}"], port, folder) as address:
        yield address


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def descriptor(data: bytes, media_type: str, **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": f"sha256:{sha256(data)}", "size": len(data), **more}


@dataclass
class Reply:
    """What is answered instead; ``then`` writes the rest by itself."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    then: Callable[[BaseHTTPRequestHandler], None] | None = None


@dataclass
class Asked:
    """A request as it came."""

    method: str
    target: str
    authorization: str | None
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path


Lie = Callable[[Asked], Reply | None]


class LyingRegistry:
    """A registry in memory that knows referrers. Of every request ``lie`` is asked first; None: the truth."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.blobs: dict[str, bytes] = {}
        self.seen: list[Asked] = []
        self.lie: Lie = lambda asked: None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                body = self.rfile.read(length) if length else b""
                asked = Asked(self.command, self.path, self.headers.get("authorization"), body)
                outer.seen.append(asked)
                reply = outer.lie(asked) or outer._truth(asked)
                try:
                    self.send_response(reply.status)
                    for name, value in reply.headers.items():
                        self.send_header(name, value)
                    if reply.then is None:
                        if "Content-Length" not in reply.headers:
                            self.send_header("Content-Length", str(len(reply.body)))
                        self.end_headers()
                        self.wfile.write(reply.body)
                        self.close_connection = int(reply.headers.get("Content-Length", 0)) > len(reply.body)
                    else:
                        self.end_headers()
                        reply.then(self)
                        self.close_connection = True
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            do_POST = do_HEAD = do_GET  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def put(self, value: dict[str, Any], *tags: str) -> str:
        """A manifest under its digest and tags; its digest in hexadecimal."""
        data = json.dumps(value).encode()
        for name in (f"sha256:{sha256(data)}", *tags):
            self.manifests[name] = (value["mediaType"], data)
        return sha256(data)

    def image(self, *tags: str, content: bytes = b"layer") -> str:
        self.blobs[sha256(content)] = content
        config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}})
        self.blobs[sha256(config.encode())] = config.encode()
        layer = descriptor(content, "application/vnd.oci.image.layer.v1.tar")
        return self.put(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": descriptor(config.encode(), CONFIG),
                "layers": [layer],
            },
            *tags,
        )

    def attach(self, bundle: bytes, subject: str, **changes: Any) -> str:
        """A bundle as cosign v3 attaches it."""
        media_type, data = self.manifests[f"sha256:{subject}"]
        self.blobs[sha256(bundle)] = bundle
        self.blobs[sha256(b"{}")] = b"{}"
        value = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": BUNDLE,
            "config": descriptor(b"{}", "application/vnd.oci.empty.v1+json"),
            "layers": [descriptor(bundle, BUNDLE)],
            "subject": descriptor(data, media_type),
        }
        return self.put(value | changes)

    def referrers(self, subject: str) -> list[dict[str, Any]]:
        found = []
        for name, (media_type, data) in self.manifests.items():
            value = json.loads(data)
            if name.startswith("sha256:") and value.get("subject", {}).get("digest") == f"sha256:{subject}":
                found.append(descriptor(data, media_type, artifactType=value.get("artifactType")))
        return found

    def _truth(self, asked: Asked) -> Reply:
        parts = urlsplit(asked.target)
        _, _, rest = parts.path.partition("/v2/")
        if not rest:
            return Reply()
        kind, _, name = rest.rpartition("/")
        kind = kind.rpartition("/")[2]
        if kind == "manifests" and name in self.manifests:
            media_type, data = self.manifests[name]
            return Reply(200, {"Content-Type": media_type, "Docker-Content-Digest": f"sha256:{sha256(data)}"}, data)
        if kind == "blobs" and name.removeprefix("sha256:") in self.blobs:
            return Reply(200, {"Content-Type": "application/octet-stream"}, self.blobs[name.removeprefix("sha256:")])
        if kind == "referrers":
            wanted = parse_qs(parts.query).get("artifactType", [None])[0]
            listed = [
                one
                for one in self.referrers(name.removeprefix("sha256:"))
                if wanted is None or one["artifactType"] == wanted
            ]
            return listing(listed)
        return Reply(404)


def listing(manifests: list[dict[str, Any]], **headers: str) -> Reply:
    body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).encode()
    return Reply(200, {"Content-Type": INDEX, **headers}, body)
