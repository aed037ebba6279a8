"""`maestro run` from the command line to the receipt, in real repositories with real processes."""

from __future__ import annotations

import argparse
import datetime as dt
import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gates.commands import run as command
from gates.merged_manifests import Merged
from maestro.errors import MaestroError
from maestro.evidence.verdict import TreeVerdict
from maestro.world import World
from tests.gates.governed import Answer, maestro
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
WARM_POOL = """\
apiVersion: maestro-conductor/v1
kind: Pool
metadata: {name: ready, owner: "@acme/platform"}
spec: {cloud: local, region: here, classes: [warm], size: 8}
"""
WARM = """\
apiVersion: maestro-conductor/v1
kind: Manifest
metadata: {{name: {name}, tenant: acme, owner: "@acme/data"}}
spec: {{pool: ready, class: warm, array: {{size: 8}}, command: {command}}}
"""


def test_a_merged_manifest_runs_and_leaves_a_receipt_that_holds(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    answer = runs.run("a", "b")
    assert answer.code == 0, answer.err
    assert runs.ran == ["a", "b", "b", "b"]
    assert "ALLOW Manifest/b × 3 on local here, class batch (pool here)" in answer.err
    assert "4 succeeded; 4 receipts" in answer.err
    assert (runs.ledger / ".gitignore").read_text() == "*\n"
    verified = runs.receipts("verify")
    assert verified.code == 0, verified.out
    assert "4 receipts of 1 run believed, 0 of them rehearsals; 0 objections" in verified.out
    assert "not proven: that no run or record is missing at the end" in verified.out


def test_a_python_program_of_the_warm_class_is_kept_ready_or_the_run_says_why_not(tmp_path: Path) -> None:
    files = {"pools/warm.yaml": WARM_POOL}
    for name, text in {"apart": "import json\n", "home": "import os, settings\n"}.items():
        (tmp_path / f"{name}.py").write_text(text)
        command = json.dumps([sys.executable, str(tmp_path / f"{name}.py")])
        files[f"manifests/{name}.yaml"] = WARM.format(name=name, command=command)
    (tmp_path / "settings.py").write_text("import os\nplace = os.path.expanduser('~')\n")
    runs = Runs(tmp_path, files=files)
    answer = runs.run("apart", "home")
    assert answer.code == 0, answer.err
    assert "ALLOW Manifest/apart × 8 on local here, class warm (pool ready)" in answer.err
    assert "16 succeeded; 16 receipts" in answer.err
    said = "was not kept ready, it was started anew each time: an import reads HOME (in settings)"
    assert [line for line in answer.err.splitlines() if "kept ready" in line] == [f"  Manifest/home {said}"]
    assert runs.receipts("verify").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], 2, "nothing to run was named"),
        (["a", "--changed"], 2, "exclude each other"),
        (["a", "--driver", "aws"], 2, "no driver for aws"),
        (["a", "--driver", "gcp"], 2, "no driver for gcp"),
        (["a", "--rev", "no-such"], 2, "no-such"),
        (["a", "--slots", "0"], 2, "--slots is a number from 1"),
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
    assert "ALLOW Manifest/far on gcp europe-west1" in runs.run("far", "--dry-run").err
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
    assert runs.run_ids() == []  # nothing that `receipts verify` would ask to be resumed for ever
    assert runs.run("s", DB_URL="x").code == 0


# The verdict


def test_an_attested_verdict_counts_for_its_tree_only(tmp_path: Path) -> None:
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


BURNS = "the region burns"


def _breakable(tmp_path: Path, config: str = "break_glass: {approvals: 2}\n", **files: str) -> Runs:
    """Manifests that policy denies, where two may let them run all the same: alice (twice, two names) and bob."""
    signers = "".join(f"{who}@acme.example {ssh_key(key).public}\n" for who, key in SIGNERS)
    given = {"pools/all.yaml": DRAINED, "policy/allowed_signers": signers, **files}
    return Runs(tmp_path, config=config, files=given)


SIGNERS = (("alice", "alice"), ("alias", "alice"), ("bob", "bob"), ("carol", "carol"))


def _approve(runs: Runs, who: str, *arguments: str, reason: str = BURNS, now: dt.datetime = NOW) -> Answer:
    key = dict(SIGNERS).get(who, who)
    words = ["--as", f"{who}@acme.example", "--key", str(ssh_key(key).private), "--yes"]
    return maestro(
        runs.repo, "approve", "--break-glass", reason, *(arguments or ("a",)), *words, environ=runs.environ, now=now
    )


def _approved(runs: Runs, who: str, *arguments: str, reason: str = BURNS, now: dt.datetime = NOW) -> str:
    answer = _approve(runs, who, *arguments, reason=reason, now=now)
    assert answer.code == 0, answer.err
    return answer.out.strip()


def _break(runs: Runs, *files: str, name: str = "a", reason: str = BURNS) -> Answer:
    approval = ["--approval", *files] if files else []
    return runs.run(name, "--break-glass", reason, *approval)


def test_glass_is_broken_where_enough_people_signed_just_that(tmp_path: Path) -> None:
    runs = _breakable(tmp_path)
    alice = _approved(runs, "alice")
    lacking = _break(runs, alice)
    assert (lacking.code, runs.ran) == (10, [])
    assert "needs the approval of 2, and 1 approved who may for manifests/a.yaml" in lacking.err
    assert "each approver runs `maestro approve --break-glass 'the region burns' a`" in lacking.err
    bob = _approved(runs, "bob")
    answer = _break(runs, alice, bob)
    assert answer.code == 0, answer.err
    assert "BREAK-GLASS in spite of DENY  Manifest/a: every pool that fits is drained" in answer.err
    assert runs.ran == ["a"]
    (run_id,) = runs.run_ids()
    (receipt,) = json.loads(runs.receipts("show", run_id).out)["executions"].values()
    assert receipt["break_glass"] == {
        "reason": BURNS,
        "approvals": [json.loads((runs.repo.path / path).read_text()) for path in (alice, bob)],
    }
    verified = runs.receipts("verify")
    assert verified.code == 10
    assert "1 by BREAK-GLASS" in verified.out
    assert "('the region burns', approved by alice@acme.example, bob@acme.example)" in verified.out
    assert runs.repo.git("status", "--porcelain") == ""


def test_glass_is_not_broken_where_maestro_yaml_does_not_allow_it(tmp_path: Path) -> None:
    runs = _breakable(tmp_path, config="")
    for answer in (_break(runs), _approve(runs, "alice")):
        assert (answer.code, runs.ran) == (10, [])
        assert "maestro.yaml does not allow --break-glass" in answer.err


def test_an_approval_is_for_one_run(tmp_path: Path) -> None:
    runs = _breakable(tmp_path, config="break_glass: {approvals: 1}\n")
    alice = _approved(runs, "alice")
    assert _break(runs, alice).code == 0
    again = _break(runs, alice)
    assert (again.code, runs.ran, len(runs.run_ids())) == (0, ["a"], 1)
    assert "it was complete already: nothing was started" in again.err
    # Nor does it complete a run that was denied before.
    denied = runs.run("a")
    assert denied.code == 10
    (other,) = (one for one in runs.run_ids() if not one.startswith("glass-"))
    resumed = runs.run("--resume", other, "--break-glass", BURNS, "--approval", alice)
    assert (resumed.code, runs.ran) == (10, ["a"])
    assert f"not {other}" in resumed.err


def _other_tip(runs: Runs, path: str) -> str:
    runs.repo.commit({"README.md": "the tip moves"})
    return path


def _other_content(runs: Runs, path: str) -> str:
    said = json.loads((runs.repo.path / path).read_text())
    runs.repo.commit({"manifests/a.yaml": manifest("a", f"echo other >> {runs.marks}")})
    forged = {**said, "policy_revision": runs.repo.head}
    (runs.repo.path / path).write_text(json.dumps(forged))
    return path


def _forged(**changes: object) -> Callable[[Runs, str], str]:
    def forge(runs: Runs, path: str) -> str:
        said = json.loads((runs.repo.path / path).read_text())
        (runs.repo.path / path).write_text(json.dumps({**said, **changes}))
        return path

    return forge


@pytest.mark.parametrize(
    ("arguments", "then", "says"),
    [
        ((("b",), {}), None, "it is for Manifest/b"),
        ((("a", "b"), {}), None, "it is for Manifest/a, Manifest/b"),
        (((), {"reason": "another region burns"}), None, "it is for another reason: 'another region burns'"),
        (((), {"now": NOW - dt.timedelta(hours=4)}), None, "it expired at 2026-11-23T12:00:00Z"),
        (((), {"now": NOW + dt.timedelta(hours=1)}), None, "which is yet to come"),
        (((), {}), _other_tip, "it is for the tip"),
        (((), {}), _other_content, "it is for another content of these manifests"),
        (((), {}), _forged(reason=BURNS + "!"), "it says more, or says it otherwise"),
        (((), {}), _forged(expires="2026-11-23T17:00:00Z"), "the signature does not hold"),
        (((), {}), _forged(expires="2026-11-25T17:00:00Z"), "it would hold longer than 24 hours"),
        (((), {}), _forged(who="carol@acme.example"), "the signature does not hold"),
        (((), {}), _forged(more="x"), "'more' is unknown"),
        (((), {}), _forged(manifests=[]), "manifests is not a list"),
        (((), {}), _forged(schema="urn:maestro-conductor:approval:v1"), "it is no approval to break the glass"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_an_approval_of_something_else_does_not_count(
    tmp_path: Path,
    arguments: tuple[tuple[str, ...], dict[str, Any]],
    then: Callable[[Runs, str], str] | None,
    says: str,
) -> None:
    runs = _breakable(tmp_path)
    names, options = arguments
    bad = _approved(runs, "alice", *names, **options)
    if then is not None:
        bad = then(runs, bad)
    answer = _break(runs, bad, _approved(runs, "bob"))
    assert (answer.code, runs.ran) == (10, []), answer.err
    assert "needs the approval of 2, and 1 approved" in answer.err
    assert f"{bad} does not count: " in answer.err
    assert says in answer.err


def test_one_key_is_one_person_whatever_its_names(tmp_path: Path) -> None:
    runs = _breakable(tmp_path)
    answer = _break(runs, _approved(runs, "alice"), _approved(runs, "alias"))
    assert (answer.code, runs.ran) == (10, [])
    assert "needs the approval of 2, and 1 approved" in answer.err


def test_owners_of_the_manifest_approve_and_nobody_else(tmp_path: Path) -> None:
    runs = _breakable(tmp_path, "break_glass: {approvals: 1}\n", CODEOWNERS="/manifests/a.yaml bob@acme.example\n")
    refused = _approve(runs, "alice")
    assert refused.code == 2
    assert "alice@acme.example owns none of these manifests; their owners are bob@acme.example" in refused.err
    both = _approve(runs, "alice", "a", "b")
    assert "not yours to approve; somebody else has to as well" in both.err
    answer = runs.run("a", "b", "--break-glass", BURNS, "--approval", both.out.strip())
    assert (answer.code, runs.ran) == (10, [])
    assert "0 approved who may for manifests/a.yaml" in answer.err
    together = runs.run(
        "a", "b", "--break-glass", BURNS, "--approval", both.out.strip(), _approved(runs, "bob", "a", "b")
    )
    assert together.code == 0, together.err
    assert runs.ran == ["a", "b", "b", "b"]


def test_neither_kind_of_approval_stands_in_for_the_other(tmp_path: Path) -> None:
    runs = _breakable(tmp_path, config="break_glass: {approvals: 1}\n")
    runs.repo.branch("change")
    runs.repo.commit({"maestro.yaml": (runs.repo.path / "maestro.yaml").read_text() + "existing: block\n"})
    words = ["--target", "main", "--as", "alice@acme.example", "--key", str(ssh_key("alice").private), "--yes"]
    change = maestro(runs.repo, "approve", *words, environ=runs.environ, now=NOW)
    assert change.code == 0, change.err
    refused = _break(runs, change.out.strip())
    assert (refused.code, runs.ran) == (10, [])
    assert "it is no approval to break the glass (schema 'urn:maestro-conductor:approval:v1')" in refused.err
    (runs.repo.path / change.out.strip()).unlink()
    glass = runs.repo.path / _approved(runs, "alice")
    runs.repo.commit({"approvals/glass.json": glass.read_text()})
    judged = maestro(runs.repo, "check", "--target", "main", "--head", "change", environ=runs.environ, now=NOW)
    assert judged.code == 10
    assert "approvals/glass.json does not count: its fields are not those of an approval" in judged.out + judged.err


def test_a_pack_that_cannot_be_loaded_is_overridden_as_well(tmp_path: Path) -> None:
    broken = {"policy/packs/placement/placement.rego": "# METADATA\n# custom: {mode: enforce}\npackage ] \n"}
    runs = _breakable(tmp_path, "break_glass: {approvals: 1}\n", **broken)
    without = runs.run("a")
    assert (without.code, runs.ran) == (1, [])
    assert "cannot judge" in without.err
    answer = _break(runs, _approved(runs, "alice"))
    assert answer.code == 0, answer.err
    assert runs.ran == ["a"]
    assert {
        one["kind"] for one in json.loads(runs.receipts("verify", "--format", "json").out)["runs"][0]["objections"]
    } == {"break-glass-open"}


def test_a_merged_waiver_closes_the_glass_for_good(tmp_path: Path) -> None:
    runs = _breakable(tmp_path, config="break_glass: {approvals: 1}\n")
    assert _break(runs, _approved(runs, "alice")).code == 0
    (run_id,) = runs.run_ids()
    command = runs.receipts("verify").out.split("closes it: `maestro ")[1].split("`")[0]
    words = command.replace("DATE", "2026-12-31").replace("TEXT", "reviewed").split()
    assert words[:3] == ["waive", "mc.run/break_glass", f"Run/{run_id}"]
    written = maestro(runs.repo, *words, environ=runs.environ, now=NOW)
    assert written.code == 0, written.err
    assert runs.receipts("verify").code == 10
    runs.repo.git("add", "-A")
    runs.repo.git("commit", "-qm", "Explain")
    assert runs.receipts("verify").code == 0
    for when in (NOW, NOW.replace(year=2027)):
        judged = maestro(runs.repo, "check", "--all", "--format", "json", environ=runs.environ, now=when)
        gates = {one["gate"]: one["findings"] for one in json.loads(judged.out)["verdicts"]}
        assert (gates["waivers"], gates["documents"]) == ([], [])


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["run", "a", "--approval", "x.json"], "--approval is for --break-glass"),
        (["run", "a", "--break-glass", BURNS, "--approval", "x.json"], "put names of manifests before it"),
        (["run", "a", "--break-glass", "two\nlines"], "one line of at most 500"),
        (["approve", "a"], "names are for --break-glass"),
        (["approve", "--break-glass", " ", "a"], "wants a reason"),
        (["approve", "--break-glass", BURNS], "what shall run in spite of policy?"),
        (["approve", "--break-glass", BURNS, "a", "--target", "main"], "neither --target nor --head"),
        (["approve", "--break-glass", BURNS, "a", "--expires", "2d"], "at most 24h"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, command: list[str], says: str) -> None:
    runs = _breakable(tmp_path)
    answer = maestro(runs.repo, *command, environ=runs.environ, now=NOW)
    assert (answer.code, runs.ran, runs.run_ids()) == (2, [], [])
    assert says in answer.err


def test_glass_that_need_not_be_broken_is_not(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    answer = runs.run("a", "--break-glass", "just in case")
    assert answer.code == 0
    assert "nothing stands in the way: the glass stays whole" in answer.err
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
    assert "30 receipts of 1 run believed" in verified.out


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 10)])
def test_an_interrupted_run_starts_nothing_more_and_can_be_completed(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    script = f"echo $MAESTRO_ARRAY_INDEX >> {tmp_path}/marks; sleep 0.3"
    runs = Runs(tmp_path, files={"manifests/many.yaml": manifest("many", script, "  array: {size: 12}\n")})
    with _process(runs, "many") as process:
        _wait_for(runs, 2)
        process.send_signal(number)
        assert process.stderr is not None
        said = process.stderr.read().decode()
    assert process.returncode == 130, said
    (run_id,) = runs.run_ids()
    assert "INCOMPLETE" in said
    assert f"`maestro run --resume {run_id}` completes it" in said
    assert runs.run("--resume", run_id).code == code  # what an interrupt cancelled stays so
    everything = {str(index) for index in range(12)}
    assert len(runs.ran) == len(set(runs.ran)), "nothing twice"
    assert set(runs.ran) == everything if code == 0 else set(runs.ran) <= everything  # ended before it left its mark
    assert "12 receipts of 1 run believed" in runs.receipts("verify").out


def test_a_ledger_that_cannot_be_written_is_told_with_the_way_on(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    (runs.repo.path / ".maestro").write_text("in the way")
    answer = runs.run("a")
    assert (answer.code, runs.ran) == (1, [])
    assert "the ledger cannot be written: Not a directory" in answer.err
    assert "maestro run --resume 20261123-120000-" in answer.err


def test_a_clock_set_back_before_the_keys_time_starts_nothing(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    answer = maestro(runs.repo, "run", "a", environ=runs.environ, now=NOW.replace(year=2019))
    assert (answer.code, runs.ran) == (2, [])
    assert "valid only from" in answer.err
