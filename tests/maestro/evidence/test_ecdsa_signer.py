"""Every way a signing key can be wrong says so before anything starts, and never shows the key."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from maestro.evidence import ecdsa_signer, public_key
from maestro.evidence.errors import KeyProblem
from tests.maestro.evidence import keys


def _pem(key: object, encryption: KeySerializationEncryption | None = None) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())  # type: ignore[attr-defined, no-any-return]


BAD = {
    "encrypted": (_pem(keys.private_key("release"), BestAvailableEncryption(b"x")), "encrypted"),
    "rsa": (_pem(rsa.generate_private_key(65537, 2048)), "RSAPrivateKey"),
    "ed25519": (_pem(ed25519.Ed25519PrivateKey.generate()), "Ed25519PrivateKey"),
    "other-curve": (_pem(ec.generate_private_key(ec.SECP384R1())), "secp384r1"),
    "public-half": (keys.signer().public_key_pem.encode(), "not a private key"),
    "empty": (b"", "not a private key"),
    "not-utf8": (b"\xff\xfe\x00", "not a private key"),
    "cut": (keys.pem()[:80], "not a private key"),
}


@pytest.mark.parametrize(("data", "says"), BAD.values(), ids=BAD)
def test_a_key_of_another_kind_is_refused(tmp_path: Path, data: bytes, says: str) -> None:
    (tmp_path / "key.pem").write_bytes(data)
    with pytest.raises(KeyProblem, match=says) as caught:
        ecdsa_signer.find("key.pem", {}, tmp_path)
    assert caught.value.exit_code == 2
    assert caught.value.where == "key.pem"
    assert caught.value.remedy
    body = data.split(b"\n")[1] if data.count(b"\n") > 1 else b"\x00never"
    assert body.decode("latin-1") not in str(caught.value)


def test_no_key_at_all_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(KeyProblem, match="no key to sign with") as caught:
        ecdsa_signer.find(None, {}, tmp_path)
    assert caught.value.remedy is not None
    assert "openssl genpkey" in caught.value.remedy


def test_a_file_that_is_not_there_or_is_a_folder_is_unreadable(tmp_path: Path) -> None:
    for name in ("missing.pem", "."):
        with pytest.raises(KeyProblem, match="cannot be read"):
            ecdsa_signer.find(name, {}, tmp_path)


def test_the_option_wins_over_the_variable_and_the_variable_over_the_file(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(keys.pem(name))
    environ = {"MAESTRO_SIGNING_KEY": keys.pem("b").decode(), "MAESTRO_SIGNING_KEY_FILE": "c"}
    assert ecdsa_signer.find("a", environ, tmp_path).key_id == keys.signer("a").key_id
    assert ecdsa_signer.find(None, environ, tmp_path).key_id == keys.signer("b").key_id
    del environ["MAESTRO_SIGNING_KEY"]
    assert ecdsa_signer.find(None, environ, tmp_path).key_id == keys.signer("c").key_id


def test_the_key_id_is_made_from_the_public_key_alone() -> None:
    signer = keys.signer()
    assert public_key.fingerprint(public_key.load(signer.public_key_pem)) == signer.key_id


@pytest.mark.parametrize("pem", ["", "nonsense", keys.pem().decode(), keys.signer().public_key_pem[:60]])
def test_a_listed_key_that_is_no_public_key_is_refused(pem: str) -> None:
    with pytest.raises(KeyProblem, match="not a public key"):
        public_key.load(pem, where="maestro.yaml")
