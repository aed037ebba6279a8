"""What OPA signs we accept, what we sign OPA accepts, and what is tampered with neither does.

``opa build`` and ``opa run`` are the judges; ``opa eval -b`` verifies nothing.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import re
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from policy.bundle.archive_reading import read
from policy.bundle.archive_writing import write
from policy.bundle.hashing import digest_of
from policy.bundle.reasons import Refused
from policy.bundle.signatures import SIGNATURES
from tests.maestro.evidence import keys
from tests.policy.bundle.bundles import (
    SIGNER,
    attested,
    built,
    changed,
    let_in,
    payload_of,
    signed,
    tarball,
    token,
    with_token,
)
from tests.support.tools import tool


@dataclass(frozen=True)
class Opa:
    """OPA in a folder that holds both halves of the key."""

    folder: Path

    def __call__(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [tool("opa"), *arguments], cwd=cwd or self.folder, capture_output=True, text=True, check=False
        )

    def accepts(self, data: bytes) -> bool:
        (self.folder / "given.tar.gz").write_bytes(data)
        verification = ["--verification-key", "public.pem", "--signing-alg", "ES256"]
        return self("build", "-b", "given.tar.gz", *verification, "-o", "out.tar.gz").returncode == 0

    def unpacked(self, data: bytes) -> Path:
        folder = self.folder / "unpacked"
        for name, content in read(data).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return folder


@pytest.fixture
def opa(tmp_path: Path) -> Opa:
    (tmp_path / "key.pem").write_bytes(keys.pem())
    (tmp_path / "public.pem").write_text(SIGNER.public_key_pem)
    return Opa(tmp_path)


SIGN = ["--signing-key", "../key.pem", "--signing-alg", "ES256"]


def ours(data: bytes) -> str:
    """Our answer: a code, or accepted."""
    try:
        let_in(data)
    except Refused as error:
        return error.code
    return "accepted"


def test_opa_build_accepts_ours_with_the_right_key_only(opa: Opa) -> None:
    assert opa.accepts(signed())
    assert not opa.accepts(signed(signer=keys.signer("other")))
    assert not opa.accepts(built())


def test_opa_run_accepts_ours_with_the_right_key_only(opa: Opa) -> None:
    """It serves what it verified, or ends; ended here by its process."""
    (opa.folder / "right.tar.gz").write_bytes(signed())
    (opa.folder / "wrong.tar.gz").write_bytes(signed(signer=keys.signer("other")))
    for name, accepted in (("right.tar.gz", True), ("wrong.tar.gz", False)):
        command = [
            tool("opa"),
            "run",
            "--server",
            "--addr",
            "127.0.0.1:0",
            "--log-level",
            "info",
            "--disable-telemetry",
        ]
        command += ["--verification-key", "public.pem", "--signing-alg", "ES256", "--bundle", name]
        environ = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(opa.folder)}
        with subprocess.Popen(
            command, cwd=opa.folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            assert process.stdout is not None
            said = next((line for line in process.stdout if re.search("Initializing server|error", line)), "")
            process.terminate()
            rest = process.stdout.read()
        assert ("Initializing server" in said) is accepted, said + rest
        assert accepted or "failed to verify JWT signature" in said + rest


def test_what_opa_build_signs_we_accept(opa: Opa) -> None:
    folder = opa.unpacked(built())
    done = opa("build", "-b", ".", *SIGN, "-o", "../out.tar.gz", cwd=folder)
    assert done.returncode == 0, done.stderr
    theirs = (opa.folder / "out.tar.gz").read_bytes()
    # `opa build` keeps Rego, data and manifest, and nothing else: a bundle with a parity lock does not survive it.
    assert "policy/parity.lock" not in read(theirs)
    assert ours(theirs) == "contents"
    (folder / "policy/parity.lock").unlink()
    said = json.loads((folder / ".manifest").read_text())
    said["metadata"]["maestro"]["parity"] = None
    (folder / ".manifest").write_text(json.dumps(said))
    assert opa("build", "-b", ".", *SIGN, "-o", "../out.tar.gz", cwd=folder).returncode == 0
    assert ours((opa.folder / "out.tar.gz").read_bytes()) == "accepted"


def test_what_opa_sign_signs_we_accept(opa: Opa) -> None:
    folder = opa.unpacked(built())
    done = opa("sign", "-b", ".", *SIGN, cwd=folder)
    assert done.returncode == 0, done.stderr
    files = {**read(built()), SIGNATURES: (folder / SIGNATURES).read_bytes()}
    assert ours(write(files)) == "accepted"
    assert let_in(write(files)).signed_at is None
    assert opa.accepts(write(files))


def test_a_file_has_the_digest_that_opa_gives_it(opa: Opa) -> None:
    """Numbers as they are spelled, text as Go escapes it, keys in order, everything else as it is."""
    folder = opa.folder / "hashed"
    samples: list[Any] = [
        '{"b":1,"a":[1.0,1.50,1e3,1E+3,-0,-0.0,123456789012345678901234567890,0.1e-7]}',
        '{"z":{"y":[],"x":{},"w":[{}]},"a":null,"b":true,"c":false}',
        json.dumps({"t": "".join(map(chr, [*range(1, 200), 0x2027, 0x2028, 0x2029, 0xFEFF, 0xFFFD, 0x1F600]))}),
        json.dumps({"<&>": "</script>", "\u00e9": 1, "\U0001f600": 2, "\uffff": 3, "a\u2028": 4}, ensure_ascii=False),
        json.dumps({"\ud83d\ude00": '\\/ " \b\f\n\r\t \x7f'}),
        '{ "spaced" : [ 1 ,\n 2 ] , "slash":"a\\/b" , "u": "\\u0041\\u00e9" }',
    ]
    names = []
    for number, text in enumerate(samples):
        names += [f"d{number}/data.json", f"d{number}/x.rego", f"d{number}/other.json"]
        (folder / f"d{number}").mkdir(parents=True)
        (folder / f"d{number}/data.json").write_text(text, "utf-8")
        (folder / f"d{number}/x.rego").write_text(f"package p{number}\n# \u2028 {number}\n", "utf-8")
        (folder / f"d{number}/other.json").write_text(text, "utf-8")
    (folder / ".manifest").write_text('{"revision": "1", "roots": ["b", "a"], "metadata": {"n": 1.50}}')
    done = opa("sign", "-b", ".", *SIGN, cwd=folder)
    assert done.returncode == 0, done.stderr
    listed = {
        one["name"]: one["hash"] for one in payload_of(write({SIGNATURES: (folder / SIGNATURES).read_bytes()}))["files"]
    }
    assert sorted(listed) == sorted([*names, ".manifest"])
    for name, digest in listed.items():
        assert digest_of(name, (folder / name).read_bytes(), "SHA-256") == digest, name


def _token_of(change: Callable[[dict[str, Any]], object]) -> bytes:
    payload = payload_of(signed())
    change(payload)
    return with_token(signed(), token({"alg": "ES256"}, payload))


PACK = "policy/packs/images/images.rego"


def _sha1() -> bytes:
    def weaken(said: dict[str, Any]) -> None:
        for one in said["files"]:
            if one["name"] == PACK:
                one.update(algorithm="SHA-1", hash=hashlib.sha1(read(signed())[PACK]).hexdigest())

    return _token_of(weaken)


def _with_link(kind: bytes = tarfile.SYMTYPE) -> bytes:
    odd = tarfile.TarInfo("link")
    odd.type, odd.linkname = kind, "/etc/passwd"
    return tarball([*read(signed()).items(), odd])


def _without_number() -> bytes:
    def change(files: dict[str, bytes]) -> None:
        files[".manifest"] = files[".manifest"].replace(b'"revision":"42"', b'"revision":"0"')

    return changed(signed(), change, again=True)


TABLE: dict[str, tuple[Callable[[], bytes], str, bool]] = {
    # what is done to it: (how, our answer, whether OPA accepts it)
    "nothing": (signed, "accepted", True),
    "unsigned": (built, "signature-missing", False),
    "another key": (lambda: signed(signer=keys.signer("other")), "key-unknown", False),
    "a module changed": (lambda: changed(signed(), lambda f: f.update({PACK: f[PACK] + b"#"})), "file-altered", False),
    "a module left out": (lambda: changed(signed(), lambda f: f.pop(PACK)), "file-missing", False),
    "a module added": (lambda: changed(signed(), lambda f: f.update({"x.rego": b"package x"})), "file-unlisted", False),
    "data changed": (lambda: changed(signed(), lambda f: f.update({"data.json": b"{}"})), "file-altered", False),
    "the manifest changed": (
        lambda: changed(signed(), lambda f: f.update({".manifest": b"{}"})),
        "file-altered",
        False,
    ),
    "two signatures": (
        lambda: changed(
            signed(), lambda f: f.update({SIGNATURES: json.dumps({"signatures": ["a.b.c", "a.b.c"]}).encode()})
        ),
        "signature-malformed",
        False,
    ),
    "a scope": (lambda: _token_of(lambda said: said.update(scope="write")), "signature-scope", False),
    "no hash algorithm": (lambda: _token_of(lambda said: said["files"][0].pop("algorithm")), "file-hash-weak", False),
    "cut off": (lambda: signed()[:-600], "archive-gzip", False),
    # What OPA accepts and we refuse.
    "SHA-1": (_sha1, "file-hash-weak", True),
    "a header that says RS256": (
        lambda: with_token(signed(), token({"alg": "RS256"}, payload_of(signed()))),
        "signature-algorithm",
        True,
    ),
    "a file listed twice": (
        lambda: _token_of(lambda said: said["files"].append(said["files"][0])),
        "signature-malformed",
        True,
    ),
    "bytes behind the end": (lambda: signed() + b"x", "archive-trailing", True),
    "a link in it": (_with_link, "archive-entry", True),
    "a folder in it": (lambda: _with_link(tarfile.DIRTYPE), "archive-entry", True),
    "expired": (lambda: signed(built(expires=dt.date(2026, 1, 1))), "expired", True),
    "revision 0": (_without_number, "manifest-malformed", True),
}


@pytest.mark.parametrize("what", TABLE)
def test_both_judges(opa: Opa, what: str) -> None:
    make, mine, accepted = TABLE[what]
    data = make()
    assert ours(data) == mine
    assert opa.accepts(data) is accepted


def test_cosign_verifies_the_statement(tmp_path: Path) -> None:
    from maestro.evidence.types import POLICY_BUNDLE

    archive, statement = attested()
    (tmp_path / "public.pem").write_text(SIGNER.public_key_pem)
    (tmp_path / "policy.tar.gz").write_bytes(archive)
    (tmp_path / "policy.tar.gz.sigstore.json").write_bytes(statement)
    command = [tool("cosign"), "verify-blob-attestation", "--key", "public.pem", "--insecure-ignore-tlog"]
    command += ["--bundle", "policy.tar.gz.sigstore.json", "--type", POLICY_BUNDLE, "policy.tar.gz"]
    environ = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (tmp_path / "policy.tar.gz").write_bytes(archive + b"x")
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode != 0
