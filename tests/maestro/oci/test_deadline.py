"""No registry keeps us longer than it may, however it spaces what it sends; and TLS is verified as ever."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from maestro.errors import ToolFailure
from maestro.oci.transport import Patience, Transport
from tests.support.drip import certificate, dripping

WHOLE = 0.2
HEAD = b"HTTP/1.1 200 OK\r\n"
SENT = [
    (b"", b"H", "status line"),
    (HEAD, b"x", "one header"),
    (HEAD, b"a: b\r\n", "many headers"),
    (HEAD + b"Content-Length: 10000\r\n\r\n", b"x", "body"),
    (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"0", "size of a chunk"),
    (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n", b"a: b\r\n", "trailer"),
    (HEAD + b"\r\n", b"x", "body until the end"),
    (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", "interim answers"),
]


def _ask(url: str, whole: float = WHOLE) -> str:
    transport = Transport(patience=Patience(silence=5.0, whole=whole), sleep=lambda _: None)
    started = time.monotonic()
    with pytest.raises(ToolFailure) as caught:
        transport.get(url, headers={}, authorization=None, limit=10**6)
    assert time.monotonic() - started < 4.0  # the server goes on for five
    return caught.value.message


@pytest.mark.parametrize(("beginning", "drop"), [one[:2] for one in SENT], ids=[one[2] for one in SENT])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_drops_do_not_buy_time(
    scheme: str, beginning: bytes, drop: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = certificate(tmp_path, "127.0.0.1") if scheme == "https" else None
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with dripping(beginning, drop, tls) as address:
        assert "took more than 0.2 s" in _ask(f"{scheme}://{address}/v2/")


def test_a_handshake_that_never_ends() -> None:
    with dripping(b"\x16\x03\x03\x40\x00", b"\x00") as address:
        assert "took more than 0.2 s" in _ask(f"https://{address}/v2/")


@pytest.mark.parametrize("name", ["other.test", None])
def test_certificates_are_verified(name: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls = certificate(tmp_path, name or "127.0.0.1")
    if name is not None:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with dripping(HEAD + b"Content-Length: 0\r\n\r\n", b"", tls) as address:
        assert "its certificate or TLS is not accepted" in _ask(f"https://{address}/v2/", whole=30.0)


def test_an_accepted_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls = certificate(tmp_path, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with dripping(HEAD + b"Content-Length: 2\r\n\r\nok", b"", tls) as address:
        answer = Transport().get(f"https://{address}/v2/", headers={}, authorization=None, limit=10)
    assert answer.body == b"ok"


def test_an_address_that_nobody_answers_at() -> None:
    # Of a listener whose queue is full, Linux drops the packets: the connection neither comes nor is refused.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, socket.socket() as first, socket.socket() as more:
        for one in (first, more):
            one.setblocking(False)
            one.connect_ex(server.getsockname())
        assert "took more than 0.2 s" in _ask(f"http://127.0.0.1:{server.getsockname()[1]}/v2/")


def test_a_host_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "there is no such host" in _ask("http://" + "a" * 70 + ".test/v2/", whole=30.0)
