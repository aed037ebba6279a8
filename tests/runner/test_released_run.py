"""Runs as parts of a release: what `receipts verify` believes, completed with success, no rehearsal."""

from __future__ import annotations

import argparse
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from maestro.world import World
from runner.commands.verify_release import judge_named
from tests.gates.governed import maestro
from tests.policy.release import auditor
from tests.runner.governed_runs import NOW, Runs, manifest

CONFIG = "release: {requires: [receipts]}\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """A run that succeeded, one that failed, one that was rehearsed, and a checkpoint after them; to be copied."""
    files = {
        "manifests/bad.yaml": manifest("bad", "exit 3"),
        "manifests/cloud.yaml": manifest("cloud", "true").replace(
            "pool: here", "pool: far\n  image: x@sha256:" + "0" * 64
        ),
    }
    runs = Runs(tmp_path_factory.mktemp("runs"), config=CONFIG, files=files)
    assert runs.run("a").code == 0
    shutil.copytree(runs.ledger, runs.repo.path / ".maestro/early")
    assert runs.run("bad").code == 10
    assert runs.run("cloud", "--rehearse").code == 0
    assert runs.receipts("checkpoint", str(runs.folder / "kept")).code == 0
    return runs


@pytest.fixture
def runs(made: Runs, tmp_path: Path) -> Runs:
    """A copy to spoil."""
    copy = object.__new__(Runs)
    copy.__dict__.update(made.__dict__)
    copy.folder = tmp_path
    shutil.copytree(made.repo.path, tmp_path / "repo")
    copy.repo = type(made.repo)(tmp_path / "repo")
    shutil.copy(made.folder / "kept", copy.repo.path / "kept")
    return copy


def ids(runs: Runs) -> dict[str, str]:
    """Manifest to run."""
    found = {}
    for run_id in runs.run_ids():
        shown = json.loads(runs.receipts("show", run_id).out)
        for said in shown["executions"].values():
            found[said["manifest"]["subject"].rpartition("/")[2]] = run_id
    return found


def verify(runs: Runs, *run_ids: str, checkpoint: str = "kept") -> tuple[int, dict[str, tuple[str, str | None, str]]]:
    text = "apiVersion: maestro-conductor/v1\nkind: Release\nname: a\nversion: '1'\n"
    (runs.repo.path / "release.yaml").write_text(
        text + json.dumps({"receipts": {"runs": run_ids, "checkpoint": checkpoint}})[1:-1] + "\n"
    )
    done = maestro(runs.repo, "verify", "release", "--format", "json", environ=runs.environ, now=NOW)
    parts = json.loads(done.out)["parts"] if done.out else []
    return done.code, {part["name"]: (part["outcome"], part["reason"], part["message"]) for part in parts}


def test_a_run_is_a_part(runs: Runs) -> None:
    run = ids(runs)["a"]
    code, found = verify(runs, run)
    assert (code, found) == (0, {run: ("holds", None, f"1 succeeded at the commit {runs.repo.head[:12]}")})


def test_a_summary_could_name_what_proves_the_run(runs: Runs) -> None:
    run = ids(runs)["a"]
    verify(runs, run)
    given = argparse.Namespace(release="release.yaml", repo=".", target=None, policy=None)
    world = World(runs.environ, runs.repo.path, io.StringIO(), io.StringIO(), lambda: NOW)
    used = {one.name: one.data for one in judge_named(given, world).judged.evidence}
    segment = f"{run}/segments/1.sigstore.json"
    assert used == {
        "kept": (runs.repo.path / "kept").read_bytes(),
        segment: (runs.ledger / "runs" / segment).read_bytes(),
    }


def test_a_run_that_did_not_succeed(runs: Runs) -> None:
    named = ids(runs)
    code, found = verify(runs, named["a"], named["bad"])
    assert code == 10
    assert found[named["a"]][0] == "holds"
    assert found[named["bad"]] == ("refused", "release/run-unsuccessful", "1 failed")


def _no_log(runs: Runs, run: str) -> None:
    shutil.rmtree(runs.ledger / "log")


def _changed_log(runs: Runs, run: str) -> None:
    next((runs.ledger / "runs" / run / "logs").iterdir()).write_text("a better story\n")


def _changed_checkpoint(runs: Runs, run: str) -> None:
    kept = runs.repo.path / "kept"
    kept.write_bytes(kept.read_bytes().replace(b"\n3\n", b"\n4\n"))


def _older(runs: Runs, run: str) -> None:
    """Consistent in itself: only the checkpoint tells."""
    shutil.rmtree(runs.ledger)
    shutil.copytree(runs.repo.path / ".maestro/early", runs.ledger)


def _gone(runs: Runs, run: str) -> None:
    shutil.rmtree(runs.ledger / "runs" / run)


def _foreign_key(runs: Runs, run: str) -> None:
    text = (runs.repo.path / "maestro.yaml").read_text()
    head, _, tail = text.partition("keys:\n")
    runs.repo.commit({"maestro.yaml": head + "release:" + tail.partition("release:")[2]}, "Believe nobody")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_no_log, "missing: "),
        (_changed_log, "changed: "),
        (_changed_checkpoint, "foreign: "),
        (_older, "truncated: "),
        (_gone, "there is no such run"),
        (_foreign_key, "foreign: "),
    ],
)
def test_what_receipts_verify_refuses_is_refused(runs: Runs, spoil: Callable[[Runs, str], None], words: str) -> None:
    run = ids(runs)["a"]
    spoil(runs, run)
    code, found = verify(runs, run)
    assert (code, found[run][:2]) == (10, ("refused", "release/run-not-believed")), found
    assert found[run][2].startswith(words), found


def test_a_receipt_of_another_run_is_not_taken_for_that_of_this_one(runs: Runs) -> None:
    """Signed by ourselves, of a success: it replaces that of a failure."""
    named = ids(runs)
    [good] = (runs.ledger / "runs" / named["a"] / "receipts").glob("*.json")
    [bad] = (runs.ledger / "runs" / named["bad"] / "receipts").glob("*.json")
    shutil.copy(good, bad)
    code, found = verify(runs, named["bad"])
    assert (code, found[named["bad"]][:2]) == (10, ("refused", "release/run-not-believed"))
    said = runs.receipts("verify", "--run", named["bad"])
    assert said.code == 10
    assert f"the receipt is about '{good.name.partition('.')[0]}' of the run '{named['a']}'" in said.out + said.err


def test_a_rehearsal_proves_nothing_about_production(runs: Runs) -> None:
    run = ids(runs)["cloud"]
    code, found = verify(runs, run)
    assert code == 10
    assert found[run] == ("refused", "release/run-rehearsed", "a rehearsal: 1 of 1 receipt")


def test_a_checkpoint_that_is_not_there_judges_nothing(runs: Runs) -> None:
    run = ids(runs)["a"]
    code, found = verify(runs, run, checkpoint="none")
    assert (code, found[run][:2]) == (10, ("refused", "release/unreadable"))
    code, found = verify(runs, run, checkpoint="maestro.yaml")
    assert code == 10


def test_an_auditor_follows_the_runs_of_the_pack(runs: Runs) -> None:
    run = ids(runs)["a"]
    assert verify(runs, run)[0] == 0
    key = str(runs.key)
    done = maestro(runs.repo, "evidence", "pack", "-o", "pack", "--key", key, environ=runs.environ, now=NOW)
    assert done.code == 0, done.out + done.err
    pack = runs.repo.path / "pack"
    lines = auditor.commands(pack)
    assert {line.split()[0] for line in lines} == auditor.TOOLS - {"opa"}
    assert auditor.failed(pack, lines) == []
    [log] = (pack / "runs" / run / "logs").iterdir()
    log.write_text("a better story\n")
    assert len(auditor.failed(pack, [line for line in lines if line.startswith("cosign")])) == 1
    [receipt] = (pack / "runs" / run / "receipts").glob("*.json")
    receipt.write_bytes(receipt.read_bytes() + b" ")
    assert auditor.failed(pack, [line for line in lines if "grep -q" in line and receipt.name in line])
