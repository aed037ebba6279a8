"""Bundles for tests: sound ones, and ones with exactly one thing changed."""

from __future__ import annotations

import base64
import datetime as dt
import gzip
import io
import json
import tarfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from maestro.config import Config, SignedBundle, load_config
from maestro.evidence.ecdsa_signer import EcdsaSigner
from policy.bundle import signatures
from policy.bundle.archive_reading import read
from policy.bundle.archive_writing import write
from policy.bundle.building import build
from policy.bundle.last_seen import Seen
from policy.bundle.signatures import SIGNATURES
from policy.bundle.signing import sign
from policy.bundle.verifying import Admitted, admit
from tests.maestro.evidence import keys
from tests.policy.memory_files import MemoryFiles

NOW = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)
EXPIRES = dt.date(2027, 5, 24)
COMMIT = "0123456789abcdef0123456789abcdef01234567"
SIGNER = keys.signer()

PACK = """\
# METADATA
# custom: {mode: enforce, owner: "@acme/platform", match: ["k8s/**"]}
package acme.images

deny_untagged contains "an image has no tag" if input.image == data.limits.forbidden
"""
OLD = """\
package acme.old

deny_name["a name is missing"] {
\tnot input.name
}
"""
FILES: dict[str, str | bytes] = {
    "policy/packs/images/images.rego": PACK,
    "policy/packs/images/images_test.rego": "package acme.images\n\ntest_a if true\n",
    "policy/packs/old/old.rego": OLD,
    "policy/data/limits.yaml": "limits: {forbidden: latest, most: 10.50, none: null}\n",
    "policy/parity.lock": "as it is\n",
}
PACKS = (
    "[{path: policy/packs/images, data: [policy/data/limits.yaml]}, "
    "{path: policy/packs/old, rego_version: v0, match: ['k8s/**'], mode: warn}]"
)


def config(packs: str = PACKS) -> Config:
    return load_config("maestro.yaml", f"apiVersion: maestro-conductor/v1\npacks: {packs}\n".encode())


def built(
    revision: int = 42,
    *,
    files: Mapping[str, str | bytes] | None = None,
    packs: str = PACKS,
    expires: dt.date = EXPIRES,
    name: str = "policy",
    commit: str = COMMIT,
) -> bytes:
    snapshot = MemoryFiles(FILES if files is None else files)
    return build(snapshot, config(packs), name=name, revision=revision, commit=commit, expires=expires)[0]


def signed(data: bytes | None = None, *, signer: EcdsaSigner = SIGNER, now: dt.datetime = NOW) -> bytes:
    return sign(built() if data is None else data, "policy.tar.gz", signer, now)[0]


def attested(data: bytes | None = None, *, signer: EcdsaSigner = SIGNER, now: dt.datetime = NOW) -> tuple[bytes, bytes]:
    archive, statement, _ = sign(built() if data is None else data, "policy.tar.gz", signer, now)
    return archive, statement


def row(
    *, minimum: int | None = 1, key: keys.Row | None = None, name: str = "policy", maximum_age_days: int = 180
) -> SignedBundle:
    """A row of ``bundles``, as maestro.yaml would have it."""
    trusted = key or keys.row()
    value: dict[str, Any] = {
        "path": "policy/vendor/policy.tar.gz",
        "name": name,
        "maximum_age_days": maximum_age_days,
        "keys": [
            {
                "id": trusted.id,
                "public_key": trusted.public_key,
                "valid_from": _time(trusted.valid_from) or dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
                **{name: _time(at) for name in ("valid_until", "revoked_at") if (at := getattr(trusted, name))},
            }
        ],
    }
    if minimum is not None:
        value["minimum_revision"] = minimum
    return SignedBundle.model_validate(value)


def _time(value: dt.datetime | dt.date | None) -> dt.datetime | None:
    if value is None or isinstance(value, dt.datetime):
        return value
    return dt.datetime.combine(value, dt.time(), dt.UTC)


def let_in(
    data: bytes,
    *rows: SignedBundle,
    statement: bytes | None = None,
    seen: Callable[[str], Seen | None] = lambda name: None,
    now: dt.datetime = NOW,
) -> Admitted:
    return admit(data, statement, rows or (row(),), seen, now, where="policy.tar.gz")


def changed(data: bytes, change: Callable[[dict[str, bytes]], object], *, again: bool = False) -> bytes:
    """The bundle with its files changed; with ``again`` it is signed anew, by the right key."""
    files = read(data)
    change(files)
    if again:
        files.pop(SIGNATURES, None)
        files[SIGNATURES] = signatures.sign(files, SIGNER, NOW)
    return write(files)


def manifest(data: bytes) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(read(data)[".manifest"])
    return value


def token(header: Mapping[str, Any], payload: object, signer: EcdsaSigner = SIGNER) -> str:
    """A compact JWS with any header, ES256 all the same."""
    first, second = (_base64(json.dumps(value).encode()) for value in (header, payload))
    r, s = decode_dss_signature(signer.sign(f"{first}.{second}".encode()))
    return f"{first}.{second}.{_base64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def payload_of(data: bytes) -> dict[str, Any]:
    [found] = json.loads(read(data)[SIGNATURES])["signatures"]
    second = found.split(".")[1]
    value: dict[str, Any] = json.loads(base64.urlsafe_b64decode(second + "=" * (-len(second) % 4)))
    return value


def with_token(data: bytes, text: str, **more: object) -> bytes:
    """The bundle with another signature."""
    value = json.dumps({"signatures": [text], **more}).encode()
    return changed(data, lambda files: files.update({SIGNATURES: value}))


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def tarball(entries: Sequence[tarfile.TarInfo | tuple[str, bytes]], format: int = tarfile.USTAR_FORMAT) -> bytes:
    """An archive as Python's own library writes it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as archive:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                archive.addfile(entry, io.BytesIO(bytes(entry.size)))
            else:
                info = tarfile.TarInfo(entry[0])
                info.size = len(entry[1])
                archive.addfile(info, io.BytesIO(entry[1]))
    return gzip.compress(out.getvalue(), mtime=0)
