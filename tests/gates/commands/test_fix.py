from __future__ import annotations

import subprocess
from pathlib import Path

from tests.gates.governed import FLAG, MANIFEST, governed, maestro

BROKEN = """\
# who asks for this: the checkout team
apiVersion: maestro-conductor/v1
kind: Flag
metadata:
  name: basket-hints   # shown in the console
  owner: "@acme/chekout"
spec:
  type: release
  ttl: 30d
"""
REPAIRED = BROKEN.replace("@acme/chekout", "@acme/checkout").replace("30d", "2026-12-23")


def test_the_patch_is_one_that_git_applies(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r")
    repo.write("flags/hints.yaml", BROKEN)
    answer = maestro(repo, "fix")
    assert answer.code == 0
    subprocess.run(["git", "apply"], cwd=repo.path, input=answer.out.encode(), check=True)
    text = (repo.path / "flags/hints.yaml").read_text()
    assert "ttl: 2026-12-23" in text
    assert "# shown in the console" in text


def test_write_repairs_and_keeps_everything_else(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r")
    repo.write("flags/hints.yaml", BROKEN)
    first = maestro(repo, "fix", "--write")
    second = maestro(repo, "fix", "--write")
    assert (repo.path / "flags/hints.yaml").read_text() == REPAIRED
    assert "repaired" in first.err
    assert "nothing was found" in maestro(repo, "fix").err or "none of" in second.err


def test_without_write_nothing_changes(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r")
    repo.write("flags/hints.yaml", BROKEN)
    maestro(repo, "fix")
    assert (repo.path / "flags/hints.yaml").read_text() == BROKEN


def test_crlf_and_a_missing_last_newline_are_kept(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r")
    broken = FLAG.replace("2027-02-01", "30d").replace("\n", "\r\n").removesuffix("\r\n")
    repo.write("flags/checkout.yaml", broken)
    maestro(repo, "fix", "--write")
    assert (repo.path / "flags/checkout.yaml").read_bytes() == broken.replace("30d", "2026-12-23").encode()


def test_a_revision_is_not_written_to(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r")
    answer = maestro(repo, "fix", "--write", "--head", "HEAD")
    assert (answer.code, "--head" in answer.err) == (2, True)


def test_what_needs_a_person_is_counted(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r")
    repo.write("manifests/nightly.yaml", MANIFEST.replace("  command: [report, --day, yesterday]\n", ""))
    assert "1 finding, and none that is repaired by rule" in maestro(repo, "fix").err
