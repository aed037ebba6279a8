"""OPA's ``.signatures.json``: one compact JWS over the list of files (openpolicyagent.org, Bundles: Signing).

The algorithm is the key's, never the header's: the keys that maestro.yaml can list are ECDSA on P-256, so it is ES256.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from maestro import canonical_json
from maestro.evidence.errors import BadEvidence
from maestro.evidence.strict_json import loads
from maestro.evidence.trust import Trust, TrustedKey
from policy.bundle.hashing import digest_of
from policy.bundle.reasons import Refused

if TYPE_CHECKING:
    from joserfc.jwk import ECKey
    from joserfc.jws import JWSRegistry

    from maestro.evidence.signer import Signer

SIGNATURES: Final = ".signatures.json"
_ALGORITHM = "ES256"
_HEADER = {"alg", "kid", "typ"}
_CLOCK_SKEW = dt.timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Signed:
    """Who signed a list of files, and when by their own word (OPA writes no time)."""

    key: TrustedKey
    signed_at: dt.datetime | None
    files: tuple[Mapping[str, str], ...]


def sign(files: Mapping[str, bytes], signer: Signer, now: dt.datetime) -> bytes:
    """``.signatures.json`` for these files.

    Raises:
        Refused: a file that cannot be hashed as OPA does.
    """
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    listed = [
        {"name": name, "hash": digest_of(name, data, "SHA-256"), "algorithm": "SHA-256"}
        for name, data in sorted(files.items())
    ]
    header = {"alg": _ALGORITHM, "kid": signer.key_id, "typ": "JWT"}
    payload = {"files": listed, "iat": int(now.timestamp()), "keyid": signer.key_id, "scope": ""}
    signing_input = b".".join(_base64(canonical_json.dumps(value)) for value in (header, payload))
    r, s = decode_dss_signature(signer.sign(signing_input))
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")  # RFC 7518, 3.4
    token = b".".join((signing_input, _base64(signature))).decode("ascii")
    return canonical_json.dumps({"signatures": [token]}) + b"\n"


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def verify(data: bytes | None, trust: Trust, now: dt.datetime) -> Signed:
    """The list of files, believed. The files themselves are not looked at.

    Raises:
        Refused: not exactly one JWS in ES256 by a key of ``trust`` that was valid when it signed.
    """
    if data is None:
        raise Refused("signature-missing", "it is not signed: it has no .signatures.json")
    token = _token(data)
    key, payload = _believed(token, trust)
    said = _loads(payload, "the signed list")
    if said.get("scope") not in (None, ""):
        raise Refused("signature-scope", f"it was signed for the scope {said['scope']!r:.60}")
    signed_at = _signed_at(said, now)
    objection = key.objection(signed_at or now)
    if objection is not None:
        raise Refused("key-not-valid", objection)
    return Signed(key, signed_at, _files(said))


def _loads(data: bytes, what: str) -> dict[str, Any]:
    try:
        return loads(data, what=what)
    except BadEvidence as error:
        raise Refused("signature-malformed", error.message) from error


def _token(data: bytes) -> str:
    value = _loads(data, SIGNATURES)
    signatures = value.get("signatures")
    # OPA names its own way of signing "_default"; a plugin's way is not known here.
    if set(value) - {"signatures", "plugin"} or value.get("plugin", "_default") not in ("", "_default"):
        raise Refused("signature-malformed", f"{SIGNATURES} asks for more than a plain signature")
    if not isinstance(signatures, list) or len(signatures) != 1 or not isinstance(signatures[0], str):
        raise Refused("signature-malformed", f"{SIGNATURES} has not exactly one signature")
    token: str = signatures[0]
    return token


def _believed(token: str, trust: Trust) -> tuple[TrustedKey, bytes]:
    from joserfc import jws
    from joserfc.errors import JoseError

    try:
        header = _header(token)
    except ValueError as error:
        raise Refused("signature-malformed", f"the signature is not a compact JWS: {error}") from error
    if header.get("alg") != _ALGORITHM:
        raise Refused("signature-algorithm", f"it is signed with {header.get('alg')!r:.30}, not {_ALGORITHM}")
    if set(header) - _HEADER:
        raise Refused("signature-malformed", f"the signature's header has {min(set(header) - _HEADER)!r:.30}")
    for key in trust.keys.values():
        try:
            found = jws.deserialize_compact(token, _jwk(key.pem), registry=_registry())
        except (JoseError, ValueError):
            continue
        return key, bytes(found.payload)
    named = header.get("kid")
    if named in trust.keys or named in {key.id for key in trust.keys.values()}:
        raise Refused("signature-wrong", "its signature is not that of the key it names")
    raise Refused("key-unknown", f"no key listed for this bundle has signed it (it names {named!r:.60})")


def _header(token: str) -> dict[str, Any]:
    first, *rest = token.encode("ascii").split(b".")
    if len(rest) != 2 or not all(rest):
        raise ValueError("it has not three parts")
    return _loads(base64.b64decode(first + b"=" * (-len(first) % 4), altchars=b"-_", validate=True), "its header")


@lru_cache(maxsize=1)
def _registry() -> JWSRegistry:
    from joserfc.jws import JWSRegistry

    registry = JWSRegistry(algorithms=[_ALGORITHM])
    registry.max_payload_length = 8 << 20  # the library's limit holds 900 files
    return registry


@lru_cache(maxsize=64)
def _jwk(pem: str) -> ECKey:
    from joserfc.jwk import ECKey

    return ECKey.import_key(pem)


def _signed_at(said: Mapping[str, Any], now: dt.datetime) -> dt.datetime | None:
    seconds = said.get("iat")
    if seconds is None:
        return None
    if type(seconds) is not int or not 0 <= seconds < 1 << 36:
        raise Refused("signature-malformed", f"its signing time is {seconds!r:.30}")
    signed_at = dt.datetime.fromtimestamp(seconds, dt.UTC)
    if signed_at > now + _CLOCK_SKEW:
        raise Refused("signature-malformed", f"it was signed at {signed_at.isoformat()}, which is yet to come")
    return signed_at


def _files(said: Mapping[str, Any]) -> tuple[Mapping[str, str], ...]:
    files = said.get("files")
    if not isinstance(files, list):
        raise Refused("signature-malformed", "the signed list names no files")
    names = set()
    for row in files:
        texts = [row.get("name"), row.get("hash"), row.get("algorithm", "")] if isinstance(row, dict) else [None]
        if not all(isinstance(text, str) for text in texts):
            raise Refused("signature-malformed", "a row of the signed list has no name or no hash")
        names.add(row["name"])
    if len(names) != len(files):
        raise Refused("signature-malformed", "the signed list names a file twice")
    return tuple(files)


def check_files(files: Mapping[str, bytes], signed: Signed) -> None:
    """Every file is listed and as it was, and every listed one is there.

    Raises:
        Refused: one is not.
    """
    listed = {row["name"]: row for row in signed.files}
    for name, data in files.items():
        row = listed.pop(name, None)
        if row is None:
            raise Refused("file-unlisted", f"{name!r:.120} is not in the signed list")
        if digest_of(name, data, row.get("algorithm", "")) != row["hash"].lower():
            raise Refused("file-altered", f"{name!r:.120} is not as it was signed")
    if listed:
        raise Refused("file-missing", f"{min(listed)!r:.120} was signed and is not there")
