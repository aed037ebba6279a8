"""Checkpoints: the published examples, a real log's signature, and everything that is none."""
# ruff: noqa: E501 - signature lines are as long as they are

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from hypothesis import given
from hypothesis import strategies as st

from maestro.evidence import public_key
from maestro.evidence.errors import BadEvidence
from maestro.evidence.trust import trust_of
from maestro.ledger import checkpoint, note
from maestro.ledger.merkle import EMPTY_ROOT
from tests.maestro.evidence import keys

# c2sp.org/tlog-checkpoint and c2sp.org/signed-note, their examples.
EXAMPLE = """\
example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
"""
POEM = """\
Ognuno sta solo sul cuor della terra
trafitto da un raggio di sole:

ed è subito sera.

— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=
"""
# A checkpoint of the public log rekor.sigstore.dev, as bundles in the wild carry it, and that log's public key.
REKOR = """\
rekor.sigstore.dev - 2605736670972794746
75408393
Fnnj13Uu1jdksPc4HZLapKX329dVlD5+MGNsiqBq1XM=

— rekor.sigstore.dev wNI9ajBFAiBTyiBM9WtyOTgohje6QZ5rFGJUdMq7Wk3A6oThE98SUgIhAMvxDwa7FyqRqg+YV3rdPPrfS23w19iK+piMSGVOmP5w
"""
REKOR_OLD = """\
rekor.sigstore.dev - 2605736670972794746
21428036
rxnoKyFZlJ7/R6bMh/d3lcqwKqAy5CL1LcNBJP17kgQ=
Timestamp: 1688058656037355364

— rekor.sigstore.dev wNI9ajBFAiEAuDk7uu5Ae8Own/MjhSZNuVzbLuYH2jBMxbSA0WaNDNACIDV4reKpYiOpkwtvazCClnpUuduF2o/th2xR3gRZAUU4
"""
REKOR_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE2G2Y+2tabdTV5BcGiBIx0a9fAFwrkBbmLSGtks4L3qX6yYY0zufBnhC8Ur/"
    "iy55GhWP/9A/bY2LhC30M9+RYtw=="
)
TRUST = trust_of([keys.row()])


def test_the_published_examples() -> None:
    found = checkpoint.parse(EXAMPLE.encode())
    assert (found.origin, found.size) == ("example.com/behind-the-sofa", 20852163)
    assert base64.b64encode(found.root) == b"CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
    assert found.to_bytes() == EXAMPLE.encode()
    poem = note.parse(POEM.encode())
    assert poem.text.endswith("\n\ned è subito sera.\n")
    assert poem.to_bytes() == POEM.encode()
    assert [one.name for one in poem.signatures] == ["quasimodo.example/salvatore"]


@pytest.mark.parametrize("text", [REKOR, REKOR_OLD])
def test_a_real_log_signs_as_we_do(text: str) -> None:
    der = base64.b64decode(REKOR_KEY)
    key = load_der_public_key(der)
    found = checkpoint.parse(text.encode())
    (signature,) = found.note.signatures
    assert signature.key_id == note.key_id_of(der)
    assert public_key.verifies(key, signature.signature, found.note.text.encode())  # type: ignore[arg-type]
    assert not public_key.verifies(key, signature.signature, found.note.text.encode() + b"\n")  # type: ignore[arg-type]
    assert note.key_id(public_key.fingerprint(key)) == signature.key_id  # type: ignore[arg-type]


def test_openssl_accepts_our_signature(tmp_path: Path) -> None:
    made = checkpoint.signed("example.com/log", 0, EMPTY_ROOT, keys.signer())
    (tmp_path / "text").write_text(made.note.text)
    (tmp_path / "sig").write_bytes(made.note.signatures[0].signature)
    (tmp_path / "key.pem").write_text(keys.signer().public_key_pem)
    done = subprocess.run(
        ["openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "sig", "text"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.stdout == b"Verified OK\n"
    key = keys.private_key("release").public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert made.note.signatures[0].key_id == note.key_id_of(key)


@given(
    st.integers(0, 2**60), st.binary(min_size=32, max_size=32), st.sampled_from(["log", "example.com/a-b_c", "x" * 200])
)
def test_what_is_signed_is_read(size: int, root: bytes, origin: str) -> None:
    made = checkpoint.signed(origin, size, root if size else EMPTY_ROOT, keys.signer())
    again = checkpoint.parse(made.to_bytes())
    assert again == made
    assert checkpoint.signer_of(again, TRUST).id == "release"


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_anything_else_is_refused_and_nothing_breaks(data: bytes) -> None:
    with pytest.raises(BadEvidence):
        checkpoint.parse(data)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_one_changed_byte_is_seen(place: int, change: int) -> None:
    made = checkpoint.signed("log", 3, b"r" * 32, keys.signer()).to_bytes()
    at = place % len(made)
    with pytest.raises(BadEvidence):
        checkpoint.signer_of(checkpoint.parse(made[:at] + bytes([made[at] ^ change]) + made[at + 1 :]), TRUST)


GOOD = checkpoint.signed("log", 3, b"r" * 32, keys.signer()).to_bytes().decode()
SIGNATURE = GOOD.split("\n\n")[1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no blank line"),
        ("log\n3\n", "no blank line"),
        ("log\n3\nAAAA\n\n", "not end in a newline"),
        (GOOD[:-1], "not end in a newline"),
        (GOOD.replace("\n3\n", "\n03\n"), "no number"),
        (GOOD.replace("\n3\n", "\n-3\n"), "no number"),
        (GOOD.replace("\n3\n", "\n٣\n"), "no number"),
        (GOOD.replace("\n3\n", "\n0\n"), "an empty log has entries"),
        (GOOD.replace("log\n", "log\r\n", 1), "control character"),
        (GOOD.replace("log\n", "\nlog\n", 1), "an empty one"),
        (f"log\n3\n\n{SIGNATURE}", "fewer than three lines"),
        (f"log\n3\nAAAA\n\n{SIGNATURE}", "not the base64 of 32 bytes"),
        (f"log\n3\n!\n\n{SIGNATURE}", "root is not base64"),
        (GOOD.replace("—", "-"), "no signature line"),
        (GOOD.replace("— log", "— l og"), "no signature line"),
        (GOOD.replace("— log", "— l+g"), "no signature line"),
        (GOOD + "\n", "no blank line|no signature line|not end in"),
        (GOOD[:-3] + "\n", "not base64"),
        ("log\n3\n" + base64.b64encode(b"r" * 32).decode() + "\n\n— log AAAA\n", "too short"),
        ("log\n3\n" + base64.b64encode(b"r" * 32).decode() + "\n\n" + "— log AAAAAAAA\n" * 101, "more than 100"),
        ("x" * (note.SIZE_LIMIT + 1), "larger than"),
    ],
)
def test_what_is_no_checkpoint_says_why(text: str, words: str) -> None:
    with pytest.raises(BadEvidence, match=words):
        checkpoint.parse(text.encode())


def test_a_signature_of_somebody_else_is_none() -> None:
    made = checkpoint.signed("log", 3, b"r" * 32, keys.signer("stranger"))
    with pytest.raises(BadEvidence, match=r"no key that maestro\.yaml lists"):
        checkpoint.signer_of(made, TRUST)


def test_the_key_of_another_log_is_no_signature() -> None:
    made = checkpoint.signed("log", 3, b"r" * 32, keys.signer())
    other = checkpoint.parse(made.to_bytes().replace(b"log\n3", b"gol\n3"))
    with pytest.raises(BadEvidence, match=r"no key that maestro\.yaml lists"):
        checkpoint.signer_of(other, TRUST)


def test_more_signatures_than_ours_do_no_harm() -> None:
    witness = "— witness.example " + base64.b64encode(b"1234" + b"s" * 64).decode() + "\n"
    found = checkpoint.parse(GOOD.encode() + witness.encode())
    assert checkpoint.signer_of(found, TRUST).id == "release"
