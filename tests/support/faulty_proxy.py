"""An HTTP server in front of another that answers as told: with an error, too late, or not although it was done."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

Fault = Literal["pass", "hang", "cut", "accept-then-hang", "accept-then-cut", "accept-then-500"] | int
"""What becomes of a request; a number is answered as a status, with nothing done."""

_HANG_SECONDS = 3.0


class FaultyProxy:
    """Forwards to ``port`` on this machine; ``faults`` are used up one a request that ``concerns``."""

    def __init__(self, port: int) -> None:
        self.faults: list[Fault] = []
        self.concerns: tuple[str, ...] = ("PUT", "POST")
        self.seen: list[str] = []
        self._target = port
        self._ended = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def do_GET(self) -> None:
                outer._answer(self)

            do_PUT = do_POST = do_DELETE = do_HEAD = do_GET  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        body = _body(request)
        fault: Fault = "pass"
        if request.command in self.concerns:
            self.seen.append(request.command)
            fault = self.faults.pop(0) if self.faults else "pass"
        if isinstance(fault, int):
            _send(request, fault, [], b"")
            return
        if fault not in ("hang", "cut"):
            status, headers, data = self._forward(request, body)
            if fault == "pass":
                _send(request, status, headers, data)
                return
        if fault == "accept-then-500":
            _send(request, 500, [], b"")
            return
        if fault.endswith("hang"):
            self._ended.wait(_HANG_SECONDS)
        request.close_connection = True

    def _forward(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._target, timeout=20)
        try:
            skip = ("connection", "transfer-encoding", "content-length", "expect")
            headers = {name: value for name, value in request.headers.items() if name.lower() not in skip}
            connection.request(request.command, request.path, body, {**headers, "Content-Length": str(len(body))})
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()


def _body(request: BaseHTTPRequestHandler) -> bytes:
    if request.headers.get("Transfer-Encoding", "").lower() == "chunked":
        parts = []
        while size := int(request.rfile.readline().split(b";")[0], 16):
            parts.append(request.rfile.read(size))
            request.rfile.readline()
        while request.rfile.readline().strip():
            pass
        return b"".join(parts)
    return request.rfile.read(int(request.headers.get("Content-Length") or 0))


def _send(request: BaseHTTPRequestHandler, status: int, headers: list[tuple[str, str]], data: bytes) -> None:
    request.send_response(status)
    for name, value in headers:
        if name.lower() not in ("connection", "transfer-encoding", "content-length", "date", "server"):
            request.send_header(name, value)
    request.send_header("Content-Length", str(len(data)))
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(data)


@contextmanager
def faulty_proxy(port: int) -> Iterator[FaultyProxy]:
    """One, ended at the end."""
    proxy = FaultyProxy(port)
    try:
        yield proxy
    finally:
        proxy.stop()
