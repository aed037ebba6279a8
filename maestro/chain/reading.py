"""Layout and links, read strictly before in-toto sees them (in-toto specification 1.0, sections 4.2 to 4.4).

in-toto runs what a layout's inspections say, takes a layout in a link's place as a layout of its own, and counts one
key under two ids twice. So nothing reaches it that was not read here.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from maestro.chain.reasons import ChainRefused
from maestro.evidence.errors import BadEvidence
from maestro.evidence.strict_json import loads

_PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
STEP_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_KEY_ID = re.compile(r"[0-9A-Za-z]{8,128}")
_LAYOUT_FIELDS = {"_type", "steps", "inspect", "keys", "expires", "readme"}
_LINK_FIELDS = {"_type", "name", "materials", "products", "byproducts", "command", "environment"}
JOB: Final = ("GITHUB_RUN_ID", "GITHUB_JOB")
"""What in a link's environment says which job it was recorded in."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step: its name, the ids of keys that may sign its link, and how many must."""

    name: str
    keys: tuple[str, ...]
    threshold: int

    def link_names(self) -> tuple[str, ...]:
        """The files in which its links may lie (``in_toto.models.link.FILENAME_FORMAT``)."""
        return tuple(f"{self.name}.{key[:8]}.link" for key in self.keys)


@dataclass(frozen=True, slots=True)
class Layout:
    """What a layout asks. ``keys``: fingerprint by id; no two ids have one fingerprint."""

    steps: tuple[Step, ...]
    keys: Mapping[str, str]
    expires: dt.datetime


@dataclass(frozen=True, slots=True)
class Link:
    """What one step recorded: artifacts with their SHA-256 (hexadecimal), the environment as its recorder wrote it."""

    step: str
    products: Mapping[str, str]
    environment: Mapping[str, Any]


def read_layout(data: bytes) -> Layout:
    """The layout in ``data``. Its signature is not checked here.

    Raises:
        ChainRefused: not one plain layout without inspections and with distinct keys.
    """
    value = _signed(data, "the layout")
    if value.get("_type") != "layout":
        raise ChainRefused("chain/type", f"the layout is a {value.get('_type')!r:.60}")
    if value.get("inspect") != []:
        raise ChainRefused("chain/inspection", "the layout has inspections: they would run commands here")
    _only(value, _LAYOUT_FIELDS, "the layout")
    keys = {name: _fingerprint(name, key) for name, key in _object(value.get("keys"), "the layout's keys").items()}
    met: dict[str, str] = {}
    for name, fingerprint in keys.items():
        if met.setdefault(fingerprint, name) != name:
            words = f"the layout lists one key under the ids {met[fingerprint]!r:.20} and {name!r:.20}"
            raise ChainRefused("chain/one-key-twice", words)
    rows = value.get("steps")
    if not isinstance(rows, list) or not rows:
        raise _malformed("the layout has no steps")
    steps = tuple(_step(row, keys) for row in rows)
    if len({one.name for one in steps}) != len(steps):
        raise _malformed("the layout has two steps of one name")
    return Layout(steps, keys, _expires(value.get("expires")))


def read_link(data: bytes, file: str) -> Link:
    """The link in ``data``. Its signature is not checked here.

    Raises:
        ChainRefused: a layout, or anything else than a link.
    """
    value = _signed(data, file)
    kind = value.get("_type")
    if kind == "layout":
        raise ChainRefused("chain/layout-as-link", f"{file} is a layout where a step's link should be")
    if kind != "link":
        raise ChainRefused("chain/type", f"{file} is a {kind!r:.60}, not a link")
    _only(value, _LINK_FIELDS, file)
    name = value.get("name")
    if not isinstance(name, str):
        raise _malformed(f"{file} names no step")
    _artifacts(value.get("materials"), f"the materials in {file}")
    products = _artifacts(value.get("products"), f"the products in {file}")
    ended = _object(value.get("byproducts", {}), f"the byproducts in {file}").get("return-value", 0)
    if ended != 0:
        raise ChainRefused("chain/step-failed", f"{file} records a command that failed (exit {ended!r:.20})")
    return Link(name, products, _object(value.get("environment", {}), f"the environment in {file}"))


def _malformed(words: str) -> ChainRefused:
    return ChainRefused("chain/malformed", words)


def _load(data: bytes, what: str) -> dict[str, Any]:
    try:
        return loads(data, what=what)
    except BadEvidence as error:
        raise _malformed(error.message) from error


def _signed(data: bytes, what: str) -> dict[str, Any]:
    """What a Metablock or a DSSE envelope carries."""
    value = _load(data, what)
    if not isinstance(value.get("signatures"), list):
        raise _malformed(f"{what} has no signatures")
    if value.keys() == {"signed", "signatures"}:
        return _object(value["signed"], f"what {what} signs")
    if value.keys() == {"payload", "payloadType", "signatures"}:
        if value["payloadType"] != _PAYLOAD_TYPE:
            raise ChainRefused("chain/type", f"{what} carries {value['payloadType']!r:.60}")
        try:
            payload = base64.b64decode(value["payload"], validate=True)
        except (binascii.Error, ValueError, TypeError) as error:
            raise _malformed(f"the payload of {what} is not base64") from error
        return _load(payload, f"the payload of {what}")
    raise _malformed(f"{what} is neither signed metadata nor an envelope")


def _object(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _malformed(f"{what} is not an object")
    return value


def _only(value: Mapping[str, Any], known: set[str], what: str) -> None:
    unknown = sorted(value.keys() - known)
    if unknown:
        raise ChainRefused("chain/type", f"{what} has {unknown[0]!r:.60}, which nobody here knows")


def _step(row: object, keys: Mapping[str, str]) -> Step:
    value = _object(row, "a step of the layout")
    if value.get("_type") != "step":
        raise ChainRefused("chain/type", f"a step of the layout is a {value.get('_type')!r:.60}")
    name, listed, threshold = value.get("name"), value.get("pubkeys"), value.get("threshold")
    if not isinstance(name, str) or not STEP_NAME.fullmatch(name):
        raise _malformed(f"a step of the layout is named {name!r:.60}")
    if not isinstance(listed, list) or not all(isinstance(one, str) and one in keys for one in listed):
        raise _malformed(f"the step {name} names keys that the layout does not list")
    if len(set(listed)) != len(listed):
        raise ChainRefused("chain/one-key-twice", f"the step {name} names one key twice")
    if type(threshold) is not int or not 1 <= threshold <= len(listed):
        raise _malformed(f"the step {name} asks for {threshold!r:.20} of {len(listed)} signers")
    return Step(name, tuple(listed), threshold)


def _fingerprint(name: str, key: object) -> str:
    """Of the key itself, whatever it is called."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

    from maestro.canonical_json import digest_of_bytes

    value = _object(key, "a key of the layout")
    public = value.get("keyval", {}).get("public") if isinstance(value.get("keyval"), dict) else None
    odd = value.keys() - {"keyid", "keytype", "scheme", "keyval", "keyid_hash_algorithms"}
    if odd or value.get("keytype") not in ("rsa", "ecdsa", "ed25519") or not isinstance(public, str):
        raise ChainRefused("chain/key-kind", f"the layout's key {name!r:.20} is of a kind that is not accepted")
    if not _KEY_ID.fullmatch(name) or value.get("keyid", name) != name:
        raise _malformed(f"the layout's key {name!r:.20} has an odd id")
    try:
        if value["keytype"] == "ed25519":
            loaded: Any = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
        else:
            loaded = load_pem_public_key(public.encode("utf-8"))
        return digest_of_bytes(loaded.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ChainRefused("chain/key-kind", f"the layout's key {name!r:.20} cannot be read") from error


def _expires(value: object) -> dt.datetime:
    try:
        return dt.datetime.strptime(str(value), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=dt.UTC)
    except ValueError as error:
        raise _malformed(f"the layout expires at {value!r:.40}, which is no time in UTC") from error


def _artifacts(value: object, what: str) -> dict[str, str]:
    found = {}
    for name, digests in _object(value, what).items():
        digest = digests.get("sha256") if isinstance(digests, dict) else None
        if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise _malformed(f"{what}: {name!r:.100} has no SHA-256")
        found[name] = digest
    return found
