"""What of our own release runs without GitHub: the build, and the gate's script on what was built."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from policy.release.document import load_release
from tests.support.git_repo import GitRepo
from tests.support.tools import ROOT, tool


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This repository as it is, committed once."""
    folder = tmp_path_factory.mktemp("own")
    git = GitRepo.init(folder / "clone")
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", "-z"], capture_output=True, check=True
    ).stdout.decode()
    git.commit(
        {name: (ROOT / name).read_bytes() for name in filter(None, listed.split("\0")) if (ROOT / name).is_file()}
    )
    return git.path


def build(clone: Path, out: Path) -> Path:
    environ = {"PATH": os.environ["PATH"], "HOME": str(out.parent), "PYTHON": sys.executable}
    argv = ["bash", str(clone / "tools/release/build"), str(out), "7", "2027-01-01"]
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def digests(out: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((out / "dist").iterdir())}


def test_two_builds_are_the_same_and_named(clone: Path, tmp_path: Path) -> None:
    first, second = build(clone, tmp_path / "a"), build(clone, tmp_path / "b")
    assert digests(first) == digests(second)
    release = load_release("release.yaml", (first / "release.yaml").read_bytes())
    assert {Path(one.path).name for one in release.artifacts} == set(digests(first))
    assert len(digests(first)) == 2


def test_the_gate_stops_what_trust_yaml_does_not_mean(clone: Path, tmp_path: Path) -> None:
    out = build(clone, tmp_path / "released")
    home = tmp_path / "home"
    (home / "venv/bin").mkdir(parents=True)
    (home / "venv/bin/maestro").symlink_to(tool("maestro"))
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "MAESTRO_HOME": str(home),
        "INPUT_PATH": str(out),
        "INPUT_RELEASE": "release.yaml",
        "INPUT_REPOSITORY": str(clone),
        "GITHUB_OUTPUT": str(home / "output"),
        "GITHUB_STEP_SUMMARY": str(home / "summary"),
    }
    argv = ["bash", str(ROOT / ".github/actions/release-gate/verify")]
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 10, done.stdout + done.stderr
    assert "there is no trust.yaml" in done.stdout
    assert "MAY NOT be released: 0 of 2 parts hold" in (home / "summary").read_text()
