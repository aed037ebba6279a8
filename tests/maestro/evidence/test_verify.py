"""A signed statement: what is believed, what is refused, and what judges outside of this project say."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro.evidence import bundle, dsse
from maestro.evidence.errors import BadEvidence, KeyProblem
from maestro.evidence.signer import sign_statement
from maestro.evidence.statement import Statement, Subject
from maestro.evidence.trust import trust_of
from maestro.evidence.types import PAYLOAD, RECEIPT, VERDICT
from maestro.evidence.verify import Verified, instant, verify_bundle
from tests.maestro.evidence import keys
from tests.support.tools import tool

NOW = dt.datetime(2026, 11, 1, 12, tzinfo=dt.UTC)
LOG = b"hello\n"
SHA256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
STATEMENT = Statement((Subject("a.log", {"sha256": SHA256}),), RECEIPT, {"at": NOW.isoformat(), "text": "ü\u2028"})


def signed() -> bytes:
    return sign_statement(STATEMENT, keys.signer())


def judge(data: bytes, *rows: keys.Row, wanted: str = RECEIPT) -> Verified:
    trust = trust_of(rows or [keys.row()])
    return verify_bundle(data, trust, predicate_type=wanted, made_at=lambda said: instant(said.predicate["at"], "at"))


def test_what_a_listed_key_signed_is_believed_and_kept_as_signed() -> None:
    verified = judge(signed())
    assert verified.key.id == "release"
    assert verified.statement == STATEMENT
    assert verified.payload == STATEMENT.to_bytes()


@pytest.mark.parametrize("log", [LOG, b""], ids=["log", "empty-log"])
def test_cosign_accepts_the_bundle_and_refuses_another_log(tmp_path: Path, log: bytes) -> None:
    import hashlib

    said = Statement((Subject("a.log", {"sha256": hashlib.sha256(log).hexdigest()}),), RECEIPT, {"at": NOW.isoformat()})
    (tmp_path / "a.log").write_bytes(log)
    (tmp_path / "b.log").write_bytes(b"other\n")
    (tmp_path / "r.sigstore.json").write_bytes(sign_statement(said, keys.signer()))
    (tmp_path / "pub.pem").write_text(keys.signer().public_key_pem)
    (tmp_path / "other.pem").write_text(keys.signer("other").public_key_pem)

    def cosign(key: str, log: str) -> subprocess.CompletedProcess[bytes]:
        argv = [tool("cosign"), "verify-blob-attestation", "--key", key, "--bundle", "r.sigstore.json"]
        argv += ["--insecure-ignore-tlog", "--type", RECEIPT, log]
        environ = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
        return subprocess.run(argv, cwd=tmp_path, env=environ, capture_output=True, timeout=60, check=False)

    good = cosign("pub.pem", "a.log")
    assert good.returncode == 0, good.stderr
    assert cosign("pub.pem", "b.log").returncode != 0
    assert cosign("other.pem", "a.log").returncode != 0


def test_openssl_accepts_the_signature_over_the_pae(tmp_path: Path) -> None:
    envelope = bundle.parse(signed())
    (tmp_path / "sig").write_bytes(envelope.signature)
    (tmp_path / "pae").write_bytes(envelope.signed)
    (tmp_path / "pub.pem").write_text(keys.signer().public_key_pem)
    argv = [tool("openssl"), "dgst", "-sha256", "-verify", "pub.pem", "-signature", "sig", "pae"]
    run = subprocess.run(argv, cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert (run.returncode, run.stdout) == (0, b"Verified OK\n")


@given(st.text(st.characters(exclude_categories=["Cs"])), st.binary())
def test_pae_cannot_be_read_two_ways(kind: str, payload: bytes) -> None:
    from securesystemslib.dsse import Envelope

    theirs = Envelope(payload=payload, payload_type=kind, signatures={})
    assert dsse.pre_authentication_encoding(kind, payload) == theirs.pae()


Damage = Callable[[dict[str, Any]], None]


def _set(*path: str | int, to: object) -> Damage:
    def damage(value: dict[str, Any]) -> None:
        place: Any = value
        for key in path[:-1]:
            place = place[key]
        if to is None:
            del place[path[-1]]
        else:
            place[path[-1]] = to

    return damage


def _payload(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


ENVELOPE = "dsseEnvelope"
DAMAGES: dict[str, tuple[Damage, str]] = {
    "media-type": (_set("mediaType", to="application/vnd.dev.sigstore.bundle.v0.2+json"), "media type"),
    "no-hint": (_set("verificationMaterial", "publicKey", to={}), "hint"),
    "hint-empty": (_set("verificationMaterial", "publicKey", "hint", to=""), "hint"),
    "hint-of-nobody": (_set("verificationMaterial", "publicKey", "hint", to="abc"), "does not list"),
    "no-envelope": (_set(ENVELOPE, to=None), "dsseEnvelope"),
    "no-signature": (_set(ENVELOPE, "signatures", to=[]), "exactly one"),
    "two-signatures": (_set(ENVELOPE, "signatures", to=[{"sig": ""}, {"sig": ""}]), "exactly one"),
    "signature-not-base64": (_set(ENVELOPE, "signatures", 0, "sig", to="***"), "base64"),
    "signature-empty": (_set(ENVELOPE, "signatures", 0, "sig", to=""), "changed after signing"),
    "signature-of-something-else": (
        _set(ENVELOPE, "signatures", 0, "sig", to=base64.b64encode(keys.signer().sign(b"x")).decode()),
        "changed after signing",
    ),
    "payload-changed": (_set(ENVELOPE, "payload", to=_payload("{}")), "changed after signing"),
    "payload-type-changed": (_set(ENVELOPE, "payloadType", to="text/plain"), "changed after signing"),
    "payload-type-not-text": (_set(ENVELOPE, "payloadType", to=7), "payload type"),
}


@pytest.mark.parametrize(("damage", "says"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_bundle_is_refused(damage: Damage, says: str) -> None:
    value = json.loads(signed())
    damage(value)
    with pytest.raises(BadEvidence, match=says) as caught:
        judge(json.dumps(value).encode())
    assert caught.value.exit_code == 10


def _sign(payload: bytes, kind: str = PAYLOAD) -> bytes:
    signature = keys.signer().sign(dsse.pre_authentication_encoding(kind, payload))
    return bundle.to_bytes(dsse.Envelope(kind, payload, signature, keys.signer().key_id))


GOOD = STATEMENT.to_bytes()
BAD_PAYLOADS = {
    "text": (_sign(b"hello", "text/plain"), "not an in-toto statement"),
    "not-json": (_sign(b"hello"), "cannot be read"),
    "duplicate-key": (_sign(b'{"_type":"a",' + GOOD[1:]), "twice"),
    "nan": (_sign(GOOD.replace(b'"predicate":{', b'"predicate":{"n":NaN,')), "NaN"),
    "infinity": (_sign(GOOD.replace(b'"predicate":{', b'"predicate":{"n":1e999,')), "too large a number"),
    "lone-surrogate": (_sign(GOOD.replace(b'"predicate":{', b'"predicate":{"n":"\\ud800",')), "cannot be read"),
    "deep": (_sign(b"[" * 100_000), "cannot be read"),
    "list": (_sign(b"[]"), "not a JSON object"),
    "v0.1": (_sign(GOOD.replace(b"Statement/v1", b"Statement/v0.1")), "not an in-toto Statement v1"),
    "other-predicate": (_sign(GOOD.replace(RECEIPT.encode(), VERDICT.encode())), "wanted"),
    "no-subject": (_sign(Statement((), RECEIPT, {"at": NOW.isoformat()}).to_bytes()), "no subject"),
    "no-digest": (_sign(Statement((Subject("a", {}),), RECEIPT, {}).to_bytes()), "no digest"),
    "no-predicate": (_sign(GOOD.replace(b'"predicate":', b'"other":')), "no predicate"),
    "time-without-offset": (_sign(GOOD.replace(b"+00:00", b"")), "no offset"),
    "time-before-all-time": (
        _sign(GOOD.replace(NOW.isoformat().encode(), b"0001-01-01T00:00:00+23:59")),
        "is not a time",
    ),
}


@pytest.mark.parametrize(("data", "says"), BAD_PAYLOADS.values(), ids=BAD_PAYLOADS)
def test_even_a_listed_key_cannot_make_nonsense_count(data: bytes, says: str) -> None:
    with pytest.raises(BadEvidence, match=says):
        judge(data)


@given(st.integers(0, len(signed()) - 2), st.integers(1, 255))
def test_no_changed_byte_goes_unseen(position: int, flip: int) -> None:
    data = bytearray(signed())
    data[min(position, len(data) - 2)] ^= flip  # a signature is a byte longer or shorter than another
    with contextlib.suppress(BadEvidence):  # else the change meant nothing: white space, spare bits of base64
        assert judge(bytes(data)).payload == STATEMENT.to_bytes()


@given(st.binary(max_size=200))
def test_noise_is_refused_without_a_traceback(data: bytes) -> None:
    with pytest.raises(BadEvidence):
        judge(data)


def test_a_foreign_key_is_refused_though_its_signature_holds() -> None:
    with pytest.raises(BadEvidence, match="does not list"):
        judge(sign_statement(STATEMENT, keys.signer("stranger")))


HOUR = dt.timedelta(hours=1)
TIMES = {
    "before": (keys.row(valid_from=NOW + HOUR), "valid only from"),
    "after": (keys.row(valid_until=NOW - HOUR), "was valid until"),
    "at-the-end": (keys.row(valid_until=NOW), "was valid until"),
    "day-before": (keys.row(valid_until=dt.date(2026, 10, 31)), "was valid until"),
    "revoked-before": (keys.row(revoked_at=NOW - HOUR), "revoked"),
    "revoked-later": (keys.row(revoked_at=NOW + HOUR), "revoked"),
}


@pytest.mark.parametrize(("row", "says"), TIMES.values(), ids=TIMES)
def test_a_key_outside_of_its_time_is_not_believed(row: keys.Row, says: str) -> None:
    with pytest.raises(BadEvidence, match=says):
        judge(signed(), row)
    with pytest.raises(KeyProblem, match=says):
        trust_of([row]).require(keys.signer().key_id, NOW)


@pytest.mark.parametrize("row", [keys.row(valid_from=NOW), keys.row(valid_until=NOW.date()), keys.row(valid_from=None)])
def test_a_key_within_its_time_is_believed(row: keys.Row) -> None:
    assert judge(signed(), row).key.id == "release"


def test_one_key_under_two_ids_is_an_error() -> None:
    twin = keys.Row("twin", keys.signer().public_key_pem)
    with pytest.raises(KeyProblem, match="are one key"):
        trust_of([keys.row(), twin])
