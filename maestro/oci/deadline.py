"""Connections that end at an instant, however slowly the other side sends.

The time limit of a socket is one of silence: who sends a byte now and then is never silent. So each wait here is cut to
what is left. Only the look-up of a host's name has limits of its own: those of the system's resolver.
"""

from __future__ import annotations

import socket
import ssl
import time
from functools import cache
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import create_connection

_SHORTEST = 0.001
"""In seconds; 0 would mean not to wait at all, which is another error."""


def pools_until(until: float, silence: float) -> dict[str, type[HTTPConnectionPool]]:
    """The kinds of pools, by scheme, whose connections end.

    Args:
        until: the instant, by :func:`time.monotonic`.
        silence: seconds that a single wait may take before.
    """

    def left() -> float:
        return max(_SHORTEST, min(silence, until - time.monotonic()))

    # http.client reads through `recv_into` alone, both the headers and the body.
    class Plain(socket.socket):
        def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:  # noqa: ANN401 - any buffer
            self.settimeout(left())
            return super().recv_into(buffer, nbytes, flags)

    class Tls(ssl.SSLSocket):
        def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:  # noqa: ANN401
            self.settimeout(left())
            return super().recv_into(buffer, nbytes, flags)

    @cache
    def context() -> ssl.SSLContext:
        made = ssl.create_default_context()
        made.sslsocket_class = Tls
        return made

    def connected(connection: HTTPConnection) -> socket.socket:
        """As urllib3 does it, and not each of many addresses for the whole time."""
        problem: OSError | None = None
        try:
            found = socket.getaddrinfo(connection.host, connection.port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            raise NameResolutionError(connection.host, connection, socket.gaierror(str(error))) from error
        for *_, address in found:
            try:
                options = connection.socket_options
                made = create_connection((str(address[0]), int(address[1])), left(), socket_options=options)
            except OSError as error:
                problem = error
            else:
                own = Plain(made.family, made.type, made.proto, fileno=made.detach())
                own.settimeout(left())
                return own
            if time.monotonic() > until:
                break
        if isinstance(problem, TimeoutError):
            raise ConnectTimeoutError(connection, "in time") from problem
        raise NewConnectionError(connection, "refused") from problem

    class PlainConnection(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return connected(self)

    class TlsConnection(HTTPSConnection):
        def connect(self) -> None:
            self.ssl_context = context()
            super().connect()

        def _new_conn(self) -> socket.socket:
            return connected(self)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = PlainConnection

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = TlsConnection

    return {"http": PlainPool, "https": TlsPool}
