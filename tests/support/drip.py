"""A server on loopback that says the beginning of an answer, and then a byte now and then."""

from __future__ import annotations

import datetime as dt
import ipaddress
import itertools
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

PAUSE, MOST = 0.02, 250


@contextmanager
def dripping(beginning: bytes, drop: bytes, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Yields host:port. ``beginning`` is sent at once when asked, then ``drop`` byte by byte, over and over for 5 s."""
    ended = threading.Event()

    def drip(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            talk = tls.wrap_socket(connection, server_side=True) if tls is not None else connection
            with talk:
                talk.recv(65536)
                talk.sendall(beginning)
                for byte in itertools.islice(itertools.cycle(drop), MOST):
                    if ended.is_set():
                        return
                    talk.sendall(bytes([byte]))
                    time.sleep(PAUSE)

    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=drip, args=(server.accept()[0],), daemon=True).start()

        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            ended.set()
            # Closed while it is waited on, its number could be the next server's, which this thread then answered for.
            server.shutdown(socket.SHUT_RDWR)
            serving.join()


def certificate(folder: Path, name: str) -> ssl.SSLContext:
    """A server's context for ``name`` (an address or a host); ``folder/ca.pem`` vouches for it."""
    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    called = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    try:
        alternative: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        alternative = x509.DNSName(name)
    made = (
        x509.CertificateBuilder()
        .subject_name(called)
        .issuer_name(called)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, SHA256())
    )
    (folder / "ca.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return context
