"""The workflow that `maestro init` writes, run by act on this machine: a defect stops the job, its repair lets it pass.

It installs Maestro as the action does, from the lock: that takes a package index, so it runs where REQUIRE_TOOLS=1.
"""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.tools import ROOT, tool

ACTION = "acme/conductor@0123456789abcdef0123456789abcdef01234567"
IDENTITY = {
    "GIT_AUTHOR_NAME": "dev",
    "GIT_AUTHOR_EMAIL": "dev@acme.example",
    "GIT_COMMITTER_NAME": "dev",
    "GIT_COMMITTER_EMAIL": "dev@acme.example",
    "GIT_CONFIG_GLOBAL": os.devnull,
}


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], env=os.environ | IDENTITY, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def action(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What GitHub would download for the action: this repository without anything generated."""
    folder = tmp_path_factory.mktemp("action")
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", "-z"], capture_output=True, check=True
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A governed repository on GitHub, with a hostile environment for Python in its files."""
    folder = tmp_path / "shop"
    subprocess.run([tool("maestro"), "init", str(folder), "--action", ACTION], check=True, capture_output=True)
    workflow = folder / ".github/workflows/maestro.yml"
    workflow.write_text(workflow.read_text() + f"        with:\n          conftest: {tool('conftest')}\n")
    for trap in ("maestro.py", "sitecustomize.py", "argparse.py", "conftest.toml"):
        (folder / trap).write_text("raise SystemExit('the checkout was imported')\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "Govern")
    return folder


def run_pull_request(shop: Path, action: Path) -> "subprocess.CompletedProcess[str]":
    """Check out the merge of the branch ``pr`` into ``main`` as GitHub does, and run the job on it."""
    base, head = git(shop, "rev-parse", "main"), git(shop, "rev-parse", "pr")
    git(shop, "switch", "-q", "--detach", "main")
    git(shop, "merge", "-q", "--no-ff", "-m", "merge", "pr")
    repository = {"full_name": "acme/shop", "default_branch": "main"}
    event = {
        "number": 1,
        "repository": repository,
        "pull_request": {
            "number": 1,
            "user": {"login": "dev"},
            "head": {"ref": "pr", "sha": head, "repo": {**repository, "fork": False}},
            "base": {"ref": "main", "sha": base, "repo": repository},
        },
    }
    (shop.parent / "event.json").write_text(json.dumps(event))
    name, commit = ACTION.split("@")
    return subprocess.run(
        [
            tool("act"),
            "pull_request",
            *("--eventpath", str(shop.parent / "event.json")),
            *("--workflows", ".github/workflows/maestro.yml"),
            *("--platform", "ubuntu-latest=-self-hosted"),
            *("--local-repository", f"{name}@{commit}={action}"),
            *("--action-cache-path", str(shop.parent / "cache")),
            "--no-cache-server",
        ],
        cwd=shop,
        env=os.environ | IDENTITY | {"PYTHONPATH": str(shop)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.mark.skipif(os.environ.get("REQUIRE_TOOLS") != "1", reason="installs from a package index: REQUIRE_TOOLS=1")
def test_a_pull_request_with_a_defect_and_its_repair(shop: Path, action: Path) -> None:
    flag = shop / "flags/hello-banner.yaml"
    git(shop, "switch", "-qc", "pr")
    flag.write_text(re.sub(r".*owner: .*\n", "", flag.read_text()).replace("hello-banner", "farewell"))
    git(shop, "commit", "-qam", "a flag without an owner")
    stopped = run_pull_request(shop, action)
    assert stopped.returncode == 1, stopped.stdout + stopped.stderr
    assert "the checkout was imported" not in stopped.stdout + stopped.stderr
    assert "Job 'maestro check' failed" in stopped.stderr
    assert re.search(r"::error file=flags/hello-banner\.yaml,.*line=\d+", stopped.stdout), stopped.stdout
    assert "mc.flags/missing_owner" in stopped.stdout

    git(shop, "switch", "-q", "pr")
    flag.write_text(flag.read_text().replace("metadata:\n", 'metadata:\n  owner: "@acme/platform"\n'))
    git(shop, "commit", "-qam", "its owner")
    passed = run_pull_request(shop, action)
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert "Job succeeded" in passed.stdout
