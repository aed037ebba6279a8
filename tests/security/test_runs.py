"""An author tries to get something from a run, or to have it run what was not allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runner.governed_runs import Runs, manifest

STOLEN = "  secrets: {STOLEN: {from: 'env:NAME'}}\n"


@pytest.mark.parametrize("name", ["MAESTRO_SIGNING_KEY", "MAESTRO_SIGNING_KEY_FILE", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"])
def test_no_command_is_handed_the_signing_key_or_the_jobs_token(tmp_path: Path, name: str) -> None:
    text = manifest("thief", "echo $STOLEN", STOLEN.replace("NAME", name))
    runs = Runs(tmp_path, files={"manifests/thief.yaml": text})
    answer = runs.run("thief", ACTIONS_ID_TOKEN_REQUEST_TOKEN="token", MAESTRO_SIGNING_KEY=runs.key.read_text())
    assert (answer.code, runs.ran) == (2, [])
    assert f"is to come from {name}, which is not for commands" in answer.err


def test_a_command_finds_nothing_of_the_jobs_environment(tmp_path: Path) -> None:
    script = f"env >> {tmp_path}/seen"
    runs = Runs(tmp_path, files={"manifests/curious.yaml": manifest("curious", script)})
    assert runs.run("curious", GITHUB_TOKEN="token-of-the-job").code == 0
    seen = (tmp_path / "seen").read_text()
    assert "token-of-the-job" not in seen
    assert "MAESTRO_SIGNING" not in seen


@pytest.mark.parametrize("run_id", ["../../x", "..", ".", "/tmp/x", "a/b", "a\0b", "-x", "", "x" * 101])
def test_no_run_id_leads_out_of_the_ledger(tmp_path: Path, run_id: str) -> None:
    runs = Runs(tmp_path)
    answer = runs.run("a", f"--resume={run_id}")
    assert (answer.code, runs.ran) == (2, [])
    assert runs.run_ids() == []


def test_a_tag_named_like_the_default_branch_makes_nothing_merged(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.repo.branch("change")
    runs.repo.commit({"manifests/a.yaml": manifest("a", f"echo stolen >> {runs.marks}")})
    runs.repo.git("tag", "main")
    assert runs.run("a", "--rev", "change").code != 0
    assert runs.ran == []
    assert runs.run("a").code == 0
    assert runs.ran == ["a"]
