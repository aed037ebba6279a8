"""A proxy on loopback that knows CONNECT alone: whatever is asked for, it leads to one server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class ConnectProxy:
    """``heads``: what it was asked, each up to the empty line; ``carried``: every byte that went through to the server.

    ``refusal``: a status line with which it answers instead.
    """

    def __init__(self, target: str, refusal: bytes | None) -> None:
        self.heads: list[bytes] = []
        self.carried = b""
        self._target = target
        self._refusal = refusal
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self._serving = threading.Thread(target=self._serve, daemon=True)
        self._serving.start()

    def stop(self) -> None:
        # No descriptor is closed while a thread may still use its number: it could be somebody else's by then.
        self._listening.shutdown(socket.SHUT_RDWR)
        self._serving.join()
        self._listening.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=self._lead, args=(self._listening.accept()[0],), daemon=True).start()

    def _lead(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += client.recv(1) or b"\r\n\r\n"
            self.heads.append(head)
            if self._refusal is not None or not head.startswith(b"CONNECT "):
                client.sendall((self._refusal or b"HTTP/1.1 405 Method Not Allowed") + b"\r\n\r\n")
                return
            host, _, port = self._target.rpartition(":")
            with socket.create_connection((host, int(port))) as server:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=self._pump, args=(server, client), daemon=True)
                back.start()
                self._pump(client, server, keep=True)
                back.join()

    def _pump(self, source: socket.socket, sink: socket.socket, *, keep: bool = False) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if keep:
                    self.carried += data
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


@contextmanager
def connect_proxy(target: str, *, refusal: bytes | None = None) -> Iterator[ConnectProxy]:
    """A proxy that leads to ``target`` (host:port) for as long as this lasts."""
    proxy = ConnectProxy(target, refusal)
    try:
        yield proxy
    finally:
        proxy.stop()
