"""``maestro trust update``: what a newer root changes, and a patch that pins it; nothing is written or fetched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.gates.governed import maestro
from tests.gates.test_trusted_artifacts import ROOT, TRUST, digest_of
from tests.maestro.provenance.refusals import OTHER, SIGSTORE
from tests.support.git_repo import GitRepo


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    repo = GitRepo.init(tmp_path / "r")
    repo.commit({"trust.yaml": "# ours\n" + TRUST, "trust/root.json": ROOT})
    return repo


def newer() -> str:
    """The instance's root after it has retired its log and got another authority."""
    root = SIGSTORE.trusted_root()
    root["tlogs"][0]["publicKey"]["validFor"]["end"] = "2026-11-01T00:00:00Z"
    root["certificateAuthorities"] += OTHER.trusted_root()["certificateAuthorities"]
    return json.dumps(root)


def test_what_changes_is_said_and_the_patch_applies(repo: GitRepo) -> None:
    (repo.path / "new.json").write_text(newer())
    answer = maestro(repo, "trust", "update", "private", "--root", "new.json")
    assert answer.code == 0
    assert "the root private (trust/root.json) by new.json:\n  the certificate authority " in answer.err
    assert "is added, in service from" in answer.err
    assert "is in service from 2" in answer.err and "to 2026-11-01 00:00:00, not from" in answer.err
    assert f"sha256 {digest_of(newer())}\n    instead of {digest_of(ROOT)}" in answer.err
    assert (repo.path / "trust/root.json").read_text() == ROOT, "nothing was written"
    (repo.path / "p.patch").write_text(answer.out)
    repo.git("apply", "p.patch")
    assert (repo.path / "trust.yaml").read_text() == "# ours\n" + TRUST.replace(digest_of(ROOT), digest_of(newer()))


def test_the_same_file_changes_nothing(repo: GitRepo) -> None:
    (repo.path / "new.json").write_text(ROOT)
    answer = maestro(repo, "trust", "update", "--root", "new.json")
    assert (answer.code, answer.out, answer.err) == (0, "", "the root private is this file already\n")


def test_the_old_file_need_not_be_there(repo: GitRepo) -> None:
    (repo.path / "new.json").write_text(newer())
    (repo.path / "trust/root.json").unlink()
    answer = maestro(repo, "trust", "update", "--root", "new.json")
    assert answer.code == 0
    assert "what changes cannot be told" in answer.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("other", "--root", "new.json"), "trust.yaml has: private"),
        (("--root", "absent.json"), "cannot be read"),
        (("--root", "bad.json"), "the trusted root cannot be used"),
    ],
)
def test_bad_input_is_said(repo: GitRepo, arguments: tuple[str, ...], words: str) -> None:
    (repo.path / "new.json").write_text(newer())
    (repo.path / "bad.json").write_text("{}")
    answer = maestro(repo, "trust", "update", *arguments)
    assert answer.code in (2, 3)
    assert answer.out == ""
    assert words in answer.err
