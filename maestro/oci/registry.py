"""A registry, read only: manifests, blobs and referrers of one repository (distribution-spec 1.1)."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from maestro.errors import SelectionError, ToolFailure
from maestro.evidence.errors import BadEvidence
from maestro.evidence.strict_json import loads
from maestro.oci.challenge import Challenge, parse_challenges
from maestro.oci.credentials import HUB, Credentials, KnownCredentials
from maestro.oci.manifests import ACCEPTED, INDEX, Descriptor, Manifest, parse_manifest
from maestro.oci.reference import Reference
from maestro.oci.transport import Answer, Transport, absolute, origin
from maestro.provenance.reasons import NotProven

LARGEST_MANIFEST = 4 << 20
LARGEST_ATTESTATION = 16 << 20
UNTOLD: Final = (None, "application/vnd.oci.empty.v1+json")
"""What registries call a referrer whose type they do not read in its manifest, but in its (empty) configuration."""
_LARGEST_TOKEN = 64 << 10
_MOST_PAGES = 20
_HUB_HOST: Final = "registry-1.docker.io"
_NEXT = re.compile(r'\s*<([^<>]{1,2000})>\s*;(?:[^,]*;)?\s*rel="?next"?\s*(?:[;,]|$)')
_VISIBLE = re.compile(r"[!-~]{1,65536}")


class Registry:
    """One repository of a registry. ``credentials`` is asked only when the registry wants any."""

    def __init__(self, image: Reference, transport: Transport, credentials: KnownCredentials) -> None:
        self._name = image.repository
        self._registry = image.registry
        self._transport = transport
        self._credentials = credentials
        self._authorization: str | None = None
        host = _HUB_HOST if image.registry == HUB else image.registry
        self._home = f"{transport.scheme(image.registry)}://{host}"

    def manifest(self, reference: str, sha256: str | None = None) -> Manifest | None:
        """The manifest at a tag or digest; None where there is none. Its bytes are hashed here.

        Args:
            reference: a tag, or ``sha256:…``.
            sha256: the digest that the bytes must have; None for a tag.

        Raises:
            NotProven: the registry sends other bytes than it should, or such as have no single meaning.
            ToolFailure: it cannot be asked, or does not let us in.
        """
        answer = self._get(f"manifests/{reference}", {"Accept": ", ".join(ACCEPTED)}, LARGEST_MANIFEST)
        if answer is None:
            return None
        found = hashlib.sha256(answer.body).hexdigest()
        stated = answer.header("docker-content-digest")
        if (sha256 is not None and found != sha256) or (stated.startswith("sha256:") and stated != f"sha256:{found}"):
            wanted = sha256 or stated.removeprefix("sha256:")
            message = f"the registry sends bytes with the digest sha256:{found} as {reference} (sha256:{wanted:.64})"
            raise NotProven("verify/image-digest", message)
        return parse_manifest(answer.body, answer.header("content-type"), found)

    def blob(self, descriptor: Descriptor) -> bytes | None:
        """The bytes that a descriptor names, hashed; None where there are none. Raises as :meth:`manifest`."""
        if descriptor.size > LARGEST_ATTESTATION:
            message = f"an attestation has {descriptor.size:,} bytes, at most {LARGEST_ATTESTATION:,} are read"
            raise NotProven("verify/image-too-large", message)
        answer = self._get(f"blobs/sha256:{descriptor.sha256}", {}, min(LARGEST_ATTESTATION, descriptor.size))
        if answer is None:
            return None
        found = hashlib.sha256(answer.body).hexdigest()
        if found != descriptor.sha256:
            message = f"the registry sends bytes with the digest sha256:{found} as sha256:{descriptor.sha256}"
            raise NotProven("verify/image-digest", message)
        return answer.body

    def referrers(self, sha256: str, artifact_type: str) -> list[Descriptor] | None:
        """What says ``subject: sha256:…``, of one type or none told; None where the registry does not know referrers.

        Raises:
            NotProven: the listing is malformed or has no end.
            ToolFailure: as :meth:`manifest`.
        """
        pages = self._pages(f"referrers/sha256:{sha256}?{urlencode({'artifactType': artifact_type})}")
        found: list[Descriptor] = []
        for number, answer in enumerate(pages):
            if answer is None:
                if number == 0:
                    return None
                raise NotProven("verify/image-listing", "a page of the list of referrers is not there")
            page = parse_manifest(answer.body, answer.header("content-type"), "")
            if page.media_type != INDEX:
                raise NotProven("verify/image-listing", f"the list of referrers is a {page.media_type!r:.80}")
            found += [one for one in page.children if one.artifact_type in (artifact_type, *UNTOLD)]
        return found

    def _pages(self, path: str) -> Iterator[Answer | None]:
        seen = {self._home + self._path(path)}
        for _ in range(_MOST_PAGES):
            answer = self._get(path, {"Accept": INDEX}, LARGEST_MANIFEST)
            yield answer
            following = _NEXT.match(answer.header("link")) if answer is not None else None
            if following is None:
                return
            url = absolute(self._home + self._path(path), following[1])
            begins = f"/v2/{self._name}/referrers/"
            if url is None or origin(url) != origin(self._home) or not urlsplit(url).path.startswith(begins):
                raise NotProven("verify/image-listing", "the next page of referrers lies somewhere else")
            if url in seen:
                raise NotProven("verify/image-listing", "the list of referrers runs in a circle")
            seen.add(url)
            parts = urlsplit(url)
            path = f"{parts.path.removeprefix(f'/v2/{self._name}/')}?{parts.query}"
        raise NotProven("verify/image-listing", f"the list of referrers has more than {_MOST_PAGES} pages")

    def _path(self, path: str) -> str:
        return f"/v2/{self._name}/{path}"

    def _get(self, path: str, headers: dict[str, str], limit: int) -> Answer | None:
        url = self._home + self._path(path)
        answer = self._transport.get(url, headers=headers, authorization=self._authorization, limit=limit)
        # Whoever a redirect led to has no claim to our credentials.
        if answer.status == 401 and origin(answer.url) == origin(self._home):
            self._authorization = self._authorized(parse_challenges(answer.headers.get("www-authenticate", ())))
            answer = self._transport.get(url, headers=headers, authorization=self._authorization, limit=limit)
        if answer.status == 404:
            return None
        if answer.status in (401, 403):
            raise self._denied(f"does not let us read {self._name}")
        if answer.status != 200:
            raise ToolFailure(f"the registry {self._registry} answers {answer.status} to GET {path:.200}")
        return answer

    def _denied(self, words: str) -> ToolFailure:
        remedy = f"check the name (many registries say this of what is not there), then `docker login {self._registry}`"
        return ToolFailure(f"the registry {self._registry} {words}", remedy=remedy)

    def _authorized(self, challenges: tuple[Challenge, ...]) -> str:
        by_scheme = {one.scheme: one for one in reversed(challenges)}
        credentials = self._credentials(self._registry)
        if "bearer" in by_scheme:
            return f"Bearer {self._token(by_scheme['bearer'], credentials)}"
        if "basic" in by_scheme:
            if credentials is None or credentials.is_refresh_token:
                raise self._denied("wants a user and a password")
            return _basic(credentials)
        raise ToolFailure(f"the registry {self._registry} asks for no known kind of login")

    def _token(self, challenge: Challenge, credentials: Credentials | None) -> str:
        realm = challenge.parameters.get("realm", "")
        if not self._transport.may_ask(realm, home_scheme=urlsplit(self._home).scheme):
            raise ToolFailure(f"the registry {self._registry} names a token service that is not asked: {realm!r:.200}")
        # The scope is ours: what a challenge asks for may be more than reading.
        query = {"service": challenge.parameters.get("service", ""), "scope": f"repository:{self._name}:pull"}
        if not query["service"]:
            del query["service"]
        if credentials is not None and credentials.is_refresh_token:
            form = query | {"grant_type": "refresh_token", "refresh_token": credentials.secret, "client_id": "maestro"}
            answer = self._transport.token(
                realm, authorization=None, form=urlencode(form).encode(), limit=_LARGEST_TOKEN
            )
        else:
            url = f"{realm}{'&' if '?' in realm else '?'}{urlencode(query, quote_via=quote)}"
            basic = _basic(credentials) if credentials is not None else None
            answer = self._transport.token(url, authorization=basic, form=None, limit=_LARGEST_TOKEN)
        if answer.status in (401, 403):
            raise self._denied(f"does not let us read {self._name}")
        if answer.status != 200:
            raise ToolFailure(f"the token service of {self._registry} answers {answer.status}")
        return self._token_in(answer.body)

    def _token_in(self, body: bytes) -> str:
        try:
            value = loads(body, what="the token service's answer")
        except BadEvidence:
            value = {}
        token = value.get("token") or value.get("access_token")
        if not isinstance(token, str) or not _VISIBLE.fullmatch(token):
            raise ToolFailure(f"the token service of {self._registry} answers with something else than a token")
        return token


def _basic(credentials: Credentials) -> str:
    return "Basic " + base64.b64encode(f"{credentials.user}:{credentials.secret}".encode()).decode()


def resolved(image: Reference, registry: Registry) -> Manifest:
    """The manifest that an image's name means now.

    Raises:
        SelectionError: there is none.
        NotProven, ToolFailure: as :meth:`Registry.manifest`.
    """
    given = f"sha256:{image.sha256}" if image.sha256 is not None else image.tag or ""
    found = registry.manifest(given, image.sha256)
    if found is None:
        raise SelectionError(f"the registry has no image {image}", remedy="check the name")
    return found
