"""The proxy that the environment names for https, as other programs for registries understand it. Pure.

``HTTPS_PROXY``, ``NO_PROXY`` (or in lower case) mean what they mean to docker, crane and cosign
(https://pkg.go.dev/golang.org/x/net/http/httpproxy). What is asked goes through it by CONNECT: it learns the host and
sees TLS. Plain http is never sent through a proxy, and this machine is never asked through one.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit

from maestro.errors import UsageError
from maestro.oci.reference import is_loopback

VARIABLE: Final = "HTTPS_PROXY"
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45}")


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy: ``host:port``, and what it is told of who asks. Never shown: ``authorization``."""

    address: str
    authorization: str | None = field(default=None, repr=False)


def proxy_of(environ: Mapping[str, str]) -> Proxy | None:
    """The proxy for https that the environment names; None where it names none.

    Raises:
        UsageError: what it names is no address of a proxy that is spoken to by http.
    """
    value = _said(environ, VARIABLE)
    if not value:
        return None
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        host, port = parts.hostname or "", parts.port or 80
    except ValueError:
        raise _malformed("it is no address") from None
    if parts.scheme != "http":
        raise _malformed(f"a proxy is spoken to by http:// alone, not by {parts.scheme}://")
    if not _HOST.fullmatch(host) or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise _malformed("it is not http://HOST:PORT")
    authorization = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + base64.b64encode(pair.encode()).decode()
    return Proxy(f"[{host}]:{port}" if ":" in host else f"{host}:{port}", authorization)


def goes_through(environ: Mapping[str, str], host: str, port: int) -> bool:
    """Whether ``NO_PROXY`` lets https to a host go through the proxy; this machine is never asked through one."""
    host = host.lower().rstrip(".")
    if is_loopback(f"[{host}]" if ":" in host else host):
        return False
    return not any(_means(one, host, port) for one in _said(environ, "NO_PROXY").lower().split(","))


def _said(environ: Mapping[str, str], name: str) -> str:
    return (environ.get(name) or environ.get(name.lower()) or "").strip()


def _malformed(words: str) -> UsageError:
    # Its value may hold a password.
    return UsageError(f"{VARIABLE} names no proxy: {words}", remedy=f"write {VARIABLE}=http://HOST:PORT, or unset it")


def _means(entry: str, host: str, port: int) -> bool:
    entry = entry.strip()
    if entry in ("", "*"):
        return entry == "*"
    address = _address(host)
    if "/" in entry:
        try:
            return address is not None and address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    name, own_port = _split(entry)
    if own_port is not None and own_port != port:
        return False
    if address is not None:
        return _address(name) == address
    name = name.removeprefix("*")
    return host.endswith(name) if name.startswith(".") else host == name or host.endswith("." + name)


def _split(entry: str) -> tuple[str, int | None]:
    """A host, and its port where it has one."""
    if entry.count(":") > 1 and not entry.startswith("["):
        return entry, None
    name, colon, port = entry.rpartition(":")
    if not colon or entry.endswith("]"):
        return entry.strip("[]"), None
    return name.strip("[]"), int(port) if port.isascii() and port.isdigit() and len(port) < 6 else -1


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
