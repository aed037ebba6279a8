"""A registry that lies, in every way we know: refused with a reason, or an outage said; never a pass, never a crash."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler

import pytest

from maestro.evidence.trust import Trust
from maestro.oci.credentials import Credentials
from maestro.oci.images import VerifiedImage, verify_image
from maestro.oci.reference import parse_reference
from maestro.oci.registry import Registry
from maestro.oci.transport import Patience, Transport
from maestro.provenance import trusted_root
from maestro.provenance.authenticate import Believed
from maestro.provenance.trust_policy import TrustPolicy
from tests.maestro.provenance.refusals import NOW, RUN, SIGSTORE, entry
from tests.support.private_sigstore.workflow import Run, statement
from tests.support.registries import BUNDLE, INDEX, MANIFEST, Asked, Lie, LyingRegistry, Reply, descriptor, listing

QUICK = Patience(silence=10.0, whole=30.0, attempts=3, longest_pause=30.0)
ROOT = trusted_root.load(json.dumps(SIGSTORE.trusted_root()).encode(), name="private", where="root.json")


def bundle(sha256: str, run: Run = RUN) -> bytes:
    return json.dumps(SIGSTORE.attest(statement(run.provenance_v1(), sha256), SIGSTORE.signer(run))).encode()


@pytest.fixture
def registry() -> Iterator[LyingRegistry]:
    server = LyingRegistry()
    yield server
    server.stop()


class Case:
    """An image with good provenance, until somebody lies."""

    def __init__(self, server: LyingRegistry) -> None:
        self.server = server
        self.image = server.image("v1")
        self.referrer = server.attach(bundle(self.image), self.image)
        self.slept: list[float] = []
        self.entry = entry(match=("127.0.0.1:*/acme/api",))

    def verify(
        self, name: str = ":v1", credentials: Credentials | None = None, patience: Patience = QUICK
    ) -> VerifiedImage:
        image = parse_reference(f"{self.server.address}/acme/api{name}")
        transport = Transport(patience=patience, sleep=self.slept.append)
        policy = TrustPolicy(apiVersion="maestro-conductor/v1", kind="TrustPolicy", artifacts=(self.entry,))
        return verify_image(image, Registry(image, transport, lambda _: credentials), policy, self.believed, NOW)

    believed = Believed([ROOT], Trust({}))

    def codes(self, name: str = ":v1", patience: Patience = QUICK) -> list[str | None]:
        found = self.verify(name, patience=patience)
        assert found.proven == all(one.problem is None for one in found.verifications)
        return [one.problem.code if one.problem is not None else None for one in found.verifications]

    def unknown(self, words: str, *, credentials: Credentials | None = None, patience: Patience = QUICK) -> str:
        """What is to be done, after insisting that nothing is known, as ``words`` (a pattern) say."""
        found = self.verify(credentials=credentials, patience=patience)
        [one] = found.verifications
        assert not found.proven
        assert one.problem is not None
        assert (found.exit_code, one.problem.code) == (1, "verify/image-unanswered"), one.problem
        assert re.search(words, one.problem.message), one.problem.message
        return one.problem.remedy or ""


@pytest.fixture
def case(registry: LyingRegistry) -> Case:
    return Case(registry)


def when(part: str, reply: Reply) -> Lie:
    return lambda asked: reply if part in asked.target else None


def test_the_truth_is_believed(case: Case) -> None:
    found = case.verify()
    assert found.proven
    assert str(found.pinned) == f"{case.server.address}/acme/api@sha256:{case.image}"
    assert case.codes(f"@sha256:{case.image}") == [None]


def test_a_tag_is_looked_up_once(case: Case) -> None:
    case.verify()
    assert [one.path for one in case.server.seen if one.path.endswith("/manifests/v1")] == ["/v2/acme/api/manifests/v1"]


def test_retagged_between_resolve_and_fetch(case: Case) -> None:
    other = case.server.image("evil", content=b"another")

    def retag(asked: Asked) -> Reply | None:
        if "referrers" in asked.target:
            case.server.manifests["v1"] = case.server.manifests["evil"]
        return None

    case.server.lie = retag
    found = case.verify()
    assert found.proven
    assert found.pinned is not None
    assert found.pinned.sha256 == case.image != other
    case.server.lie = lambda asked: None
    assert case.codes() == ["verify/image-unattested"]


def test_another_image_under_the_digest(case: Case) -> None:
    _, data = case.server.manifests[f"sha256:{case.server.image(content=b'evil')}"]
    case.server.lie = when(f"manifests/sha256:{case.image}", Reply(200, {"Content-Type": MANIFEST}, data))
    assert case.codes(f"@sha256:{case.image}") == ["verify/image-digest"]


def test_a_header_that_says_another_digest(case: Case) -> None:
    headers = {"Content-Type": MANIFEST, "Docker-Content-Digest": "sha256:" + "00" * 32}
    case.server.lie = when("manifests/v1", Reply(200, headers, case.server.manifests["v1"][1]))
    assert case.codes() == ["verify/image-digest"]


def test_an_attestation_that_is_other_bytes(case: Case) -> None:
    case.server.lie = when("/blobs/", Reply(200, {}, b"{}"))
    assert case.codes() == ["verify/image-digest"]
    _, data = case.server.manifests["v1"]
    case.server.lie = when(case.referrer, Reply(200, {"Content-Type": MANIFEST}, data))
    assert case.codes() == ["verify/image-digest"]


def test_an_attestation_of_another_image(case: Case) -> None:
    other = case.server.image(content=b"evil")
    listed = case.server.referrers(case.image)
    case.server.lie = when("/referrers/", listing(listed))
    assert case.codes(f"@sha256:{other}") == ["verify/image-subject"]
    # Attached to it, too, it still speaks of the first one.
    case.server.lie = lambda asked: None
    case.server.attach(bundle(case.image), other)
    assert case.codes(f"@sha256:{other}") == ["verify/subject-mismatch"]


def test_one_lie_beside_a_good_attestation_does_no_harm_and_is_shown(case: Case) -> None:
    evil = case.server.attach(bundle(case.image, replace(RUN, repository="acme/api-evil")), case.image)
    case.server.lie = when(f"manifests/sha256:{evil}", Reply(404))
    [found] = case.verify().verifications
    assert found.proven
    assert {one.problem.code for one in found.entries[0].judged if one.problem is not None} == {
        "verify/image-attestation"
    }


@pytest.mark.parametrize(
    ("content_type", "change"),
    [
        (INDEX, {}),
        ("text/html", {}),
        ("application/vnd.docker.distribution.manifest.v1+prettyjws", {"mediaType": None}),
        (MANIFEST, {"mediaType": INDEX}),
        (MANIFEST, {"manifests": []}),
        (INDEX, {"mediaType": None, "manifests": []}),
        (MANIFEST, {"layers": 7}),
        (MANIFEST, {"layers": [{"digest": "sha256:x", "size": 1, "mediaType": "a"}]}),
        (MANIFEST, {"layers": [{"digest": "sha256:" + "ab" * 32, "size": -1, "mediaType": "a"}]}),
        (MANIFEST, {"layers": [descriptor(b"", "a", annotations={"a": 7})]}),
        (MANIFEST, {"layers": [descriptor(b"", "a")] * 1001}),
    ],
)
def test_content_type_confusion(case: Case, content_type: str, change: dict[str, object]) -> None:
    value = json.loads(case.server.manifests["v1"][1]) | change
    body = json.dumps({key: one for key, one in value.items() if one is not None}).encode()
    case.server.lie = when("manifests/v1", Reply(200, {"Content-Type": content_type}, body))
    assert case.codes() == ["verify/image-manifest"]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[]", b'{"layers":[],"layers":[]}', b'{"a":' * 100_000])
def test_a_manifest_without_one_meaning(case: Case, body: bytes) -> None:
    case.server.lie = when("manifests/v1", Reply(200, {"Content-Type": MANIFEST}, body))
    assert case.codes() == ["verify/image-manifest"]


def _endless(request: BaseHTTPRequestHandler) -> None:
    for _ in range(10 << 30 >> 20):
        request.wfile.write(bytes(1 << 20))


@pytest.mark.parametrize(("part", "named"), [("manifests/v1", 4), ("/blobs/", 0), ("/referrers/", 4)])
def test_ten_gigabytes(case: Case, part: str, named: int) -> None:
    headers = {"Content-Length": str(10 << 30), "Content-Type": MANIFEST if "manifest" in part else INDEX}
    case.server.lie = when(part, Reply(200, headers, then=_endless))
    assert case.codes(patience=Patience()) == ["verify/image-too-large"]


def test_a_descriptor_of_ten_gigabytes_is_not_fetched(case: Case) -> None:
    case.server.manifests.pop(f"sha256:{case.referrer}")
    layer = {"mediaType": BUNDLE, "digest": "sha256:" + "ab" * 32, "size": 10 << 30}
    case.server.attach(bundle(case.image), case.image, layers=[layer])
    assert case.codes() == ["verify/image-too-large"]
    assert not [one for one in case.server.seen if "/blobs/" in one.path]


def test_an_error_page_of_ten_gigabytes_is_not_read(case: Case) -> None:
    case.server.lie = when("manifests/v1", Reply(404, {"Content-Length": str(10 << 30)}, then=_endless))
    assert (case.codes(), case.verify().exit_code) == (["verify/image-missing"], 3)


def test_pages(case: Case) -> None:
    listed = case.server.referrers(case.image)
    case.server.lie = lambda asked: (
        None
        if "referrers" not in asked.target
        else listing(listed)
        if "page=2" in asked.target
        else listing([], Link=f'</v2/acme/api/referrers/sha256:{case.image}?page=2>; rel="next"')
    )
    assert case.codes() == [None]


@pytest.mark.parametrize(
    "link",
    [
        "<?artifactType=application%2Fvnd.dev.sigstore.bundle.v0.3%2Bjson>; rel=next",
        '<http://[::>; rel="next"',
        '<http://127.0.0.1:1/v2/acme/api/referrers/sha256:{image}>; rel="next"',
        '</v2/acme/other/referrers/sha256:{image}>; rel="next"',
        '</v2/acme/api/manifests/v1>; rel="next"',
    ],
)
def test_pagination_that_leads_astray(case: Case, link: str) -> None:
    case.server.lie = when("/referrers/", listing([], Link=link.format(image=case.image)))
    assert case.codes() == ["verify/image-listing"]
    assert len([one for one in case.server.seen if "/referrers/" in one.path]) == 1  # seen at once, not at the limit


def test_pagination_without_end(case: Case) -> None:
    numbers = iter(range(10**6))

    def lie(asked: Asked) -> Reply | None:
        if "referrers" not in asked.target:
            return None
        return listing([], Link=f'</v2/acme/api/referrers/sha256:{case.image}?page={next(numbers)}>; rel="next"')

    case.server.lie = lie
    assert case.codes() == ["verify/image-listing"]
    assert next(numbers) == 20


def test_a_flood_of_attestations(case: Case) -> None:
    many = [descriptor(b"%d" % number, MANIFEST, artifactType=BUNDLE) for number in range(65)]
    case.server.lie = when("/referrers/", listing(many))
    assert case.codes() == ["verify/image-listing"]


def test_a_registry_that_does_not_filter(case: Case) -> None:
    listed = [descriptor(b"sbom", MANIFEST, artifactType="application/spdx+json"), *case.server.referrers(case.image)]
    case.server.lie = when("/referrers/", listing(listed))
    assert case.codes() == [None]
    [found] = case.verify().verifications
    assert len(found.entries[0].judged) == 1


def test_a_registry_that_does_not_tell_types(case: Case) -> None:
    """go-containerregistry's calls every referrer after its configuration, which is the empty one."""
    sbom = descriptor(b"{}", "application/vnd.oci.empty.v1+json")
    case.server.attach(b"", case.image, artifactType="application/spdx+json", config=sbom)
    untold = [one | {"artifactType": sbom["mediaType"]} for one in case.server.referrers(case.image)]
    case.server.lie = when("/referrers/", listing(untold))
    [found] = case.verify().verifications
    assert found.proven
    assert len(found.entries[0].judged) == 1


def test_without_referrers_the_tag_stands_in(case: Case) -> None:
    listed = case.server.referrers(case.image)
    case.server.put({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}, f"sha256-{case.image}")
    case.server.lie = when("/referrers/", Reply(404))
    assert case.codes() == [None]
    case.server.manifests[f"sha256-{case.image}"] = case.server.manifests["v1"]
    assert case.codes() == ["verify/image-listing"]


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_an_outage_is_no_verdict(case: Case, status: int) -> None:
    case.server.lie = when("/referrers/", Reply(status))
    case.unknown(f"cannot be asked: .*{status}")
    assert case.slept == [1.0, 2.0]


def test_an_attestation_that_is_not_to_be_had_does_no_harm(case: Case) -> None:
    evil = case.server.attach(bundle(case.image, replace(RUN, repository="acme/api-evil")), case.image)
    case.server.lie = when(f"manifests/sha256:{evil}", Reply(503))
    assert case.verify().proven
    # What there is proves nothing; what was not to be had might.
    case.server.lie = when(f"manifests/sha256:{case.referrer}", Reply(503))
    found = case.verify()
    assert (found.proven, found.exit_code) == (False, 1)
    assert {one.problem.code for one in found.verifications[0].entries[0].judged if one.problem is not None} == {
        "verify/repository",
        "verify/image-unanswered",
    }


def test_a_passing_outage_is_waited_for(case: Case) -> None:
    replies = [Reply(429, {"Retry-After": "7"}), Reply(503)]
    case.server.lie = lambda asked: replies.pop(0) if replies else None
    assert case.verify(patience=Patience()).proven
    assert case.slept == [7.0, 2.0]


@pytest.mark.parametrize("asked", ["99999999", "31", "-1", "1e9", "Wed, 21 Oct 2099 07:28:00 GMT", "\xb2"])
def test_retry_after_is_bounded(case: Case, asked: str) -> None:
    case.server.lie = when("manifests", Reply(429, {"Retry-After": asked}))
    case.unknown("429", patience=Patience())
    assert case.slept == ([] if asked.isdigit() and asked.isascii() else [1.0, 2.0])


def test_a_registry_that_hangs(case: Case) -> None:
    ended = threading.Event()

    def hang(request: BaseHTTPRequestHandler) -> None:
        ended.wait(3)

    case.server.lie = when("/referrers/", Reply(200, then=hang))
    case.unknown("stopped answering", patience=replace(QUICK, silence=0.2))
    ended.set()


def test_a_registry_that_drips(case: Case) -> None:
    def drip(request: BaseHTTPRequestHandler) -> None:
        for _ in range(100):
            request.wfile.write(b" ")
            request.wfile.flush()
            time.sleep(0.05)

    case.server.lie = when("/referrers/", Reply(200, {"Content-Length": "1000"}, then=drip))
    case.unknown(r"took more than 0\.6 s", patience=replace(QUICK, whole=0.6))


def test_cut_off(case: Case) -> None:
    _, data = case.server.manifests["v1"]
    headers = {"Content-Type": MANIFEST, "Content-Length": str(len(data))}
    case.server.lie = when("manifests/v1", Reply(200, headers, data[:-9]))
    case.unknown("the connection broke off")
    headers["Content-Length"] = str(len(data) - 9)
    case.server.lie = when("manifests/v1", Reply(200, headers, data[:-9]))
    assert case.codes() == ["verify/image-manifest"]
    assert case.codes(f"@sha256:{case.image}") == [None]  # its own bytes are whole


def test_nobody_there(case: Case) -> None:
    case.server.stop()
    case.unknown("no connection")


SECRET = Credentials("me", "hidden-word")
BASIC = "Basic " + base64.b64encode(b"me:hidden-word").decode()


def guarded(reply: Reply, *accepted: str) -> Lie:
    return lambda asked: None if asked.authorization in accepted else reply


def test_basic(case: Case) -> None:
    case.server.lie = guarded(Reply(401, {"WWW-Authenticate": 'Basic realm="x"'}), BASIC)
    assert case.verify(credentials=SECRET).proven
    assert [one.authorization for one in case.server.seen].count(None) == 1  # asked for once, then used
    case.unknown("wants a user and a password")
    assert "docker login" in case.unknown("does not let us read", credentials=Credentials("me", "wrong"))


@pytest.mark.parametrize("credentials", [None, SECRET, Credentials("<token>", "refresh", is_refresh_token=True)])
def test_bearer(case: Case, credentials: Credentials | None) -> None:
    def lie(asked: Asked) -> Reply | None:
        if asked.path == "/token":
            return Reply(200, body=b'{"token": "abc"}')
        challenge = f'Bearer realm="http://{case.server.address}/token",service="s s",scope="repository:acme/api:push"'
        return None if asked.authorization == "Bearer abc" else Reply(401, {"WWW-Authenticate": challenge})

    case.server.lie = lie
    assert case.verify(credentials=credentials).proven
    [token] = [one for one in case.server.seen if one.path == "/token"]
    if credentials is None or credentials is SECRET:
        assert token.target == "/token?service=s%20s&scope=repository%3Aacme%2Fapi%3Apull"  # never push
        assert token.authorization == (BASIC if credentials is SECRET else None)
    else:
        assert (token.method, token.authorization) == ("POST", None)
        assert b"grant_type=refresh_token&refresh_token=refresh" in token.body


@pytest.mark.parametrize(
    "answer",
    [b"", b"{}", b"[]", b'{"token": 7}', b'{"token": "a\\r\\nX: y"}', b'{"token": ""}', b'{"token": "\\u00e9"}'],
)
def test_a_token_service_that_lies(case: Case, answer: bytes) -> None:
    challenge = f'Bearer realm="http://{case.server.address}/token"'
    case.server.lie = lambda asked: (
        Reply(200, body=answer) if asked.path == "/token" else Reply(401, {"WWW-Authenticate": challenge})
    )
    case.unknown("something else than a token", credentials=SECRET)


@pytest.mark.parametrize(
    "realm", ["http://registry.example/token", "file:///etc/passwd", "http://u:p@127.0.0.1/x", "//x", "", "http://[", "gopher://x/"]
)  # fmt: skip
def test_a_realm_that_is_not_asked(case: Case, realm: str) -> None:
    case.server.lie = lambda asked: Reply(401, {"WWW-Authenticate": f'Bearer realm="{realm}"'})
    case.unknown("token service that is not asked", credentials=SECRET)


@pytest.mark.parametrize("challenge", ["", "Negotiate", "Bearer", "nonsense \x7f"])
def test_no_known_login(case: Case, challenge: str) -> None:
    case.server.lie = lambda asked: Reply(401, {"WWW-Authenticate": challenge})
    case.unknown("asks for no known kind of login|token service that is not asked", credentials=SECRET)


def test_a_redirect_is_followed_without_credentials(case: Case) -> None:
    storage = LyingRegistry()
    try:
        storage.lie = lambda asked: Reply(200, {}, bundle_bytes)
        bundle_bytes = next(data for data in case.server.blobs.values() if b"dsseEnvelope" in data)

        def lie(asked: Asked) -> Reply | None:
            if asked.authorization != BASIC:
                return Reply(401, {"WWW-Authenticate": "Basic realm=x"})
            return Reply(307, {"Location": f"http://{storage.address}/blob"}) if "/blobs/" in asked.target else None

        case.server.lie = lie
        assert case.verify(credentials=SECRET).proven
        assert [one.authorization for one in storage.seen] == [None]
        # Whoever was redirected to asks for credentials: they are not his.
        storage.lie = lambda asked: Reply(401, {"WWW-Authenticate": "Basic realm=x"})
        case.unknown("does not let us read", credentials=SECRET)
        # Nor may he name the token service that gets them.
        challenge = f'Bearer realm="http://{storage.address}/token"'
        storage.lie = lambda asked: Reply(401, {"WWW-Authenticate": challenge})
        case.unknown("does not let us read", credentials=SECRET)
        assert {one.authorization for one in storage.seen} == {None}
        assert {one.path for one in storage.seen} == {"/blob"}
    finally:
        storage.stop()


@pytest.mark.parametrize("location", ["", "file:///etc/passwd", "http://u:p@127.0.0.1:1/", "http://[::", "/v2/loop"])
def test_redirects_that_are_not_followed(case: Case, location: str) -> None:
    case.server.lie = lambda asked: Reply(302, {"Location": location} if location else {})
    assert case.codes() == ["verify/image-redirect"]


def test_https_is_never_left() -> None:
    transport = Transport()
    with pytest.raises(Exception, match="from https to http"):
        transport._redirected("https://r.example/v2/", "http://r.example/v2/", ("https", "r.example"))
    assert not transport.may_ask("http://127.0.0.1/token", home_scheme="https")
    assert transport.scheme("r.example") == "https"
    assert Transport(plain_http=True).scheme("r.example") == "http"


def _index(case: Case, *platforms: dict[str, str] | None) -> tuple[str, list[str]]:
    images = [case.server.image(content=b"layer %d" % number) for number in range(len(platforms))]
    children = [
        descriptor(case.server.manifests[f"sha256:{one}"][1], MANIFEST, **({"platform": platform} if platform else {}))
        for one, platform in zip(images, platforms, strict=True)
    ]
    return case.server.put({"schemaVersion": 2, "mediaType": INDEX, "manifests": children}, "multi"), images


AMD64 = {"os": "linux", "architecture": "amd64"}
ARM64 = {"os": "linux", "architecture": "arm64", "variant": "v8"}
BUILDKIT = {"os": "unknown", "architecture": "unknown"}


def test_an_index_as_a_whole(case: Case) -> None:
    index, images = _index(case, AMD64, ARM64)
    case.server.attach(bundle(images[0]), images[0])
    assert case.codes(":multi") == ["verify/image-unattested"]
    case.server.attach(bundle(index), index)
    assert case.codes(":multi") == [None]


def test_each_platform_of_an_index(case: Case) -> None:
    index, images = _index(case, AMD64, ARM64, BUILDKIT)
    case.entry = entry(match=case.entry.match, of_an_index="platforms")
    case.server.attach(bundle(index), index)
    case.server.attach(bundle(images[0]), images[0])
    assert case.codes(":multi") == [None, "verify/image-unattested"]
    case.server.attach(bundle(images[1]), images[1])
    found = case.verify(":multi")
    assert found.proven
    assert [one.subject.shown.partition(" ")[2] for one in found.verifications] == ["(linux/amd64)", "(linux/arm64/v8)"]
    assert case.codes() == [None]  # an image that is no index is judged itself


@pytest.mark.parametrize("key", ["Manifests", "MANIFESTS", "manife\u017fts"])
def test_an_index_that_readers_in_go_take_for_another(case: Case, key: str) -> None:
    """Their JSON ignores case, in ASCII and beyond, and keeps the last: docker would pull what was not judged."""
    case.entry = entry(match=case.entry.match, of_an_index="platforms")
    _, [good] = _index(case, AMD64)
    case.server.attach(bundle(good), good)
    assert case.codes(":multi") == [None]
    kind, body = case.server.manifests["multi"]
    value = json.loads(body)
    twice = json.dumps(value | {key: [{**value["manifests"][0], "digest": f"sha256:{'e' * 64}"}]}).encode()
    case.server.lie = when("manifests/multi", Reply(200, {"Content-Type": kind}, twice))
    assert case.codes(":multi") == ["verify/image-manifest"]
    child = value["manifests"][0] | {"Digest": f"sha256:{'e' * 64}"}
    twice = json.dumps(value | {"manifests": [child]}).encode()
    case.server.lie = when("manifests/multi", Reply(200, {"Content-Type": kind}, twice))
    assert case.codes(":multi") == ["verify/image-manifest"]


@pytest.mark.parametrize("refused", [0, 1])
def test_a_platform_that_is_refused_decides_whatever_else_is_unknown(case: Case, refused: int) -> None:
    _, images = _index(case, AMD64, ARM64)
    case.entry = entry(match=case.entry.match, of_an_index="platforms")
    other = images[1 - refused]
    case.server.lie = when(f"/referrers/sha256:{other}", Reply(503))
    found = case.verify(":multi")
    assert found.exit_code == 10
    assert [one.refused for one in found.verifications] == [image != other for image in images]
    case.server.attach(bundle(images[refused]), images[refused])
    assert case.verify(":multi").exit_code == 1


def test_platforms_that_cannot_be_told(case: Case) -> None:
    case.entry = entry(match=case.entry.match, of_an_index="platforms")
    _index(case, None)
    assert case.codes(":multi") == ["verify/image-platforms"]
    _index(case)
    assert case.codes(":multi") == ["verify/image-platforms"]


def test_an_image_that_no_entry_means(case: Case) -> None:
    case.entry = entry(match=("ghcr.io/acme/api",))
    assert case.codes() == ["verify/no-policy"]


def test_a_bundle_in_a_form_that_is_not_known(case: Case) -> None:
    case.server.manifests.pop(f"sha256:{case.referrer}")
    case.server.attach(bundle(case.image), case.image, layers=[descriptor(b"x", "text/plain")])
    assert case.codes() == ["verify/image-attestation"]
