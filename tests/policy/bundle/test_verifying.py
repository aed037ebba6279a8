"""What lets a bundle in, and every code that keeps one out."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro.errors import ToolFailure
from maestro.evidence.strict_json import loads
from policy.bundle import manifest, reasons
from policy.bundle.archive_reading import read
from policy.bundle.archive_writing import write
from policy.bundle.last_seen import Seen
from policy.bundle.packs import PARITY
from policy.bundle.reasons import Refused
from policy.bundle.signatures import SIGNATURES
from policy.pack import load_packs
from tests.maestro.evidence import keys
from tests.policy.bundle.bundles import (
    EXPIRES,
    FILES,
    NOW,
    SIGNER,
    attested,
    built,
    changed,
    config,
    let_in,
    payload_of,
    row,
    signed,
    tarball,
    token,
    with_token,
)
from tests.policy.memory_files import MemoryFiles

SIGNED = signed()
HEADER = {"alg": "ES256", "kid": SIGNER.key_id, "typ": "JWT"}


def refused(data: bytes, *rows: Any, **more: Any) -> str:
    with pytest.raises(Refused) as error:
        let_in(data, *rows, **more)
    assert error.value.exit_code == 10
    assert error.value.remedy == reasons.REASONS[error.value.code]
    return error.value.code


def test_a_sound_one() -> None:
    archive, statement = attested()
    found = let_in(archive, statement=statement)
    assert (found.manifest.revision, found.key.id, found.attested, found.days_left) == (42, "release", True, 180)
    assert found.signed_at == NOW
    assert [pack.path for pack in found.packs.packs] == [
        "policy.tar.gz/policy/packs/images",
        "policy.tar.gz/policy/packs/old",
    ]


def test_its_packs_are_those_of_the_revision_to_the_byte() -> None:
    """The digest is what receipts and the parity lock cite: a pack that travelled is the same pack."""
    at_home = load_packs(MemoryFiles(FILES), config()).packs
    away = let_in(SIGNED).packs.packs
    for one, other in zip(at_home, away, strict=True):
        assert (one.digest, one.modules, one.data, one.mode) == (other.digest, other.modules, other.data, other.mode)
        assert one.program() == replace(other.program(), bundle_lock=None)
        assert other.bundle == "policy.tar.gz"
        assert other.location.path == f"policy.tar.gz/{one.location.path}"
        assert {rule.location.path for rule in other.rules} == {
            f"policy.tar.gz/{rule.location.path}" for rule in one.rules
        }


# Signature


def test_not_signed() -> None:
    assert refused(built()) == "signature-missing"


def test_a_key_that_is_not_listed() -> None:
    other = keys.signer("other")
    assert refused(signed(signer=other)) == "key-unknown"
    assert let_in(signed(signer=other), row(key=keys.row("other"))).key.id == "other"


def test_a_name_in_the_header_chooses_no_key() -> None:
    """Another key that calls itself by the trusted one's name, and the trusted one under another name."""
    payload = payload_of(SIGNED)
    assert refused(with_token(SIGNED, token(HEADER, payload, keys.signer("other")))) == "signature-wrong"
    assert let_in(with_token(SIGNED, token({"alg": "ES256", "kid": "whatever"}, payload))).key.id == "release"


@pytest.mark.parametrize("alg", ["none", "None", "HS256", "RS256", "ES384", "PS512", "EdDSA", "", None, 7, ["ES256"]])
def test_the_header_does_not_choose_the_algorithm(alg: object) -> None:
    assert refused(with_token(SIGNED, token({**HEADER, "alg": alg}, payload_of(SIGNED)))) == "signature-algorithm"


def test_the_public_key_as_a_secret() -> None:
    """The oldest trick: HMAC with the public key's text, which everybody knows."""
    first, second, _ = token({**HEADER, "alg": "HS256"}, payload_of(SIGNED)).split(".")
    code = hmac.digest(SIGNER.public_key_pem.encode(), f"{first}.{second}".encode(), "sha256")
    forged = f"{first}.{second}.{base64.urlsafe_b64encode(code).rstrip(b'=').decode()}"
    assert refused(with_token(SIGNED, forged)) == "signature-algorithm"


@pytest.mark.parametrize(
    "more", [{"crit": ["b64"], "b64": False}, {"jwk": {}}, {"jku": "x"}, {"x5c": []}, {"b64": True}]
)
def test_a_header_that_says_more(more: dict[str, object]) -> None:
    assert refused(with_token(SIGNED, token({**HEADER, **more}, payload_of(SIGNED)))) == "signature-malformed"


def test_signatures_that_are_none() -> None:
    good = json.loads(read(SIGNED)[SIGNATURES])["signatures"][0]
    first, second, third = good.split(".")
    for text in ("", ".", "..", "a.b", f"{first}.{second}", f"{good}.x", f"{first}.{second}.", "é.b.c", "!.b.c"):
        assert refused(with_token(SIGNED, text)) == "signature-malformed", text
    assert refused(with_token(SIGNED, f"{first}.{second}.{third[:-4]}")) == "signature-wrong"
    zeros = "A" * 86
    assert refused(with_token(SIGNED, f"{first}.{second}.{zeros}")) == "signature-wrong"
    for value in (b"", b"[]", b'{"signatures":[]}', b'{"signatures":[1]}', b'{"signatures":{}}', b"\xff"):
        bad = changed(SIGNED, lambda files, value=value: files.update({SIGNATURES: value}))  # type: ignore[misc]
        assert refused(bad) == "signature-malformed", value
    twice = json.dumps({"signatures": [good, good]}).encode()
    assert refused(changed(SIGNED, lambda files: files.update({SIGNATURES: twice}))) == "signature-malformed"
    assert refused(with_token(SIGNED, good, plugin="mine")) == "signature-malformed"
    assert let_in(with_token(SIGNED, good, plugin="_default"))


def resigned(change: Callable[[dict[str, Any]], object]) -> bytes:
    """Signed by the right key, over another list."""
    payload = payload_of(SIGNED)
    change(payload)
    return with_token(SIGNED, token(HEADER, payload))


def test_a_list_that_says_something_odd() -> None:
    assert let_in(resigned(lambda said: said.pop("iat"))).signed_at is None
    assert let_in(resigned(lambda said: said.pop("scope")))
    assert refused(resigned(lambda said: said.update(scope="write"))) == "signature-scope"
    assert refused(resigned(lambda said: said.pop("files"))) == "signature-malformed"
    assert refused(resigned(lambda said: said["files"].append(said["files"][0]))) == "signature-malformed"
    assert refused(resigned(lambda said: said["files"].append("x"))) == "signature-malformed"
    assert refused(resigned(lambda said: said["files"][0].update(hash=1))) == "signature-malformed"
    assert refused(resigned(lambda said: said["files"][0].update(algorithm=["SHA-256"]))) == "signature-malformed"
    assert refused(resigned(lambda said: said.update(iat="now"))) == "signature-malformed"
    assert refused(resigned(lambda said: said.update(iat=True))) == "signature-malformed"
    assert refused(resigned(lambda said: said.update(iat=int(NOW.timestamp()) + 3600))) == "signature-malformed"


# Keys


def test_a_key_has_its_time() -> None:
    day = dt.timedelta(days=1)
    assert let_in(SIGNED, row(key=keys.row(valid_until=NOW + day)), now=NOW + 5 * day).key.id == "release"
    assert refused(SIGNED, row(key=keys.row(valid_until=NOW))) == "key-not-valid"
    assert refused(SIGNED, row(key=keys.row(valid_from=NOW + day))) == "key-not-valid"
    assert refused(SIGNED, row(key=keys.row(revoked_at=NOW + day))) == "key-not-valid"


def test_without_a_time_of_signing_the_key_is_judged_now() -> None:
    """OPA writes none, and whoever took a retired key would leave it out."""
    day = dt.timedelta(days=1)
    timeless = resigned(lambda said: said.pop("iat"))
    trusted = row(key=keys.row(valid_until=NOW + day))
    assert let_in(timeless, trusted).key.id == "release"
    assert refused(timeless, trusted, now=NOW + 2 * day) == "key-not-valid"


# Files


def test_files_are_those_that_were_signed() -> None:
    path = "policy/packs/images/images.rego"
    more = {"policy/packs/images/more.rego": b"package acme.images\n"}
    assert refused(changed(SIGNED, lambda files: files.update(more))) == "file-unlisted"
    assert refused(changed(SIGNED, lambda files: files.pop(path))) == "file-missing"
    assert refused(changed(SIGNED, lambda files: files.update({path: files[path] + b"\n"}))) == "file-altered"
    assert refused(changed(SIGNED, lambda files: files.update({PARITY: b"x"}))) == "file-altered"
    assert refused(changed(SIGNED, lambda files: files.update({".manifest": b"{}"}))) == "file-altered"
    assert refused(changed(SIGNED, lambda files: files.update({"data.json": b"["}))) == "contents"


def test_layout_of_json_is_not_signed_and_means_nothing() -> None:
    """As for OPA: it is hashed by what it says. Numbers are what they are spelled as."""

    def rewritten(files: dict[str, bytes]) -> None:
        files["data.json"] = json.dumps(json.loads(files["data.json"]), indent=4).encode()

    def another(files: dict[str, bytes]) -> None:
        files["data.json"] = files["data.json"].replace(b"10.5", b"10.50")

    assert let_in(changed(SIGNED, rewritten))
    assert refused(changed(SIGNED, another)) == "file-altered"


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-1", "SHA-224", "SHA-512-224", "sha-256", "", "CRC32"])
def test_weak_hashes(algorithm: str) -> None:
    bad = resigned(lambda said: said["files"][1].update(algorithm=algorithm))
    assert refused(bad) == "file-hash-weak"


def test_no_hash_algorithm() -> None:
    assert refused(resigned(lambda said: said["files"][1].pop("algorithm"))) == "file-hash-weak"


# Manifest, signed by the right key all the same


def remade(change: Callable[[dict[str, Any]], object]) -> bytes:
    def with_manifest(files: dict[str, bytes]) -> None:
        value = json.loads(files[".manifest"])
        change(value)
        files[".manifest"] = json.dumps(value).encode()

    return changed(SIGNED, with_manifest, again=True)


def test_no_manifest() -> None:
    assert refused(changed(SIGNED, lambda files: files.pop(".manifest"), again=True)) == "manifest-malformed"


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said.update(revision="main"),
        lambda said: said.update(revision=42),
        lambda said: said.update(revision="0"),
        lambda said: said.update(revision="-1"),
        lambda said: said.update(revision="042"),
        lambda said: said.update(revision="²"),
        lambda said: said.update(revision="9" * 5000),
        lambda said: said.pop("revision"),
        lambda said: said.pop("metadata"),
        lambda said: said.update(metadata={}),
        lambda said: said.update(metadata={"maestro": []}),
        lambda said: said.update(wasm=[]),
        lambda said: said.update(roots="x"),
        lambda said: said.update(file_rego_versions=[]),
        lambda said: said["metadata"]["maestro"].pop("expires"),
        lambda said: said["metadata"]["maestro"].update(expires="never"),
        lambda said: said["metadata"]["maestro"].update(expires="2027-02-30"),
        lambda said: said["metadata"]["maestro"].update(commit="main"),
        lambda said: said["metadata"]["maestro"].update(name="../x"),
        lambda said: said["metadata"]["maestro"].update(more=1),
        lambda said: said["metadata"]["maestro"]["packs"][0].update(digest="x"),
        lambda said: said["metadata"]["maestro"]["packs"][0]["entry"].update(mode="off"),
    ],
)
def test_a_manifest_that_says_something_odd(change: Callable[[dict[str, Any]], object]) -> None:
    assert refused(remade(change)) == "manifest-malformed"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(("revision", "roots", "metadata", "rego_version"), JSON)))
def test_any_manifest_is_read_or_refused(value: dict[str, Any]) -> None:
    with contextlib.suppress(Refused):
        manifest.parse(json.dumps(value).encode("utf-8", "surrogatepass"))


@given(JSON, st.sampled_from(["name", "commit", "expires", "parity", "packs"]))
def test_any_member_is_read_or_refused(value: object, member: str) -> None:
    said = json.loads(read(SIGNED)[".manifest"])
    said["metadata"]["maestro"][member] = value
    with contextlib.suppress(Refused):
        manifest.parse(json.dumps(said).encode("utf-8", "surrogatepass"))


@given(st.binary(max_size=200))
def test_any_signatures_file_is_refused(data: bytes) -> None:
    assert refused(changed(SIGNED, lambda files: files.update({SIGNATURES: data}))).startswith("signature-")


@given(JSON, st.sampled_from(["files", "iat", "scope", "keyid"]))
def test_any_signed_list_is_read_or_refused(value: object, member: str) -> None:
    with contextlib.suppress(Refused):
        let_in(resigned(lambda said: said.update({member: value})))


@pytest.mark.parametrize("name", [".manifest", "data.json", SIGNATURES])
@pytest.mark.parametrize("bad", [b"[" * 100_000, b'{"a":1,"a":2}', b"\xff\xfe", b"", b'{"a":' * 5000, b'{"a":NaN}'])
def test_json_that_is_made_to_hurt(name: str, bad: bytes) -> None:
    refused(changed(SIGNED, lambda files: files.update({name: bad})))


def test_a_number_of_a_million_digits() -> None:
    bad = b'{"a":' + b"9" * 1_000_000 + b"}"
    assert refused(changed(SIGNED, lambda files: files.update({"data.json": bad}))) == "file-altered"


# Contents, signed by the right key all the same


def test_it_holds_what_its_manifest_describes() -> None:
    path = "policy/packs/images/images.rego"
    assert refused(changed(SIGNED, lambda files: files.update({path: b"package x\n"}), again=True)) == "contents"
    assert refused(changed(SIGNED, lambda files: files.pop(path), again=True)) == "contents"
    assert refused(changed(SIGNED, lambda files: files.update({"more.rego": b"package x"}), again=True)) == "contents"
    assert refused(changed(SIGNED, lambda files: files.update({"policy.wasm": b""}), again=True)) == "contents"
    assert refused(changed(SIGNED, lambda files: files.update({"x/.manifest": b"{}"}), again=True)) == "contents"
    assert refused(changed(SIGNED, lambda files: files.update({"x/data.json": b"{}"}), again=True)) == "contents"
    assert refused(changed(SIGNED, lambda files: files.update({PARITY: b"x"}), again=True)) == "contents"
    assert refused(changed(SIGNED, lambda files: files.pop(PARITY), again=True)) == "contents"
    assert refused(changed(SIGNED, lambda files: files.pop("data.json"), again=True)) == "contents"
    assert refused(changed(SIGNED, lambda files: files.update({"data.json": b"{}"}), again=True)) == "contents"


def test_its_manifest_describes_what_it_holds() -> None:
    def entries(said: dict[str, Any]) -> list[Any]:
        found: list[Any] = said["metadata"]["maestro"]["packs"]
        return found

    assert refused(remade(lambda said: entries(said)[0].update(digest="sha256:" + "0" * 64))) == "contents"
    assert refused(remade(lambda said: entries(said)[0].update(data={}))) == "contents"
    assert refused(remade(lambda said: entries(said).pop())) == "contents"
    assert refused(remade(lambda said: entries(said).append(entries(said)[0]))) == "contents"
    assert refused(remade(lambda said: entries(said)[0]["entry"].update(path="**"))) == "contents"


def test_yaml_is_read_by_nobody() -> None:
    def with_yaml(said: dict[str, Any]) -> None:
        said["files"].append({"name": "data.yaml", "hash": "0" * 64, "algorithm": "SHA-256"})

    bad = changed(resigned(with_yaml), lambda files: files.update({"data.yaml": b"a: 1"}))
    assert refused(bad) == "contents"


# Names, statement


def test_the_one_that_is_expected() -> None:
    other = signed(built(name="other"))
    assert refused(other) == "bundle-unknown"
    assert refused(other, row(), row(name="third", key=keys.row("third"))) == "bundle-unknown"
    assert let_in(other, row(), row(name="other")).manifest.contents.name == "other"


def test_the_name_leads_to_keys_and_these_must_have_signed() -> None:
    """Somebody trusted for `other` takes the name `policy`."""
    rows = (row(), row(name="other", key=keys.row("other")))
    assert refused(signed(built(), signer=keys.signer("other")), *rows) == "key-unknown"


def test_the_statement_beside_it() -> None:
    archive, statement = attested()
    _, of_another = attested(built(43))
    _, unknown = attested(signer=keys.signer("other"))
    assert refused(archive, statement=of_another) == "statement"
    assert refused(archive, statement=unknown) == "statement"
    assert refused(archive, statement=b"{}") == "statement"
    assert refused(signed(), statement=statement) == "statement", "another signature, so another file"
    assert loads(statement, what="it")


# Expiry


def test_until_its_last_day_and_no_longer() -> None:
    last = dt.datetime.combine(EXPIRES, dt.time(23, 59, 59), dt.UTC)
    assert let_in(SIGNED, now=last).days_left == 0
    assert refused(SIGNED, now=last + dt.timedelta(seconds=1)) == "expired"
    assert refused(SIGNED, now=last + dt.timedelta(days=3000)) == "expired"


def test_the_last_thirty_days_warn() -> None:
    noon = dt.datetime.combine(EXPIRES, dt.time(12), dt.UTC)
    assert not let_in(SIGNED, now=noon - dt.timedelta(days=31)).expires_soon
    assert let_in(SIGNED, now=noon - dt.timedelta(days=30)).expires_soon


def test_an_expiry_that_is_none() -> None:
    """Whoever signs cannot choose to be believed for ever."""
    assert refused(signed(built(expires=dt.date(2099, 1, 1)))) == "expiry-too-far"
    assert refused(SIGNED, row(maximum_age_days=90)) == "expiry-too-far"
    assert let_in(signed(built(expires=dt.date(2027, 11, 1))), row(maximum_age_days=365))


def test_a_clock_that_is_a_day_behind() -> None:
    timeless = resigned(lambda said: said.pop("iat"))
    assert let_in(timeless, now=NOW - dt.timedelta(days=1)).days_left == 181
    assert refused(timeless, now=NOW - dt.timedelta(days=2)) == "expiry-too-far"


# Revision


def test_no_lower_one_than_seen() -> None:
    content = let_in(SIGNED).seen.content
    assert let_in(SIGNED, seen=lambda name: Seen(41, "x"))
    assert let_in(SIGNED, seen=lambda name: Seen(42, content))
    assert refused(SIGNED, seen=lambda name: Seen(42, "x")) == "revision-reused"
    assert refused(SIGNED, seen=lambda name: Seen(43, "x")) == "revision-too-low"
    assert refused(SIGNED, row(minimum=43)) == "revision-too-low"
    assert refused(SIGNED, row(minimum=43), seen=lambda name: Seen(41, "x")) == "revision-too-low"
    assert refused(SIGNED, row(minimum=1), seen=lambda name: Seen(43, "x")) == "revision-too-low"


def test_signed_again_it_is_the_same_content() -> None:
    """A signature is new every time; what it is over is not."""
    again = signed(now=NOW + dt.timedelta(seconds=5))
    assert again != SIGNED
    later = NOW + dt.timedelta(minutes=1)
    assert let_in(again, seen=lambda name: let_in(SIGNED).seen, now=later).manifest.revision == 42


def test_without_any_floor_it_cannot_be_told() -> None:
    with pytest.raises(ToolFailure, match="no revision of the bundle policy to compare") as error:
        let_in(SIGNED, row(minimum=None))
    assert error.value.exit_code == 1
    assert let_in(SIGNED, row(minimum=None), seen=lambda name: Seen(1, "x"))


def test_the_ledger_that_cannot_be_read_is_no_answer() -> None:
    def broken(name: str) -> Seen | None:
        raise ToolFailure("the ledger cannot be read")

    with pytest.raises(ToolFailure, match="cannot be read"):
        let_in(SIGNED, seen=broken)


# All of it


def test_every_code_is_refused_by_some_test_here() -> None:
    """Said of the tests' own text, so that a code without a case shows."""
    from pathlib import Path

    here = Path(__file__).parent
    text = "".join(path.read_text("utf-8") for path in here.glob("test_*.py"))
    assert [code for code in reasons.REASONS if f'"{code}"' not in text] == []


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_no_byte_can_be_changed_unnoticed(at: int, flip: int) -> None:
    """Of the archive's content: a header's time, owner and mode mean nothing and are not signed."""
    files = read(SIGNED)
    names = sorted(files)
    name = names[at % len(names)]
    position = (at * 7919) % max(1, len(files[name]))
    content = bytearray(files[name])
    content[position] ^= flip
    try:
        found = let_in(write({**files, name: bytes(content)}))
    except Refused:
        return
    assert name == SIGNATURES or found.manifest == let_in(SIGNED).manifest
    assert [pack.digest for pack in found.packs.packs] == [pack.digest for pack in let_in(SIGNED).packs.packs]


def test_an_archive_of_another_kind_is_let_in_as_well() -> None:
    """The signature is over the files: how they are packed is only how they travel."""
    assert let_in(tarball(list(read(SIGNED).items()))).manifest.revision == 42
