from __future__ import annotations

import datetime as dt
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from gates import governance
from gates.approvals import collect_approvals
from gates.assemble import assemble
from gates.ssh_signatures import fingerprint_of
from maestro.change import open_change
from maestro.cli import main
from maestro.findings import Failed, GateResult, Passed
from maestro.repository import Repository
from maestro.selection import SelectionOptions, select
from maestro.world import World
from tests.support.git_repo import GitRepo
from tests.support.ssh_keys import certified, key
from tests.support.terminals import Terminal
from tests.support.tools import tool

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)

SETTINGS = "apiVersion: maestro-conductor/v1\npacks:\n  - policy/packs/*\n"
PACK = """\
# METADATA
# custom:
#   mode: enforce
#   match: ["k8s/**"]
package acme.replicas

deny_replicas contains "fewer than two" if input.spec.replicas < 2
"""


def run(repo: GitRepo, *arguments: str, now: dt.datetime = NOW, typed: str | None = None) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    world = World(environ=repo.environ, cwd=repo.path, stdout=out, stderr=err, now=lambda: now)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.StringIO() if typed is None else Terminal(typed))
        code = main(["approve", "--target", "main", *arguments], world)
    return code, out.getvalue(), err.getvalue()


def judged(repo: GitRepo, now: dt.datetime = NOW) -> GateResult:
    with Repository.open(repo.path, repo.environ) as repository:
        selection = select(SelectionOptions(target="main", head="HEAD"), repo.environ, None)
        change = open_change(repository, selection)
        scene = assemble(
            change,
            now=now,
            decide=None,  # type: ignore[arg-type]
            approvals=lambda: collect_approvals(change, repo.environ, now),
            gate_ids=(),
        ).scene
        return governance.judge(scene)


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    """A governed repository with a branch that makes its pack milder."""
    repo = GitRepo.init(tmp_path / "repo")
    alice, bob = key("alice").public, key("bob").public
    signers = f"dev@acme.example,@acme/platform {alice}\nsam@acme.example {bob}\n"
    signers += f"*@acme.example cert-authority {key('authority').public}\n"
    repo.write("maestro.yaml", SETTINGS)
    repo.write("policy/packs/replicas/replicas.rego", PACK)
    repo.write("policy/allowed_signers", signers)
    repo.write("CODEOWNERS", "/policy/ @acme/platform\n")
    repo.write("k8s/web.yaml", "spec: {replicas: 3}\n")
    repo.git("add", "-A")
    repo.git("commit", "-qm", "governed")
    repo.git("switch", "-qc", "milder")
    repo.write("policy/packs/replicas/replicas.rego", PACK.replace("enforce", "warn"))
    repo.write("k8s/web.yaml", "spec: {replicas: 1}\n")
    repo.git("commit", "-qam", "milder")
    return repo


def approve(repo: GitRepo, *arguments: str, signer: str = "alice") -> str:
    code, out, err = run(repo, "--key", str(key(signer).private), "--yes", *arguments)
    assert code == 0, err
    repo.git("add", "-A")
    repo.git("commit", "-qm", "approve")
    return out.strip()


def test_approve_then_commit_lets_the_change_pass(repo: GitRepo) -> None:
    assert isinstance(judged(repo), Failed)
    path = approve(repo)
    result = judged(repo)
    assert isinstance(result, Passed)
    assert result.note == "1 governed change, approved by dev@acme.example (ssh)"
    said = json.loads((repo.path / path).read_text())
    assert said["policy_revision"] == repo.git("rev-parse", "main")
    assert said["head_tree"] == repo.git("rev-parse", "HEAD~1^{tree}")
    assert (said["signed_at"], said["expires"]) == ("2026-11-23T12:00:00Z", "2026-11-30T12:00:00Z")


def test_the_approval_lapses_with_time_with_an_edit_and_when_the_target_moves(repo: GitRepo) -> None:
    approve(repo, "--expires", "12h")
    assert isinstance(judged(repo, NOW + dt.timedelta(hours=11)), Passed)
    assert isinstance(judged(repo, NOW + dt.timedelta(hours=12)), Failed)
    repo.write("k8s/web.yaml", "spec: {replicas: 0}\n")
    repo.git("commit", "-qam", "and another thing")
    assert isinstance(judged(repo), Failed)
    repo.git("revert", "--no-edit", "HEAD")
    assert isinstance(judged(repo), Passed)
    repo.git("switch", "-q", "main")
    repo.git("commit", "-q", "--allow-empty", "-m", "the target moves on")
    repo.git("switch", "-q", "milder")
    repo.git("merge", "-q", "--no-edit", "main")
    assert isinstance(judged(repo), Failed)


def test_what_is_shown_is_what_is_signed(repo: GitRepo, snapshot: SnapshotAssertion) -> None:
    repo.environ["PATH"] = f"{Path(tool('conftest')).parent}:{repo.environ['PATH']}"
    code, out, err = run(repo, "--key", str(key("alice").private), typed="yes\n")
    assert code == 0
    assert out.startswith("approvals/")
    main = repo.git("rev-parse", "main")
    said = json.loads((repo.path / out.strip()).read_text())
    shown = err.replace(fingerprint_of(key("alice").public), "SHA256:<key>").replace(said["head_tree"], "<tree>")
    shown = shown.replace(main, "<policy revision>").replace(main[:12], "<policy rev>")
    shown = shown.replace(said["diff_digest"], "<digest>")
    assert shown == snapshot


def test_an_approval_can_be_checked_with_nothing_of_ours(repo: GitRepo, tmp_path: Path) -> None:
    path = repo.path / approve(repo)
    said = json.loads(path.read_text())
    (tmp_path / "message.sig").write_text(said.pop("signature"))
    message = json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
    command = ["ssh-keygen", "-Y", "verify", "-n", "maestro-approval", "-I", "dev@acme.example"]
    command += ["-f", str(repo.path / "policy/allowed_signers"), "-s", str(tmp_path / "message.sig")]
    assert subprocess.run(command, input=message, capture_output=True, check=False).returncode == 0
    assert subprocess.run(command, input=message + b" ", capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize("typed", ["no\n", "\n", "", "y\n"])
def test_anything_but_yes_writes_nothing(repo: GitRepo, typed: str) -> None:
    code, out, err = run(repo, "--key", str(key("alice").private), typed=typed)
    assert (code, out) == (2, "")
    assert "nothing was written" in err
    assert not (repo.path / "approvals").exists()


def test_without_a_terminal_it_wants_yes(repo: GitRepo) -> None:
    code, _, err = run(repo, "--key", str(key("alice").private))
    assert code == 2
    assert "--yes" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--key", "MALLORY"], "not in policy/allowed_signers of the target"),
        (["--key", "MALLORY"], "who may approve: dev@acme.example, @acme/platform, sam@acme.example"),
        (["--key", "missing"], "there is no such key"),
        (["--key", "BOB"], "sam@acme.example owns none of what decides in this change; its owners are @acme/platform"),
        (["--key", "BOB", "--as", "@acme/platform"], "would not believe this approval"),
        (["--key", "ALICE", "--as", "a b"], "--as wants one name"),
        (["--key", "ALICE", "--expires", "31d"], "at most 30d"),
        (["--key", "ALICE", "--expires", "soon"], "at most 30d"),
        (["--key", "ALICE", "--head", "main"], "has to be checked out here"),
        (["--key", "ALICE", "--target", "nowhere"], "nowhere"),
        ([], "no SSH key was found"),
    ],
)
def test_what_is_refused_says_why_and_writes_nothing(repo: GitRepo, arguments: list[str], words: str) -> None:
    paths = {name.upper(): str(key(name).private) for name in ("alice", "bob", "mallory")}
    code, out, err = run(repo, "--yes", *(paths.get(word, word) for word in arguments))
    assert (code, out) == (2, "")
    assert words in err
    assert not (repo.path / "approvals").exists()


def test_a_branch_behind_its_target_is_refused(repo: GitRepo) -> None:
    repo.git("switch", "-q", "main")
    repo.git("commit", "-q", "--allow-empty", "-m", "the target moves on")
    repo.git("switch", "-q", "milder")
    code, _, err = run(repo, "--key", str(key("alice").private), "--yes")
    assert code == 2
    assert "git merge" in err


def test_a_change_that_decides_nothing_needs_no_approval(repo: GitRepo) -> None:
    repo.git("switch", "-qc", "plain", "main")
    repo.write("src/main.py", "1\n")
    repo.git("add", "-A")
    repo.git("commit", "-qm", "plain")
    code, out, _ = run(repo, "--key", str(key("alice").private), "--yes")
    assert code == 0
    assert "nothing here needs an approval" in out


def test_where_nobody_may_approve_it_says_how_to_begin(tmp_path: Path) -> None:
    repo = GitRepo.init(tmp_path / "repo")
    repo.write("maestro.yaml", SETTINGS)
    repo.write("flags/none.yaml", "")
    repo.git("add", "-A")
    repo.git("commit", "-qm", "no signers")
    repo.git("switch", "-qc", "change")
    repo.write("maestro.yaml", SETTINGS + "approvals: 2\n")
    repo.git("commit", "-qam", "change")
    code, _, err = run(repo, "--yes")
    assert code == 2
    assert "policy/allowed_signers" in err
    result = judged(repo)
    assert isinstance(result, Failed)
    assert {finding.mode for finding in result.findings} == {"warn"}


def test_gits_signing_key_and_the_home_folder_are_found(repo: GitRepo) -> None:
    repo.git("config", "user.signingkey", str(key("alice").private) + ".pub")
    home = Path(repo.environ["HOME"]) / ".ssh"
    home.mkdir(parents=True)
    (home / "id_ed25519").write_bytes(key("alice").private.read_bytes())
    (home / "id_ed25519").chmod(0o600)
    (home / "id_ed25519.pub").write_text(key("alice").public)
    code, _, err = run(repo, "--yes")
    assert code == 0, err
    repo.git("config", "--unset", "user.signingkey")
    assert run(repo, "--yes")[0] == 0


def test_a_certificate_signs_for_a_pattern_with_a_name(repo: GitRepo) -> None:
    repo.git("switch", "-q", "main")
    repo.write("CODEOWNERS", "/policy/ dev@acme.example\n")
    repo.git("commit", "-qam", "one owner")
    repo.git("switch", "-q", "milder")
    repo.git("merge", "-q", "--no-edit", "main")
    certificate = certified("carol", "authority", "dev@acme.example")
    code, _, err = run(repo, "--key", str(certificate), "--yes")
    assert code == 2 and "--as NAME" in err
    code, _, err = run(repo, "--key", str(certificate), "--as", "dev@acme.example", "--yes")
    assert code == 0, err
    repo.git("add", "-A")
    repo.git("commit", "-qm", "approve")
    assert isinstance(judged(repo), Passed)


def test_a_link_in_place_of_the_folder_is_not_followed(repo: GitRepo, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (repo.path / "approvals").symlink_to(tmp_path / "elsewhere")
    code, _, err = run(repo, "--key", str(key("alice").private), "--yes")
    assert code == 2 and "symbolic link" in err
    assert list((tmp_path / "elsewhere").iterdir()) == []
