"""`maestro policy audit`: a whole ledger, and what is said of it after each thing somebody could do to it."""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from maestro.evidence import bundle
from maestro.evidence.dsse import Envelope, pre_authentication_encoding
from maestro.evidence.signer import sign_statement
from maestro.evidence.statement import Statement, Subject
from maestro.evidence.trust import trust_of
from policy.merge_record import MergeRecord, name_of, read, sign
from runner.audit.finding import KINDS
from tests.gates.commands.test_run import _approved, _break, _breakable
from tests.gates.governed import maestro
from tests.maestro.evidence import keys
from tests.runner.governed_ledger import Ledger, full_ledger
from tests.runner.governed_runs import NOW, Runs, manifest
from tests.support.tools import ROOT

SUFFIX = ".sigstore.json"


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """Nobody writes into it: each test works on a copy."""
    return full_ledger(tmp_path_factory.mktemp("full"))


@pytest.fixture
def store(full: Ledger, tmp_path: Path) -> Path:
    """A copy of the ledger."""
    return Path(shutil.copytree(full.ledger, tmp_path / "store"))


def files(store: Path, pattern: str) -> list[Path]:
    """The files of one kind, sorted."""
    return sorted(path for path in store.glob(pattern) if path.is_file())


KIND_OF_FILE = {
    "verdict": "records/*/*.json",
    "session": "runs/*/sessions/*.json",
    "receipt": "runs/*/receipts/*.json",
    "segment": "runs/*/segments/*.json",
    "input": "inputs/*.json",
}


def record_of(store: Path, *, allowed: bool) -> Path:
    """The first record of a merge that was allowed, or was not."""
    trust = trust_of([keys.row()])
    for path in files(store, KIND_OF_FILE["verdict"]):
        if read(path.read_bytes(), trust, name=path.relative_to(store).as_posix()).allowed is allowed:
            return path
    raise AssertionError("there is no such record")


LOGGED = {"record-removed", "record-altered", "record-unlogged"}
"""What the log objects to about what it lists, or does not."""


def without_log(store: Path) -> Path:
    """As a ledger was before its records were entered into a log: then git alone says what must be there."""
    shutil.rmtree(store / "log")
    return store


def scrubbed(text: str) -> str:
    """Ids that differ from run to run replaced."""
    text = re.sub(r"maestro-ledger-[0-9a-f]{16}", "LOG", text)
    text = re.sub(r"root \S{43}=", "root ROOT", text)
    text = re.sub(r"\d{8}-\d{6}-[0-9a-f]{8}", "RUN", text)
    return re.sub(r"\b[0-9a-f]{12}-[0-9a-f]{12}\b|\b[0-9a-f]{40}\b|\b[0-9a-f]{12}\b", "HEX", text)


# A ledger that nobody touched


def test_a_ledger_that_nobody_touched_holds(full: Ledger) -> None:
    said = full.found()
    assert said["findings"] == []
    assert said["merges"]["all"] == 3
    assert said["merges"]["with_a_verdict"] == 2
    assert len(said["merges"]["answered_for"]) == 1
    assert (said["records"], said["runs"], said["executions"], said["rehearsals"]) == (3, 1, 4, 0)
    assert said["decisions"] == {"merge": 4, "execution": 2}
    assert said["inputs"]["gone"] == said["inputs"]["altered"] == 0
    assert said["complete"]["proven"] is False


def test_what_people_see(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    ledger = Ledger(tmp_path)
    ledger.merge({"manifests/c.yaml": manifest("c", "true")})
    ledger.merge({"manifests/d.yaml": manifest("d", "true").replace("@acme/data", "@acme/nobody")})
    ledger.merge({"manifests/e.yaml": manifest("e", "true")}, record=False)
    assert ledger.run("c").code == 0
    assert scrubbed(ledger.audit().out) == snapshot


def test_an_empty_ledger_accounts_for_nothing(full: Ledger, tmp_path: Path) -> None:
    said = full.found(store=tmp_path / "nothing")
    # The unchecked merge was answered for in a reviewed change; that stands in git, not in the ledger.
    assert [one["rule"] for one in said["findings"]] == ["record-missing"] * 2


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--since", "no-such"], 2, "there is no revision 'no-such'"),
        (["--since", "2026-02-30"], 2, "there is no such day"),
        (["--repo", "nowhere"], 2, "there is no folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_makes_no_sense_is_said(full: Ledger, arguments: list[str], code: int, says: str) -> None:
    answer = full.audit(*arguments)
    assert answer.code == code
    assert says in answer.err
    assert answer.out == ""


def test_since_says_from_when_on_merges_have_records(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    late = ledger.merge({"manifests/c.yaml": manifest("c", "true")}, record=False)
    ledger.merge({"manifests/e.yaml": manifest("e", "true")})
    assert ledger.kinds() == {"record-missing"}
    assert ledger.kinds("--since", late) == set()
    assert ledger.kinds("--since", "2026-01-01") == {"record-missing"}
    assert ledger.found("--since", "2027-01-01")["merges"]["all"] == 0


def test_a_commit_that_claims_to_be_old_is_not_passed_over(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.merge({"manifests/c.yaml": manifest("c", "true")})
    ledger.repo._minutes = -1_000_000  # its committer says 2024
    ledger.merge({"manifests/e.yaml": manifest("e", "true")}, record=False)
    assert ledger.kinds("--since", "2026-01-01") == {"record-missing"}


def test_a_shallow_clone_is_refused(full: Ledger, tmp_path: Path) -> None:
    clone = full.repo.clone(tmp_path / "clone", "--depth=1")
    answer = maestro(clone, "policy", "audit", environ=full.environ)
    assert (answer.code, "fetch-depth: 0" in answer.err) == (2, True)


# What somebody does to it


def resigned(path: Path, store: Path, key: str = "release", **changes: object) -> Path:
    """The record changed and signed again; it lies where it belongs then."""
    record = read(path.read_bytes(), trust_of([keys.row()]), name=path.relative_to(store).as_posix())
    path.unlink()
    (made,) = sign(replace(record, **changes), keys.signer(key))  # type: ignore[arg-type]
    target = store / made.name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(made.data)
    return target


def flip(path: Path) -> None:
    """One character of what was signed."""
    value = json.loads(path.read_bytes())
    payload = value["dsseEnvelope"]["payload"]
    value["dsseEnvelope"]["payload"] = payload[:40] + ("A" if payload[40] != "A" else "B") + payload[41:]
    path.write_text(json.dumps(value))


def foreign(path: Path) -> None:
    """The same words, signed by a stranger."""
    payload = bundle.parse(path.read_bytes()).payload
    signer = keys.signer("stranger")
    kind = "application/vnd.in-toto+json"
    signature = signer.sign(pre_authentication_encoding(kind, payload))
    path.write_bytes(bundle.to_bytes(Envelope(kind, payload, signature, signer.key_id)))


def of_a_later_version(path: Path, store: Path, *, more: bool) -> None:
    """A record with something that this version does not know, or of a type that it does not know; well signed."""
    said = json.loads(bundle.parse(path.read_bytes()).payload)
    predicate = {**said["predicate"], "tool": {"name": "maestro-conductor", "version": "9.0.0"}}
    if more:
        predicate["quorum"] = 3
    kind = said["predicateType"] if more else said["predicateType"].replace(":v1", ":v2")
    subjects = tuple(Subject(one["name"], one["digest"]) for one in said["subject"])
    path.write_bytes(sign_statement(Statement(subjects, kind, predicate), keys.signer()))


def swap(one: Path, other: Path) -> None:
    data = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(data)


def copied(path: Path, name: str) -> None:
    (path.parent / name).write_bytes(path.read_bytes())


Deed = Callable[[Path], object]
ANY = {"record-not-believed"}


def each(kind: str, act: Callable[[Path], object]) -> Deed:
    """Done to the first file of a kind."""
    return lambda store: act(files(store, KIND_OF_FILE[kind])[0])


def to_record(act: Callable[[Path, Path], object], *, allowed: bool = True) -> Deed:
    """Done to the first record that is so."""
    return lambda store: act(record_of(store, allowed=allowed), store)


def another_day(path: Path, store: Path) -> None:
    (store / "records/2026-01-01").mkdir()
    path.rename(store / "records/2026-01-01" / path.name)


def second(path: Path) -> Path:
    return sorted(path.parent.glob("*.json"))[1]


DEEDS: dict[str, tuple[Deed, set[str]]] = {
    # the record of a merge
    "verdict-removed": (to_record(lambda path, _: path.unlink()), {"record-missing"}),
    "verdict-emptied": (to_record(lambda path, _: path.write_bytes(b"")), ANY | {"record-missing"}),
    "verdict-truncated": (
        to_record(lambda path, _: path.write_bytes(path.read_bytes()[:-200])),
        ANY | {"record-missing"},
    ),
    "verdict-changed": (to_record(lambda path, _: flip(path)), ANY | {"record-missing"}),
    "verdict-forged": (to_record(lambda path, _: foreign(path)), ANY | {"record-missing"}),
    "verdict-renamed": (
        to_record(lambda path, _: path.rename(path.with_name("0" * 12 + "-" + "0" * 12 + SUFFIX))),
        ANY | {"record-missing"},
    ),
    "verdict-moved-to-another-day": (to_record(another_day), ANY | {"record-missing"}),
    "verdict-twice": (to_record(lambda path, _: copied(path, "f" * 12 + "-" + "0" * 12 + SUFFIX)), ANY),
    "verdicts-swapped": (
        to_record(lambda path, store: swap(path, record_of(store, allowed=False))),
        ANY | {"record-missing"},
    ),
    "verdict-of-a-later-version": (
        to_record(lambda path, store: of_a_later_version(path, store, more=True)),
        ANY | {"record-missing"},
    ),
    "verdict-of-an-unknown-type": (
        to_record(lambda path, store: of_a_later_version(path, store, more=False)),
        ANY | {"record-missing"},
    ),
    "verdict-replayed-for-another-commit": (
        to_record(lambda path, store: resigned(path, store, commit="a" * 40)),
        {"record-contradicts-git", "record-missing"},
    ),
    "verdict-of-another-tree": (
        to_record(lambda path, store: resigned(path, store, tree="a" * 40)),
        {"record-contradicts-git", "record-missing"},
    ),
    "verdict-by-another-policy": (
        to_record(lambda path, store: resigned(path, store, policy_revision="a" * 40)),
        {"pack-not-on-default-branch", "record-missing"},
    ),
    "records-emptied": (lambda store: shutil.rmtree(store / "records"), {"record-missing"}),
    # the record of a merge that went round the check
    "unchecked-removed": (to_record(lambda path, _: path.unlink(), allowed=False), set()),  # answered for in git
    "unchecked-changed": (to_record(lambda path, _: flip(path), allowed=False), ANY),
    "unchecked-whitewashed": (
        to_record(lambda path, store: resigned(path, store, key="stranger", allowed=True), allowed=False),
        ANY,
    ),
    # sessions, receipts, segments
    "session-removed": (each("session", Path.unlink), {"execution-without-decision", "run-altered"}),
    "session-changed": (each("session", flip), ANY | {"execution-without-decision", "run-altered"}),
    "session-forged": (each("session", foreign), ANY | {"execution-without-decision", "run-altered"}),
    "session-twice": (each("session", lambda path: copied(path, "2" + SUFFIX)), ANY),
    "session-renumbered": (
        each("session", lambda path: path.rename(path.with_name("7" + SUFFIX))),
        ANY | {"execution-without-decision", "run-altered"},
    ),
    "receipt-removed": (each("receipt", Path.unlink), {"run-altered"}),
    "receipt-changed": (each("receipt", flip), ANY | {"run-altered"}),
    "receipt-forged": (each("receipt", foreign), ANY | {"run-altered"}),
    "receipt-truncated": (
        each("receipt", lambda path: path.write_bytes(path.read_bytes()[:99])),
        ANY | {"run-altered"},
    ),
    "receipts-swapped": (each("receipt", lambda path: swap(path, second(path))), ANY | {"run-altered"}),
    "receipt-twice": (each("receipt", lambda path: copied(path, "0" * 32 + SUFFIX)), ANY | {"run-altered"}),
    "receipt-is-a-folder": (
        each("receipt", lambda path: (path.parent / ("0" * 32 + SUFFIX)).mkdir()),
        {"run-altered", "run-unreadable", "record-not-believed"},
    ),
    "segment-removed": (each("segment", Path.unlink), {"run-unclosed"}),
    "segment-changed": (each("segment", flip), ANY | {"run-unclosed"}),
    "segment-forged": (each("segment", foreign), ANY | {"run-unclosed"}),
    "segment-twice": (each("segment", lambda path: copied(path, "2" + SUFFIX)), ANY | {"run-unclosed"}),
    "run-copied": (
        lambda store: shutil.copytree(next((store / "runs").iterdir()), store / "runs/another"),
        ANY | {"run-unclosed"},
    ),
    # inputs
    "input-changed": (each("input", lambda path: path.write_bytes(path.read_bytes() + b" ")), {"input-altered"}),
    "input-renamed": (each("input", lambda path: path.rename(path.with_name("0" * 64 + ".json"))), {"input-altered"}),
    "inputs-swapped": (each("input", lambda path: swap(path, second(path))), {"input-altered"}),
    "input-added": (lambda store: (store / "inputs/more.json").write_text("{}"), {"input-altered"}),
    "input-erased": (each("input", Path.unlink), set()),
    "inputs-all-erased": (lambda store: shutil.rmtree(store / "inputs"), set()),
}


@pytest.mark.parametrize("name", DEEDS)
def test_what_is_done_to_a_ledger_is_found(full: Ledger, store: Path, name: str) -> None:
    deed, expected = DEEDS[name]
    deed(store)
    found = full.kinds(store=store)
    entered = name.startswith(("verdict", "records", "unchecked", "segment")) and not name.endswith("-twice")
    assert bool(found & LOGGED) == entered, "what was entered into the log cannot be touched unseen, and nothing else"
    for one in (found - LOGGED, full.kinds(store=without_log(store))):
        if "run-unreadable" in expected:
            assert one
            assert one <= expected
        else:
            assert one == expected


def test_a_run_that_is_removed_whole_leaves_no_trace_without_a_log_and_that_is_said(full: Ledger, store: Path) -> None:
    shutil.rmtree(without_log(store) / "runs")
    said = full.found(store=store)
    assert (said["holds"], said["executions"]) == (True, 0)
    assert said["complete"] == {"proven": False, "said": said["complete"]["said"]}
    assert "leaves no trace" in said["complete"]["said"]


def test_an_unchecked_merge_that_nobody_answers_for_is_found_with_and_without_its_record(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.merge({"manifests/d.yaml": manifest("d", "true").replace("@acme/data", "@acme/nobody")})
    assert ledger.kinds() == {"unchecked-merge"}
    shutil.rmtree(ledger.ledger)
    assert ledger.kinds() == {"record-missing"}


def test_a_verdict_that_somebody_with_the_key_whitewashes_needs_a_log_to_be_seen(full: Ledger, store: Path) -> None:
    """Whoever has the key can sign anything: said openly, in docs/threat-model.md too."""
    resigned(record_of(store, allowed=False), store, allowed=True)
    assert full.kinds(store=store) == {"record-removed", "record-unlogged"}
    assert full.kinds(store=without_log(store)) == set()


def test_decisions_are_held_against_the_packs_in_git(full: Ledger, store: Path) -> None:
    without_log(store)
    for changes in ({"pack_digest": "sha256:" + "0" * 64}, {"pack": "mc.elsewhere"}):
        path = record_of(store, allowed=True)
        record = read(path.read_bytes(), trust_of([keys.row()]), name=path.relative_to(store).as_posix())
        decisions = tuple(replace(one, **changes) for one in record.decisions)  # type: ignore[arg-type]
        again = resigned(path, store, decisions=decisions)
        assert full.kinds(store=store) == {"decision-without-pack"}
        again.unlink()
        (made,) = sign(record, keys.signer())
        (store / made.name).write_bytes(made.data)


def test_a_record_in_parts_needs_all_of_them(full: Ledger, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("policy.merge_record._PART_BYTES", 10)
    without_log(store)
    trust = trust_of([keys.row()])
    paths = [(path, path.relative_to(store).as_posix()) for path in files(store, KIND_OF_FILE["verdict"])]
    path, record = max(
        ((path, read(path.read_bytes(), trust, name=name)) for path, name in paths),
        key=lambda one: len(one[1].decisions),
    )
    parts = sign(record, keys.signer())
    assert len(parts) == len(record.decisions) > 1
    path.unlink()
    for part in parts:
        (store / part.name).write_bytes(part.data)
    assert full.kinds(store=store) == set()
    (store / parts[-1].name).unlink()
    assert full.kinds(store=store) == {"record-incomplete", "record-missing"}


def test_a_gate_that_could_not_judge_is_settled_by_judging_again(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.repo.commit({"manifests/c.yaml": manifest("c", "true")})
    without = {**ledger.environ, "PATH": "/usr/bin:/bin"}
    answer = maestro(
        ledger.repo,
        "check",
        "--record",
        "--engine",
        "conftest",
        "--target",
        "HEAD~1",
        "--head",
        "HEAD",
        environ=without,
    )
    assert answer.code == 1
    assert "UNCHECKED MERGE" in answer.err
    assert ledger.kinds() == {"unchecked-merge"}
    assert ledger.record("HEAD~1", "HEAD").code == 0
    assert ledger.kinds() == set()


def test_findings_that_blocked_are_not_settled_by_judging_again(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.merge({"manifests/d.yaml": manifest("d", "true").replace("@acme/data", "@acme/nobody")})
    resigned_copy = tmp_path / "copy"
    shutil.copytree(ledger.ledger, resigned_copy)
    path = record_of(resigned_copy, allowed=False)
    again = resigned(path, resigned_copy, allowed=True, made_at=NOW + dt.timedelta(hours=1))
    shutil.copy(again, ledger.ledger / again.relative_to(resigned_copy))
    assert ledger.kinds() == {"unchecked-merge", "record-unlogged"}


def test_a_branch_that_was_rewritten_no_longer_bears_its_records_out(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.merge({"manifests/c.yaml": manifest("c", "true")})
    ledger.repo.git("commit", "-q", "--amend", "-m", "Another story")
    assert ledger.kinds() == {"record-contradicts-git", "record-missing"}


def test_what_ran_from_elsewhere_is_found(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.merge({"manifests/a.yaml": manifest("a", "echo other")})
    assert ledger.run("a").code == 0
    ledger.repo.git("reset", "-q", "--hard", "HEAD~1")
    assert ledger.kinds() == {"execution-not-merged", "pack-not-on-default-branch", "record-contradicts-git"}


def test_broken_glass_is_listed_and_no_finding(tmp_path: Path) -> None:
    runs = _breakable(tmp_path, config="break_glass: {approvals: 1}\n")
    assert _break(runs, _approved(runs, "alice")).code == 0
    answer = maestro(runs.repo, "policy", "audit", environ=runs.environ)
    assert answer.code == 0, answer.out
    assert "1 execution, 'the region burns'; open" in answer.out
    (run_id,) = runs.run_ids()
    runs.repo.commit({"waivers/glass.yaml": WAIVER.format(run=run_id)})
    answer = maestro(runs.repo, "policy", "audit", environ=runs.environ, cwd=runs.repo.path)
    assert "'the region burns'; answered for" in answer.out


WAIVER = """\
apiVersion: maestro-conductor/v1
kind: Waiver
metadata: {{name: glass}}
spec: {{rule: mc.run/break_glass, subject: Run/{run}, until: 2026-12-31, reason: it burned}}
"""


def test_rehearsals_are_listed(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    assert runs.run("a", "--rehearse").code == 0
    answer = maestro(runs.repo, "policy", "audit", environ=runs.environ)
    assert "1 in 1 run, 1 of them rehearsals" in answer.out


def test_a_key_that_was_revoked_takes_its_records_along(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.merge({"manifests/c.yaml": manifest("c", "true")})
    config = (ledger.repo.path / "maestro.yaml").read_text()
    lines = config.rstrip("\n") + "\n    revoked_at: 2026-11-24\n"
    ledger.merge({"maestro.yaml": lines}, record=False)
    assert ledger.kinds() == {"record-not-believed", "record-missing", "log-not-believed"}


def test_the_past_is_read_whatever_version_it_was_written_for(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.merge({"manifests/c.yaml": manifest("c", "true")})
    config = (ledger.repo.path / "maestro.yaml").read_text()
    ledger.repo.commit({"maestro.yaml": config + 'requires: "<0.0.1"\n'})
    old = ledger.repo.head
    ledger.repo.commit({"maestro.yaml": config})
    path = record_of(ledger.ledger, allowed=True)
    record = read(path.read_bytes(), trust_of([keys.row()]), name=path.relative_to(ledger.ledger).as_posix())
    tip = ledger.repo.head
    tree = ledger.repo.git("rev-parse", f"{tip}^{{tree}}")
    decisions = tuple(replace(one, policy_revision=old) for one in record.decisions)
    later = replace(record, commit=tip, tree=tree, policy_revision=old, decisions=decisions)
    (made,) = sign(later, keys.signer())
    (ledger.ledger / made.name).write_bytes(made.data)
    assert "decision-without-pack" not in ledger.kinds()


# Several answers to one question


def drained(pool: str = "true") -> dict[str, str | bytes | None]:
    """The pools, the local one drained."""
    from tests.runner.governed_runs import POOLS

    return {"pools/all.yaml": POOLS.replace("size: 4}\n---", f"size: 4, drained: {pool}}}\n---")}


def test_check_and_execution_disagree_and_the_audit_says_in_what(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.merge({"manifests/c.yaml": manifest("c", "true")})
    ledger.repo.commit(drained())  # nobody records this one: the execution meets another pool
    earlier = NOW - dt.timedelta(days=3)  # and the clock was set back meanwhile
    assert maestro(ledger.repo, "run", "c", environ=ledger.environ, now=earlier).code == 10
    said = ledger.found()["disagreements"]
    assert said["compared"] == [{"pack": "mc.placement", "earlier": "merge", "later": "execution", "count": 1}]
    assert said["rate"] == 1.0
    assert said["counts"] == [
        {"pack": "mc.placement", "earlier": "merge", "later": "execution", "cause": "input", "count": 1}
    ]
    (one,) = said["found"]
    assert (one["subject"], one["causes"], one["clock_stepped_back"]) == ("Manifest/c", ["input"], True)
    assert (one["earlier"]["allow"], one["later"]["allow"]) == (True, False)
    shutil.rmtree(ledger.ledger / "inputs")
    (one,) = ledger.found()["disagreements"]["found"]
    assert one["causes"] == ["input-erased"]
    text = ledger.audit().out
    assert "disagreements  1 of 1 comparison (100.0%)" in text
    assert "the clock was set back between them" in text


def attested(ledger: Ledger, name: str, before: str, after: str, **environ: str) -> str:
    """The verdict that a pull request's job attested, in a file beside the repository."""
    words = ("check", "--attest", f"../{name}", "--quiet", "--target", before, "--head", after)
    maestro(ledger.repo, *words, environ={**ledger.environ, **environ})
    return str(ledger.folder / name)


def test_the_verdict_of_a_pull_request_is_compared_with_the_merge_and_the_execution(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.merge({"manifests/c.yaml": manifest("c", "true")})
    assert ledger.run("c").code == 0
    good = attested(ledger, "good", "HEAD~1", "HEAD")
    blind = attested(ledger, "blind", "HEAD~1", "HEAD", PATH="/usr/bin:/bin")  # it had no engine, and so no answer
    said = ledger.found("--verdict", good)["verdicts"]
    assert said["compared"] == [
        {"earlier": "check", "later": "execution", "count": 1},
        {"earlier": "check", "later": "merge", "count": 1},
        {"earlier": "merge", "later": "execution", "count": 1},
    ]
    assert said["found"] == []
    if json.loads(bundle.parse(Path(blind).read_bytes()).payload)["predicate"]["allowed"] is False:
        said = ledger.found("--verdict", good, blind)["verdicts"]
        assert {(one["earlier"]["allowed"], one["later"]["allowed"]) for one in said["found"]} == {(False, True)}
        assert "2 of 5 comparisons disagree (40.0%)" in ledger.audit("--verdict", good, blind).out
    ledger.repo.commit({"manifests/x.yaml": manifest("x", "true")})
    never = attested(ledger, "never", "HEAD~1", "HEAD")
    ledger.repo.git("reset", "-q", "--hard", "HEAD~1")
    assert ledger.found("--verdict", never)["verdicts"]["unmatched"] == 1
    assert "1 tree never merged" in ledger.audit("--verdict", never).out


def test_only_a_verdict_that_is_believed_is_compared(full: Ledger, tmp_path: Path) -> None:
    (tmp_path / "forged").write_text("{}")
    for name, code, says in (("forged", 10, "the verdict is not believed"), ("gone", 2, "the verdict cannot be read")):
        answer = full.audit("--verdict", str(tmp_path / name))
        assert (answer.code, says in answer.err, answer.out) == (code, True, ""), answer.err


def test_metrics_count_decisions_and_disagreements(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.merge({"manifests/c.yaml": manifest("c", "true")})
    ledger.repo.commit(drained())
    assert ledger.run("c").code == 10
    file = tmp_path / "audit.prom"
    ledger.audit("--metrics", str(file), "--verdict", attested(ledger, "good", "HEAD~2", "HEAD~1"))
    lines = file.read_text().splitlines()
    assert 'mc_policy_disagreements_total{pack="mc.placement"} 1.0' in lines
    assert 'mc_policy_disagreements_total{pack="(verdict)"} 0.0' in lines
    assert 'mc_policy_decisions_total{mode="enforce",outcome="allow",pack="mc.placement"} 1.0' in lines
    assert 'mc_policy_decisions_total{mode="enforce",outcome="deny",pack="mc.placement"} 1.0' in lines
    assert not any("mc_policy_sim_ms" in line for line in lines), "nothing was timed"
    (one,) = ledger.found()["disagreements"]["found"]
    assert one["owner"] == "@acme/data", "the record of the merge knows"


# Any edit at all


def meaning(said: dict[str, object]) -> dict[str, object]:
    """What a ledger says, but for inputs that may be erased."""
    return {key: value for key, value in said.items() if key not in ("inputs", "disagreements")}


@given(data=st.data())
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_edit_is_found_or_changes_nothing(
    full: Ledger, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    store = tmp_path_factory.mktemp("edited") / "store"
    shutil.copytree(full.ledger, store)
    before = full.found(store=store)
    kinds = [*KIND_OF_FILE.values(), "runs/*/logs/*"]
    for _ in range(data.draw(st.integers(1, 3))):
        paths = files(store, data.draw(st.sampled_from(kinds)))
        if not paths:
            continue
        path = data.draw(st.sampled_from(paths))
        content = path.read_bytes()
        match data.draw(st.sampled_from(["remove", "byte", "cut", "copy", "swap", "append"])):
            case "remove":
                path.unlink()
            case "byte" if content:
                at = data.draw(st.integers(0, len(content) - 1))
                path.write_bytes(content[:at] + bytes([data.draw(st.integers(0, 255))]) + content[at + 1 :])
            case "cut":
                path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
            case "copy":
                other = data.draw(st.sampled_from(files(store, "*/**/*.json")))
                path.write_bytes(other.read_bytes())
            case "swap":
                swap(path, data.draw(st.sampled_from(files(store, "*/**/*.json"))))
            case "append":
                path.write_bytes(content + data.draw(st.binary(max_size=3)))
    after = full.found(store=store)
    assert not after["holds"] or meaning(after) == meaning(before)
    shutil.rmtree(store)


def test_the_same_signature_in_another_writing_means_the_same(full: Ledger, store: Path) -> None:
    """Whoever may write the ledger can write (r, s) as (r, n - s) and JSON with other spaces: nothing is gained."""
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    path = record_of(store, allowed=True)
    value = json.loads(path.read_bytes())
    (signature,) = value["dsseEnvelope"]["signatures"]
    r, s = decode_dss_signature(base64.b64decode(signature["sig"]))
    signature["sig"] = base64.b64encode(encode_dss_signature(r, order - s)).decode()
    path.write_text(json.dumps(value, indent=3))
    assert full.kinds(store=store) == {"record-altered"}, "seen, though it says the same"
    assert full.kinds(store=without_log(store)) == set()
    copied(path, f"{path.name[:12]}-{'0' * 12}{SUFFIX}")
    assert full.kinds(store=store) == ANY


def test_every_kind_of_finding_has_its_section() -> None:
    page = (ROOT / "docs/audit.md").read_text("utf-8")
    assert [kind for kind in KINDS if f"\n## {kind}\n" not in page] == []
    assert sorted(re.findall(r"^## ([a-z-]+)$", page, re.MULTILINE)) == sorted(KINDS)


def test_a_record_lies_under_what_it_says() -> None:
    record = MergeRecord("c" * 40, "d" * 40, "e" * 40, NOW, "0.1.0", None, True, {}, {}, (), ())
    assert re.fullmatch(
        rf"records/2026-11-23/cccccccccccc-[0-9a-f]{{12}}{re.escape(SUFFIX)}",
        name_of(record, record.statement().to_bytes()),
    )
