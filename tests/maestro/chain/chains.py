"""Chains for tests, made by in-toto's own library: three steps, a key for each, an owner."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import subprocess
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from in_toto.models.layout import Layout, Step
from in_toto.models.metadata import Envelope, Metablock
from in_toto.runlib import in_toto_run
from securesystemslib.signer._crypto_signer import CryptoSigner
from securesystemslib.signer._key import SSlibKey

from tests.maestro.evidence import keys
from tests.support.tools import tool

NOW = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)
STEPS = ("checkout", "build", "verify")


@cache
def signer(name: str) -> CryptoSigner:
    return CryptoSigner(keys.private_key(name))


def pem(name: str = "owner") -> str:
    key = keys.private_key(name).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def listed(name: str, keyid: str | None = None) -> dict[str, Any]:
    key = SSlibKey.from_crypto(keys.private_key(name).public_key(), keyid)
    return key.to_dict() | {"keyid": key.keyid}


def key_id(name: str) -> str:
    return str(listed(name)["keyid"])


def link_name(step: str) -> str:
    return f"{step}.{key_id(step)[:8]}.link"


def layout() -> Layout:
    rules: dict[str, tuple[list[Any], list[Any]]] = {
        "checkout": ([["DISALLOW", "*"]], [["CREATE", "*"]]),
        "build": (
            [["MATCH", "*", "WITH", "PRODUCTS", "FROM", "checkout"], ["DISALLOW", "*"]],
            [["CREATE", "dist/*"], ["DISALLOW", "*"]],
        ),
        "verify": (
            [["MATCH", "dist/*", "WITH", "PRODUCTS", "FROM", "build"], ["DISALLOW", "*"]],
            [["MATCH", "dist/*", "WITH", "PRODUCTS", "FROM", "build"], ["DISALLOW", "*"]],
        ),
    }
    made = Layout(expires="2036-01-01T00:00:00Z")
    for name in STEPS:
        key = listed(name)
        made.keys[key["keyid"]] = key
        materials, products = rules[name]
        made.steps.append(
            Step(name=name, expected_materials=materials, expected_products=products, pubkeys=[key["keyid"]])
        )
    return made


def signed(made: Layout, by: str = "owner", *, envelope: bool = False) -> bytes:
    holder = Envelope.from_signable(made) if envelope else Metablock(signed=made, compact_json=True)
    holder.create_signature(signer(by))
    return json.dumps(holder.to_dict()).encode()


def make(
    folder: Path,
    change: Callable[[Layout], object] = lambda _: None,
    *,
    dsse: bool = False,
    produce: Mapping[str, bytes] = {"dist/api.tar": b"built\n"},
) -> Path:
    """``layout``, ``links/``, and the working folder with ``dist/``."""
    folder.mkdir(parents=True, exist_ok=True)
    made = layout()
    change(made)
    (folder / "layout").write_bytes(signed(made, envelope=dsse))
    (folder / "owner.pub").write_text(pem())
    (folder / "links").mkdir()
    with contextlib.chdir(folder):
        Path("src").mkdir()
        common: dict[str, Any] = {"metadata_directory": "links", "use_dsse": dsse}
        write = ["sh", "-c", "echo source > src/a"]
        in_toto_run("checkout", [], ["src"], write, signer=signer("checkout"), **common)
        Path("dist").mkdir()
        for name, data in produce.items():
            Path(name).write_bytes(data)
        in_toto_run("build", ["src"], ["dist"], ["true"], signer=signer("build"), **common)
        in_toto_run("verify", ["dist"], ["dist"], ["true"], signer=signer("verify"), **common)
    return folder


def in_toto_verify(folder: Path, key: str) -> bool:
    """Whether in-toto's own command accepts the chain. It prints why not: pytest shows that with the failure."""
    argv = [tool("in-toto-verify"), "--layout=layout", f"--verification-keys={key}", "--link-dir=links"]
    return subprocess.run(argv, cwd=folder, timeout=60, check=False).returncode == 0
