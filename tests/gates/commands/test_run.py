"""`maestro run` from the command line to the receipt, in real repositories with real processes."""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from gates.approvals import NAMESPACE, Approvable, Statement, file_name
from gates.commands import run as command
from gates.merged_manifests import Merged
from gates.ssh_signatures import sign
from maestro.errors import MaestroError
from maestro.evidence.verdict import TreeVerdict
from maestro.repository import diff_digest
from maestro.world import World
from tests.maestro.evidence import keys
from tests.runner.governed_runs import NOW, Runs, manifest
from tests.support.ssh_keys import key as ssh_key
from tests.support.tools import ROOT

DRAINED = """\
apiVersion: maestro-conductor/v1
kind: Pool
metadata: {name: here, owner: "@acme/platform"}
spec: {cloud: local, region: here, classes: [batch], size: 4, drained: true}
"""


def test_a_merged_manifest_runs_and_leaves_a_receipt_that_holds(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    answer = runs.run("a", "b")
    assert answer.code == 0, answer.err
    assert runs.ran == ["a", "b", "b", "b"]
    assert "ALLOW Manifest/b × 3 on local here, class batch (pool here)" in answer.err
    assert "4 succeeded; 4 receipts" in answer.err
    verified = runs.receipts("verify")
    assert verified.code == 0, verified.out
    assert "4 receipts of 1 runs believed, 0 of them rehearsals; 0 objection(s)" in verified.out
    assert "not proven: that no run is missing as a whole" in verified.out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], 2, "nothing to run was named"),
        (["a", "--changed"], 2, "exclude each other"),
        (["a", "--driver", "aws"], 2, "no driver for aws"),
        (["a", "--driver", "gcp"], 2, "no driver for gcp"),
        (["a", "--rev", "no-such"], 2, "no-such"),
        (["a", "--break-glass", " "], 2, "wants a reason"),
        (["--changed", "--resume", "x"], 2, "leave --changed out"),
        (["--resume", "no-such-run"], 2, "there is no run no-such-run"),
        (["--resume", "../../etc"], 2, "not a run id"),
        (["a", "--verdict", "missing"], 2, "verdict cannot be read"),
        (["nightli"], 3, "there is no manifest 'nightli'"),
        (["a", "--key", "missing.pem"], 2, "signing key cannot be read"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_makes_no_sense_starts_nothing(tmp_path: Path, arguments: list[str], code: int, says: str) -> None:
    runs = Runs(tmp_path)
    answer = runs.run(*arguments)
    assert (answer.code, runs.ran, runs.run_ids()) == (code, [], [])
    assert says in answer.err
    assert "Traceback" not in answer.err


def test_a_near_name_is_proposed(tmp_path: Path) -> None:
    files = {"manifests/nightly.yaml": manifest("nightly-report", "true")}
    assert "did you mean nightly-report?" in Runs(tmp_path, files=files).run("nightly-reprot").err


def test_a_key_nobody_listed_starts_nothing(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.key.write_bytes(keys.pem("stranger"))
    answer = runs.run("a")
    assert (answer.code, runs.ran, runs.run_ids()) == (2, [], [])
    assert "not one that maestro.yaml lists at the policy revision" in answer.err


def test_only_what_is_merged_runs(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.repo.branch("change")
    runs.repo.commit({"manifests/a.yaml": manifest("a", f"echo evil >> {runs.marks}")})
    refused = runs.run("a", "--rev", "change")
    assert refused.code == 10
    assert "is not merged" in refused.err
    runs.repo.write("manifests/a.yaml", manifest("a", f"echo worse >> {runs.marks}"))
    assert runs.run("a").code == 0
    assert runs.ran == ["a"]


def test_the_remotes_branch_says_what_is_merged(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    clone = runs.repo.clone(tmp_path / "clone")
    clone.commit({"manifests/a.yaml": manifest("a", f"echo unpushed >> {runs.marks}")})
    local, runs.repo = runs.repo, clone
    assert runs.run("a", "--rev", "main").code == 10
    assert runs.run("a").code == 0
    assert runs.ran == ["a"]
    assert local.head != clone.head


def test_a_manifest_changed_since_is_not_run_as_it_was(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    old = runs.repo.head
    runs.repo.commit({"manifests/a.yaml": manifest("a", f"echo new >> {runs.marks}"), "manifests/b.yaml": None})
    for name, what in (("a", "different at"), ("b", "gone from")):
        answer = runs.run(name, "--rev", old)
        assert answer.code == 10
        assert what in answer.err
    runs.repo.commit({"README.md": "x"})
    assert runs.run("a", "--rev", "HEAD~1").code == 0
    assert runs.ran == ["new"]


def test_policy_of_the_tip_decides_again(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    old = runs.repo.head
    runs.repo.commit({"pools/all.yaml": DRAINED})
    answer = runs.run("a", "--rev", old)
    assert answer.code == 10, answer.err
    assert "DENY  Manifest/a" in answer.err
    assert "drained" in answer.err
    assert runs.ran == []
    assert runs.receipts("verify").code == 0


def test_a_cloud_placement_runs_here_only_as_a_rehearsal(tmp_path: Path) -> None:
    files = {
        "manifests/far.yaml": manifest("far", "echo far").replace(
            "pool: here", "pool: far\n  image: x@sha256:" + "0" * 64
        )
    }
    runs = Runs(tmp_path, files=files)
    refused = runs.run("far")
    assert refused.code == 2
    assert "--rehearse" in refused.err
    answer = runs.run("far", "--rehearse")
    assert answer.code == 0, answer.err
    assert "rehearsal, not production" in answer.err
    verified = runs.receipts("verify")
    assert "1 REHEARSED, not production" in verified.out
    (run_id,) = runs.run_ids()
    (receipt,) = json.loads(runs.receipts("show", run_id).out)["executions"].values()
    assert receipt["placement"]["cloud"] == "gcp"
    assert receipt["executed_on"] == {"driver": "local", "cloud": "local"}
    assert receipt["rehearsal"] is True


def test_a_dry_run_leaves_no_trace(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.key.unlink()
    answer = runs.run("a", "--dry-run")
    assert answer.code == 0, answer.err
    assert "ALLOW Manifest/a" in answer.err
    assert runs.ran == []
    assert not runs.ledger.exists()


def test_changed_runs_what_the_merge_touched(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    before = runs.repo.head
    runs.repo.branch("change")
    both = manifest("c", f"echo c >> {runs.marks}") + "---\n" + manifest("d", f"echo d >> {runs.marks}")
    runs.repo.commit({"manifests/cd.yaml": both})
    runs.repo.checkout("main")
    runs.repo.merge("change")
    assert runs.run("--changed").code == 0
    assert runs.ran == ["c", "d"]
    runs.repo.commit({"manifests/cd.yaml": both.replace("echo d", "echo D"), "README.md": "x"})
    assert runs.run("--changed").code == 0
    assert runs.ran == ["D", "c", "d"]
    runs.repo.commit({"README.md": "y"})
    answer = runs.run("--changed")
    assert (answer.code, answer.err) == (0, "nothing to run: no manifest was touched\n")
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"before": before, "after": runs.repo.head, "ref": "refs/heads/main"}))
    pushed = runs.run("--changed", GITHUB_EVENT_NAME="push", GITHUB_EVENT_PATH=str(event), GITHUB_ACTIONS="true")
    assert pushed.code == 0, pushed.err
    assert runs.ran == ["D", "D", "c", "c", "d"]


def test_a_failure_is_told_with_its_log_and_ends_in_10(tmp_path: Path) -> None:
    runs = Runs(tmp_path, files={"manifests/bad.yaml": manifest("bad", "echo oh no; exit 3")})
    answer = runs.run("bad")
    assert answer.code == 10
    assert "FAILED Manifest/bad: exit code 3" in answer.err
    log = Path(answer.err.split("log: ")[1].splitlines()[0])
    assert log.read_text() == "oh no\n"


def test_a_missing_secret_is_told_before_anything_starts(tmp_path: Path) -> None:
    files = {"manifests/s.yaml": manifest("s", "true", "  secrets: {DB: {from: env:DB_URL}}\n")}
    runs = Runs(tmp_path, files=files)
    answer = runs.run("a", "s")
    assert (answer.code, runs.ran) == (2, [])
    assert "variable DB_URL, which is not set" in answer.err
    assert runs.run("s", DB_URL="x").code == 0


# The verdict


def test_an_attested_verdict_counts_for_its_tree_only(tmp_path: Path) -> None:
    from tests.gates.governed import maestro

    runs = Runs(tmp_path)
    arguments = ["check", "--target", "main", "--head", "main", "--all", "--attest", str(tmp_path / "verdict")]
    attested = maestro(runs.repo, *arguments, "--key", str(runs.key), environ=runs.environ, now=NOW)
    assert attested.code == 0, attested.err
    assert runs.run("a", "--verdict", str(tmp_path / "verdict")).code == 0
    assert runs.ran == ["a"]
    runs.repo.commit({"README.md": "other"})
    answer = runs.run("a", "--verdict", str(tmp_path / "verdict"))
    assert answer.code == 10
    assert "the verdict is about the tree" in answer.err
    data = bytearray((tmp_path / "verdict").read_bytes())
    data[100] ^= 1
    (tmp_path / "verdict").write_bytes(data)
    assert runs.run("a", "--verdict", str(tmp_path / "verdict")).code == 10
    assert runs.ran == ["a"]


def test_a_tree_that_the_gates_block_does_not_run(tmp_path: Path) -> None:
    runs = Runs(tmp_path, config="existing: block\n", files={"manifests/x.yaml": "apiVersion: nonsense\n"})
    answer = runs.run("a")
    assert (answer.code, runs.ran) == (10, [])
    assert "the verdict for this tree blocks (documents" in answer.err


def _execute(runs: Runs, made: TreeVerdict | MaestroError, *words: str) -> tuple[int | str, str]:
    """``run`` with a verdict handed in: the exit code or the error's words."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    err = io.StringIO()
    environ = {**runs.repo.environ, **runs.environ}
    world = World(environ=environ, cwd=runs.repo.path, stdout=io.StringIO(), stderr=err, now=lambda: NOW)

    def verdict_for(_arguments: object, _world: object, _repository: object, merged: Merged) -> TreeVerdict:
        if isinstance(made, MaestroError):
            raise made
        return replace(made, tree=merged.source.tree_id()) if made.tree == "this" else made

    try:
        return command.execute(parser.parse_args(list(words)), world, verdict_for=verdict_for), err.getvalue()
    except MaestroError as error:
        return error.exit_code, str(error)


def _verdict(runs: Runs, **changes: object) -> TreeVerdict:
    made = TreeVerdict("this", True, runs.repo.head, NOW, "0.1.0", None, {"blocking": 0}, {"flags": "passed"})
    return replace(made, **changes)  # type: ignore[arg-type]


def test_a_handed_in_verdict_is_held_to_the_same(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    assert _execute(runs, _verdict(runs, tree="0" * 40), "a")[0] == 10
    assert _execute(runs, _verdict(runs, policy_revision="0" * 40), "a")[0] == 10
    assert _execute(runs, _verdict(runs, allowed=False, gates={"flags": "failed"}), "a")[0] == 10
    assert runs.ran == []
    assert _execute(runs, _verdict(runs), "a")[0] == 0
    assert runs.ran == ["a"]


# Breaking the glass


def test_glass_is_broken_only_where_that_is_allowed_and_approved(tmp_path: Path) -> None:
    runs = Runs(tmp_path, files={"pools/all.yaml": DRAINED})
    refused = runs.run("a", "--break-glass", "the region burns")
    assert refused.code == 10
    assert "maestro.yaml does not allow --break-glass" in refused.err
    config = (runs.repo.path / "maestro.yaml").read_text()
    signers = "".join(f"{who}@acme.example {ssh_key(who).public}\n" for who in ("alice", "bob"))
    runs.repo.commit({"maestro.yaml": config + "break_glass: {approvals: 2}\n", "policy/allowed_signers": signers})
    tree = runs.repo.git("rev-parse", "HEAD^{tree}")
    for number, who in enumerate(("alice", "bob")):
        lacking = runs.run("a", "--break-glass", "the region burns")
        assert (lacking.code, runs.ran) == (10, [])
        assert f"needs the approval of 2, and {number} approved" in lacking.err
        subject = Approvable(runs.repo.head, tree, diff_digest(()))
        said = Statement(f"{who}@acme.example", subject, NOW, NOW.replace(day=24))
        environ = {"PATH": os.environ["PATH"]}
        signature = sign(said.message(), ssh_key(who).private, namespace=NAMESPACE, environ=environ)
        runs.repo.write(file_name(said), json.dumps({**said.fields(), "signature": signature}))
    answer = runs.run("a", "--break-glass", "the region burns")
    assert answer.code == 0, answer.err
    assert runs.ran == ["a"]
    verified = runs.receipts("verify")
    assert verified.code == 10
    assert "1 by BREAK-GLASS" in verified.out
    (run_id,) = runs.run_ids()
    (receipt,) = json.loads(runs.receipts("show", run_id).out)["executions"].values()
    assert receipt["break_glass"] == {
        "reason": "the region burns",
        "approvals": ["alice@acme.example", "bob@acme.example"],
    }
    closing = (
        "apiVersion: maestro-conductor/v1\nkind: Waiver\nmetadata: {name: burnt}\n"
        f"spec: {{rule: mc.run/break_glass, subject: Run/{run_id}, until: 2026-12-31, reason: reviewed}}\n"
    )
    runs.repo.git("clean", "-fdq", "approvals")
    runs.repo.commit({"waivers/burnt.yaml": closing})
    closed = runs.receipts("verify")
    assert closed.code == 0, closed.out


def test_glass_that_need_not_be_broken_is_not(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    assert runs.run("a", "--break-glass", "just in case").code == 0
    assert "BREAK-GLASS" not in runs.receipts("verify").out


# Again, and after being cut short


def test_a_workflow_run_again_resumes(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    for _ in range(2):
        assert runs.run("b", GITHUB_RUN_ID="4711", GITHUB_RUN_ATTEMPT="2").code == 0
    assert runs.ran == ["b", "b", "b"]
    assert runs.run("a", GITHUB_RUN_ID="4711").code == 0
    assert [run_id.split("-")[0] for run_id in runs.run_ids()] == ["4711", "4711"]
    assert runs.receipts("verify").code == 0


def _process(runs: Runs, *arguments: str) -> subprocess.Popen[bytes]:
    code = "import sys; from maestro.cli import main; sys.exit(main())"
    environ = {**runs.repo.environ, **runs.environ, "PYTHONPATH": str(ROOT), "MAESTRO_SIGNING_KEY_FILE": str(runs.key)}
    argv = [sys.executable, "-P", "-c", code, "run", *arguments]
    return subprocess.Popen(argv, cwd=runs.repo.path, env=environ, stderr=subprocess.PIPE)


def _wait_for(runs: Runs, count: int) -> None:
    until = time.monotonic() + 30
    while len(runs.ran) < count:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_killed_run_is_resumed_without_running_anything_twice(tmp_path: Path) -> None:
    script = f"echo $MAESTRO_ARRAY_INDEX >> {tmp_path}/marks; sleep 0.05"
    runs = Runs(tmp_path, files={"manifests/many.yaml": manifest("many", script, "  array: {size: 30}\n")})
    with _process(runs, "many") as process:
        _wait_for(runs, 4)
        process.kill()
    (run_id,) = runs.run_ids()
    assert "unclosed" in runs.receipts("verify").out
    runs.repo.commit({"README.md": "the tip has moved on"})
    answer = runs.run("--resume", run_id)
    assert answer.code == 0, answer.err
    assert runs.ran == sorted(str(index) for index in range(30))
    verified = runs.receipts("verify")
    assert verified.code == 0, verified.out
    assert "30 receipts of 1 runs believed" in verified.out


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_run_ends_what_runs_and_can_be_completed(tmp_path: Path, number: signal.Signals) -> None:
    script = f"echo $MAESTRO_ARRAY_INDEX >> {tmp_path}/marks; sleep 0.3"
    runs = Runs(tmp_path, files={"manifests/many.yaml": manifest("many", script, "  array: {size: 12}\n")})
    with _process(runs, "many") as process:
        _wait_for(runs, 2)
        process.send_signal(number)
        assert process.stderr is not None
        said = process.stderr.read().decode()
    assert process.returncode == 130, said
    (run_id,) = runs.run_ids()
    assert f"INCOMPLETE, 10 not run: --resume {run_id}" in said
    assert runs.run("--resume", run_id).code == 10  # two were cancelled and stay so
    assert runs.ran == sorted(str(index) for index in range(12))


def test_a_ledger_that_cannot_be_written_is_told_with_the_way_on(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    (runs.repo.path / ".maestro").write_text("in the way")
    answer = runs.run("a")
    assert (answer.code, runs.ran) == (1, [])
    assert "the ledger cannot be written: Not a directory" in answer.err
    assert "maestro run --resume 20261123-120000-" in answer.err


def test_a_clock_set_back_before_the_keys_time_starts_nothing(tmp_path: Path) -> None:
    from tests.gates.governed import maestro

    runs = Runs(tmp_path)
    answer = maestro(runs.repo, "run", "a", environ=runs.environ, now=NOW.replace(year=2019))
    assert (answer.code, runs.ran) == (2, [])
    assert "valid only from" in answer.err
