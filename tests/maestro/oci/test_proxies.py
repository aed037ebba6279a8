"""Through the proxy of the environment: a tunnel for https, nothing for this machine, and no password seen."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro.errors import ToolFailure, UsageError
from maestro.evidence.trust import Trust
from maestro.oci.credentials import Credentials
from maestro.oci.images import VerifiedImage, verify_image
from maestro.oci.proxies import Proxy, goes_through, proxy_of
from maestro.oci.reference import parse_reference
from maestro.oci.registry import Registry
from maestro.oci.transport import Patience, Transport
from maestro.provenance.authenticate import Believed
from maestro.provenance.trust_policy import TrustPolicy
from tests.maestro.oci.test_lying_registry import ROOT, bundle
from tests.maestro.provenance.refusals import NOW, entry
from tests.support.connect_proxy import connect_proxy
from tests.support.drip import certificate, dripping
from tests.support.registries import LyingRegistry, Reply

NAME = "registry.test/acme/api"


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LyingRegistry]:
    """``registry.test``, which only a proxy can reach; it wants a password."""
    server = LyingRegistry(certificate(tmp_path, "registry.test"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    made = server.image("v1")
    server.attach(bundle(made), made)
    basic = "Basic " + base64.b64encode(b"me:hidden-word").decode()
    server.lie = lambda asked: (
        None if asked.authorization == basic else Reply(401, {"WWW-Authenticate": "Basic realm=x"})
    )
    yield server
    server.stop()


def verify(proxy: str, **environ: str) -> VerifiedImage:
    image = parse_reference(f"{NAME}:v1")
    transport = Transport(environ={"HTTPS_PROXY": proxy, **environ}, sleep=lambda _: None)
    credentials = Credentials("me", "hidden-word")
    policy = TrustPolicy(apiVersion="maestro-conductor/v1", kind="TrustPolicy", artifacts=(entry(match=(NAME,)),))
    return verify_image(
        image, Registry(image, transport, lambda _: credentials), policy, Believed([ROOT], Trust({})), NOW
    )


def problem(found: VerifiedImage) -> str:
    [one] = found.verifications
    assert one.problem is not None
    return one.problem.message


def test_https_goes_through_a_tunnel(registry: LyingRegistry) -> None:
    with connect_proxy(registry.address) as proxy:
        found = verify(f"http://us%65r:proxy-word@{proxy.address}/")
        assert found.proven, found.verifications
        told = b"Proxy-Authorization: Basic " + base64.b64encode(b"user:proxy-word")
        assert {(head.split(b"\r\n")[0], told in head) for head in proxy.heads} == {
            (b"CONNECT registry.test:443 HTTP/1.0", True)
        }
        # What it carries is TLS, and what it is told is for it alone.
        seen = b"".join(proxy.heads) + proxy.carried
        assert proxy.carried.startswith(b"\x16\x03")
        assert not any(word in seen for word in (b"GET ", b"/v2/", b"hidden-word", base64.b64encode(b"me:hidden-word")))
        assert all(one.authorization is None or "proxy-word" not in one.authorization for one in registry.seen)


def test_the_registry_s_certificate_counts_behind_a_proxy_too(
    registry: LyingRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    certificate(tmp_path / "other", "registry.test")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "other/ca.pem"))
    with connect_proxy(registry.address) as proxy:
        found = verify(proxy.address)
    assert (found.exit_code, "its certificate or TLS is not accepted" in problem(found)) == (1, True)


@pytest.mark.parametrize("status", ["407 Proxy Authentication Required", "403 Forbidden", "502 Bad Gateway"])
def test_a_proxy_that_refuses(registry: LyingRegistry, status: str) -> None:
    with connect_proxy(registry.address, refusal=f"HTTP/1.1 {status}".encode()) as proxy:
        found = verify(f"http://user:proxy-word@{proxy.address}")
        answer = f"the proxy answers {status[:3]}"
        words = f"the registry registry.test cannot be asked through the proxy {proxy.address}: {answer}"
        assert (found.exit_code, problem(found)) == (1, words)
        assert len(proxy.heads) == 1
    assert "NO_PROXY" in str(found.verifications[0].problem and found.verifications[0].problem.remedy)


def test_an_outage_behind_a_proxy_is_the_registry_s(registry: LyingRegistry) -> None:
    registry.lie = lambda asked: Reply(503)
    with connect_proxy(registry.address) as proxy:
        found = verify(proxy.address)
    assert "it answers 503" in problem(found)
    assert found.verifications[0].problem is not None
    assert found.verifications[0].problem.remedy == "try again later"


def test_a_proxy_that_is_not_there() -> None:
    with connect_proxy("127.0.0.1:1") as proxy:
        pass
    found = verify(f"http://user:proxy-word@{proxy.address}")
    words = f"the registry registry.test cannot be asked through the proxy {proxy.address}: the proxy is not there"
    assert (found.exit_code, problem(found)) == (1, words)


@pytest.mark.parametrize("drop", [b"x", b"a: b\r\n"], ids=["one header", "many headers"])
def test_a_proxy_that_drips_buys_no_time(drop: bytes) -> None:
    started = time.monotonic()
    with dripping(b"HTTP/1.1 200 OK\r\n", drop) as address:
        transport = Transport(
            environ={"HTTPS_PROXY": address}, patience=Patience(silence=5.0, whole=0.3), sleep=lambda _: None
        )
        with pytest.raises(ToolFailure, match="took more than"):
            transport.get("https://registry.test/v2/", headers={}, authorization=None, limit=100)
    assert time.monotonic() - started < 4.0


def test_this_machine_is_asked_without_and_http_too(tmp_path: Path) -> None:
    server = LyingRegistry()
    try:
        transport = Transport(environ={"HTTPS_PROXY": "127.0.0.1:1", "HTTP_PROXY": "127.0.0.1:1"}, plain_http=True)
        url = f"http://{server.address}/v2/"
        assert transport.get(url, headers={}, authorization=None, limit=100).status == 200
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("value", "proxy"),
    [
        ("http://proxy.example:3128", Proxy("proxy.example:3128")),
        ("proxy.example:3128", Proxy("proxy.example:3128")),
        (" http://proxy.example/ ", Proxy("proxy.example:80")),
        ("http://[fd00::1]:3128", Proxy("[fd00::1]:3128")),
        ("http://a:b%40c@p:1", Proxy("p:1", "Basic " + base64.b64encode(b"a:b@c").decode())),
        ("", None),
    ],
)
def test_what_names_a_proxy(value: str, proxy: Proxy | None) -> None:
    assert (
        proxy_of({"https_proxy": value})
        == proxy_of({"HTTPS_PROXY": value, "https_proxy": "x:1"} if value else {})
        == proxy
    )
    assert "b@c" not in repr(proxy)


NONE = (
    *("https://p:1", "socks5://p:1", "http://", "http://p:x", "http://p:1/path"),
    *("http://a b:1", "http://[", "http://p:1?q", "://"),
)


@pytest.mark.parametrize("value", NONE)
def test_what_names_none_is_said_without_its_password(value: str) -> None:
    with pytest.raises(UsageError, match="HTTPS_PROXY names no proxy") as caught:
        proxy_of({"HTTPS_PROXY": value.replace("//p", "//user:secret@p")})
    assert "secret" not in json.dumps([caught.value.message, caught.value.remedy])
    found = verify(value)
    assert (found.proven, found.exit_code) == (False, 2)


@pytest.mark.parametrize(
    ("exceptions", "host", "through"),
    [
        ("", "registry.test", True),
        ("*", "registry.test", False),
        ("other.test, registry.test", "registry.test", False),
        ("REGISTRY.test", "registry.Test.", False),
        ("test", "registry.test", False),
        (".test", "registry.test", False),
        ("*.test", "registry.test", False),
        (".registry.test", "registry.test", True),
        ("gistry.test", "registry.test", True),
        ("registry.test.evil", "registry.test", True),
        ("registry.test:443", "registry.test", False),
        ("registry.test:5000", "registry.test", True),
        ("registry.test:x", "registry.test", True),
        ("10.0.0.0/8", "10.1.2.3", False),
        ("10.0.0.0/8", "11.1.2.3", True),
        ("10.0.0.0/x", "10.1.2.3", True),
        ("10.1.2.3", "10.1.2.3", False),
        ("2.3", "10.1.2.3", True),
        ("fd00::/8", "fd00::1", False),
        ("fd00::1", "fd00::1", False),
        ("[fd00::1]:443", "fd00::1", False),
        ("[fd00::1]:444", "fd00::1", True),
        ("", "localhost", False),
        ("", "127.0.0.2", False),
        ("", "::1", False),
    ],
)
def test_exceptions(exceptions: str, host: str, through: bool) -> None:
    assert goes_through({"NO_PROXY": exceptions}, host, 443) == through


@given(st.text(max_size=40), st.text(max_size=20), st.integers(0, 65535))
def test_no_odd_value_is_a_crash(value: str, host: str, port: int) -> None:
    goes_through({"NO_PROXY": value}, host, port)
    try:
        proxy_of({"HTTPS_PROXY": value})
    except UsageError:
        return
