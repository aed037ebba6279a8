"""HTTP as a registry is spoken to: every answer bounded in size and time, redirects followed without credentials."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError, ProxyError

from maestro.errors import ToolFailure
from maestro.oci.deadline import pools_until
from maestro.oci.proxies import VARIABLE, Proxy, goes_through, proxy_of
from maestro.oci.reference import is_loopback
from maestro.provenance.reasons import NotProven

_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5
_ERROR_LIMIT = 64 << 10
_CHUNK = 64 << 10
# The library says it in words alone.
_REFUSED = re.compile(r"Tunnel connection failed: ([0-9]{3})")
_PROXY = f"check {VARIABLE} (http://USER:PASSWORD@HOST:PORT where it wants a login) and NO_PROXY"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a registry is waited for, in seconds; ``whole``: everything about one image, whatever is being sent."""

    silence: float = 15.0
    whole: float = 180.0
    attempts: int = 3
    longest_pause: float = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A status below 500 other than 429, its headers (names in lower case, several values each), the bytes sent."""

    url: str
    status: int
    headers: Mapping[str, tuple[str, ...]]
    body: bytes

    def header(self, name: str) -> str:
        """The only or first value of a header, or nothing."""
        return self.headers.get(name, ("",))[0]


def origin(url: str) -> tuple[str, str]:
    """Scheme, and host with port: where credentials may be sent is decided by both."""
    parts = urlsplit(url)
    return parts.scheme.lower(), parts.netloc.lower()


def absolute(url: str, location: str) -> str | None:
    """Where ``location``, found at ``url``, leads; None where that is no address of the web, or brings a password."""
    try:
        target = urljoin(url, location)
    except ValueError:
        return None
    parts = _split(target)
    sound = parts is not None and parts.scheme in ("http", "https") and parts.username is None
    return target if sound else None


class Transport:
    """Requests about one image. Not for several threads. ``environ``: it names the proxy, if there is one."""

    def __init__(
        self,
        *,
        plain_http: bool = False,
        environ: Mapping[str, str] = {},
        patience: Patience | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._plain_http = plain_http
        self._patience = patience or Patience()
        self._sleep = sleep
        self._until = time.monotonic() + self._patience.whole
        self._environ = environ
        self._kinds = pools_until(self._until, self._patience.silence)
        self._pools: dict[Proxy | None, urllib3.PoolManager] = {}

    def scheme(self, registry: str) -> str:
        """``http`` for this machine and where it was asked for, else ``https``."""
        return "http" if self._plain_http or is_loopback(registry) else "https"

    def get(self, url: str, *, headers: Mapping[str, str], authorization: str | None, limit: int) -> Answer:
        """Fetch; redirects are followed, and ``authorization`` goes to the origin of ``url`` alone.

        Raises:
            NotProven: more than ``limit`` bytes, or a redirect that is not followed.
            ToolFailure: no usable answer: an outage, a limit of requests, the time is over.
        """
        home = origin(url)
        for _ in range(_MOST_REDIRECTS + 1):
            allowed = authorization if origin(url) == home else None
            answer = self._patiently("GET", url, headers, allowed, None, limit)
            if answer.status not in _REDIRECTS:
                return answer
            url = self._redirected(url, answer.header("location"), home)
        raise NotProven("verify/image-redirect", f"{_host(url)} redirects more than {_MOST_REDIRECTS} times")

    def token(self, url: str, *, authorization: str | None, form: bytes | None, limit: int) -> Answer:
        """Ask a token service, once and there alone; ``form`` is posted. Raises as :meth:`get`."""
        kind = {"Content-Type": "application/x-www-form-urlencoded"} if form is not None else {}
        return self._patiently("POST" if form is not None else "GET", url, kind, authorization, form, limit)

    def may_ask(self, url: str, *, home_scheme: str) -> bool:
        """Whether credentials of a registry spoken to by ``home_scheme`` may be sent to ``url``."""
        parts = _split(url)
        if parts is None or parts.username is not None:
            return False
        plain = home_scheme == "http" and (self._plain_http or is_loopback(parts.netloc))
        return parts.scheme == "https" or (parts.scheme == "http" and plain)

    def _redirected(self, url: str, location: str, home: tuple[str, str]) -> str:
        target = absolute(url, location) if location else None
        if target is None:
            raise NotProven("verify/image-redirect", f"{_host(url)} redirects to what is no address")
        if origin(target)[0] == "http" and home[0] == "https":
            raise NotProven("verify/image-redirect", f"{_host(url)} redirects from https to http")
        return target

    def _proxy(self, url: str) -> Proxy | None:
        """The proxy that a request goes through.

        Raises:
            UsageError: the environment names something else.
        """
        parts = urlsplit(url)
        if parts.scheme != "https" or not goes_through(self._environ, parts.hostname or "", parts.port or 443):
            return None
        return proxy_of(self._environ)

    def _pool(self, proxy: Proxy | None) -> urllib3.PoolManager:
        if proxy not in self._pools:
            if proxy is None:
                made = urllib3.PoolManager(num_pools=8, maxsize=2)
            else:
                told = {"Proxy-Authorization": proxy.authorization} if proxy.authorization is not None else {}
                address = f"http://{proxy.address}"
                made = urllib3.ProxyManager(address, num_pools=8, maxsize=2, proxy_headers=told)
            made.pool_classes_by_scheme = self._kinds
            self._pools[proxy] = made
        return self._pools[proxy]

    def _patiently(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        authorization: str | None,
        form: bytes | None,
        limit: int,
    ) -> Answer:
        proxy = self._proxy(url)
        way = f"{_host(url)} cannot be asked" + (f" through the proxy {proxy.address}" if proxy is not None else "")
        said, remedy = "", "try again later"
        for attempt in range(self._patience.attempts):
            pause = 2.0**attempt
            try:
                answer = self._once(self._pool(proxy), method, url, headers, authorization, form, limit)
            except HTTPError as error:
                self._require_time(url)
                refused = _REFUSED.search(str(error)) if proxy is not None else None
                if refused is not None:
                    raise ToolFailure(f"the registry {way}: the proxy answers {refused[1]}", remedy=_PROXY) from error
                said = _words(error)
                remedy = _PROXY if isinstance(error, ProxyError) else "try again later"
            else:
                if answer.status != 429 and answer.status < 500:
                    return answer
                said = "it asks for fewer requests (429)" if answer.status == 429 else f"it answers {answer.status}"
                asked = answer.header("retry-after")
                pause = float(asked) if asked.isascii() and asked.isdigit() and len(asked) < 9 else pause
            if attempt + 1 == self._patience.attempts:
                break
            if pause > self._patience.longest_pause or time.monotonic() + pause > self._until:
                said += f", and to wait for {pause:.0f} s"
                break
            self._sleep(pause)
        raise ToolFailure(f"the registry {way}: {said}", remedy=remedy)

    def _once(
        self,
        pool: urllib3.PoolManager,
        method: str,
        url: str,
        headers: Mapping[str, str],
        authorization: str | None,
        form: bytes | None,
        limit: int,
    ) -> Answer:
        self._require_time(url)
        sent = {"Accept-Encoding": "identity", "User-Agent": "maestro-conductor", **headers}
        if authorization is not None:
            sent["Authorization"] = authorization
        response = pool.request(
            method,
            url,
            body=form,
            headers=sent,
            redirect=False,
            retries=False,
            preload_content=False,
            decode_content=False,
            timeout=urllib3.Timeout(connect=self._patience.silence, read=self._patience.silence),
        )
        try:
            good = response.status == 200
            body = self._body(response, url, limit if good else _ERROR_LIMIT, refuse=good)
        finally:
            # A connection with something left in it is of no use to the next request.
            response.close()
        kept = {name.lower(): tuple(response.headers.getlist(name)) for name in response.headers}
        return Answer(url, response.status, kept, body)

    def _body(self, response: urllib3.BaseHTTPResponse, url: str, limit: int, *, refuse: bool) -> bytes:
        parts: list[bytes] = []
        size = 0
        while True:
            self._require_time(url)
            part = response.read1(_CHUNK, decode_content=False)
            if not part:
                return b"".join(parts)
            size += len(part)
            if size > limit:
                if refuse:
                    raise NotProven("verify/image-too-large", f"{_host(url)} sends more than {limit:,} bytes")
                return b"".join(parts)
            parts.append(part)

    def _require_time(self, url: str) -> None:
        if time.monotonic() > self._until:
            words = f"the registry {_host(url)} took more than {self._patience.whole:g} s"
            raise ToolFailure(words, remedy="try again later")


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        return parts if parts.hostname and (parts.port is None or parts.port > 0) else None
    except ValueError:
        return None


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


def _words(error: HTTPError) -> str:
    """The kind of failure; the words of the library are for programmers and name objects."""
    kinds = {
        "ConnectTimeoutError": "it does not answer",
        "ReadTimeoutError": "it stopped answering",
        "NewConnectionError": "no connection",
        "NameResolutionError": "there is no such host",
        "SSLError": "its certificate or TLS is not accepted",
        "ProtocolError": "the connection broke off",
        "ProxyError": "the proxy is not there",
        "IncompleteRead": "the connection broke off",
    }
    return kinds.get(type(error).__name__, f"{type(error).__name__}")
