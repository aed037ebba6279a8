"""What must be refused is, for its reason; and what cosign says beside it, as docs/verify/refusals.md tells."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.maestro.provenance.refusals import CASES, DATA, GOOD, Tried, judge
from tests.support.tools import ROOT, tool

PAGE = ROOT / "docs/verify/refusals.md"
_HEAD = """# What is refused, and what cosign says

Each row is one change to a bundle that is accepted. Made by `tests/maestro/provenance/test_refusals.py`, which asks
both: ours with a strict policy, and cosign v3.1.3 as `verify-blob-attestation --trusted-root` with the signer's
identity and issuer. Most rows where cosign accepts are about what it leaves to its caller; that is no defect of it.

| what | our reason | cosign |
|---|---|---|
"""


@pytest.mark.parametrize("name", GOOD)
def test_the_valid_one_is_proven(name: str) -> None:
    found = judge(GOOD[name]())
    assert found.problem is None, found.problem


@pytest.mark.parametrize("name", CASES)
def test_it_is_refused_for_its_reason(name: str) -> None:
    _, code, make = CASES[name]
    found = judge(make())
    assert found.problem is not None
    assert found.problem.code == code, found.problem.message


def cosign_accepts(tried: Tried, folder: Path) -> bool:
    (folder / "artifact").write_bytes(DATA)
    (folder / "bundle.json").write_bytes(tried.data)
    (folder / "root.json").write_text(json.dumps(tried.root))
    bare = "messageSignature" in tried.bundle
    argv = [tool("cosign"), "verify-blob" if bare else "verify-blob-attestation"]
    argv += ["--trusted-root", "root.json", "--bundle", "bundle.json"]
    argv += ["--certificate-identity", tried.run.signer_uri, "--certificate-oidc-issuer", tried.run.issuer]
    argv += [] if bare else ["--type", tried.predicate_type]
    done = subprocess.run([*argv, "artifact"], cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode == 0


@pytest.mark.parametrize("name", GOOD)
def test_cosign_accepts_the_valid_one(name: str, tmp_path: Path) -> None:
    assert cosign_accepts(GOOD[name](), tmp_path)


def test_the_page_is_what_both_say(tmp_path: Path) -> None:
    rows = []
    group = ""
    for number, (name, (section, code, make)) in enumerate(CASES.items()):
        if section != group:
            group = section
            rows.append(f"| **{section}** | | |")
        folder = tmp_path / str(number)
        folder.mkdir()
        said = "accepts" if cosign_accepts(make(), folder) else "refuses"
        rows.append(f"| {name} | [`{code}`](reasons.md#{code.replace('/', '')}) | {said} |")
    text = _HEAD + "\n".join(rows) + "\n"
    if os.environ.get("WRITE_PAGES") == "1":
        PAGE.write_text(text, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == text, "WRITE_PAGES=1 renews it"
