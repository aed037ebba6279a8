"""A run from its plan to its closed segment; cut short in every way, and completed."""

from __future__ import annotations

import datetime as dt
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from maestro.errors import MaestroError, ToolFailure, UsageError
from maestro.evidence.errors import KeyProblem
from maestro.evidence.trust import trust_of
from runner import receipt
from runner.dispatch import Dispatcher, Summary
from runner.ledger_check import RunReport, check_run
from runner.session import BreakGlass, Planned
from tests.maestro.evidence import keys
from tests.runner.plans import NOW, RUN, NoDriver, dispatcher, facts, folder, local, planned


def check(path: Path, *, closed: bool = False, row: keys.Row | None = None) -> RunReport:
    """What the ledger is worth."""
    return check_run(folder(path), trust_of([row or keys.row()]), lambda _run: closed)


def kinds(path: Path) -> set[str]:
    """The kinds of objection."""
    return {one.kind for one in check(path).objections}


def go(path: Path, *plans: Planned) -> Summary:
    """Dispatch with the local driver."""
    return dispatcher(path).dispatch(facts(), plans or [planned(size=3)], local(path))


def test_a_run_leaves_a_receipt_for_each_execution_and_a_closed_segment(tmp_path: Path) -> None:
    summary = go(tmp_path, planned("echo $MAESTRO_ARRAY_INDEX; exit $MAESTRO_ARRAY_INDEX", size=3), planned(name="b"))
    assert summary.segment.outcomes == {"failed": 2, "succeeded": 2}
    assert summary.segment.complete
    report = check(tmp_path)
    assert report.objections == []
    assert report.outcomes == {"failed": 2, "succeeded": 2}
    assert (report.rehearsals, report.broken_glass, report.complete) == (0, 0, True)


def test_a_receipt_says_what_the_issue_asks_for(tmp_path: Path) -> None:
    summary = go(tmp_path, planned("echo hi; exit 3", size=1))
    (execution, _) = summary.endings[0]
    data = folder(tmp_path).receipt(execution.id)
    assert data is not None
    verified = receipt.read(data, trust_of([keys.row()]), run_id=RUN, execution=execution.id)
    said = dict(verified.statement.predicate)
    (attempt,) = said["attempts"]
    times = attempt["times"]
    assert said["execution"] == {"id": execution.id, "index": 0}
    assert said["manifest"]["path"] == "manifests/a.yaml"
    assert said["source"]["commit"] == "c" * 40
    assert said["verdict"] == {"digest": "sha256:" + "4" * 64, "allowed": True}
    assert said["approvals"] == []
    assert len(said["decisions"]) == 1
    assert said["placement"] == {"cloud": "local", "region": "here", "class": "batch", "pool": None}
    assert said["executed_on"] == {"driver": "local", "cloud": "local"}
    assert (said["outcome"], said["exit_code"], said["rehearsal"], said["break_glass"]) == ("failed", 3, False, None)
    assert said["tool"]["name"] == "maestro-conductor"
    assert said["engine"] == "conftest 0.71.1"
    assert times["published"] <= times["claimed"] <= times["started"] <= times["ended"]
    assert attempt["log"]["bytes"] == 3
    (subject,) = verified.statement.subjects
    assert (folder(tmp_path).path / subject.name).read_bytes() == b"hi\n"


def test_secrets_are_nowhere_in_the_ledger(tmp_path: Path) -> None:
    plan = planned('test -n "$DB"', secrets={"DB": "env:DB_URL"})
    dispatcher(tmp_path).dispatch(facts(), [plan], local(tmp_path, DB_URL="hunter2-hunter2"))
    assert check(tmp_path).outcomes == {"succeeded": 1}
    for path in folder(tmp_path).path.rglob("*"):
        if path.is_file():
            assert b"hunter2" not in path.read_bytes()


def test_dispatching_a_complete_run_again_does_nothing(tmp_path: Path) -> None:
    first = go(tmp_path)
    before = {path: path.read_bytes() for path in folder(tmp_path).path.rglob("*") if path.is_file()}
    again = dispatcher(tmp_path).dispatch(facts(), [planned(size=3)], NoDriver())
    assert again.resumed
    assert again.segment == first.segment
    assert {path: path.read_bytes() for path in folder(tmp_path).path.rglob("*") if path.is_file()} == before


def test_a_missing_secret_leaves_no_session(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="NOT_SET"):
        go(tmp_path, planned(), planned(name="b", secrets={"A": "env:NOT_SET"}))
    assert not folder(tmp_path).path.exists()  # no run that would have to be resumed for ever


class FullDisk:
    """A signer behind which the disk fills up: the n-th thing to be signed cannot be stored."""

    def __init__(self, after: int, error: MaestroError) -> None:
        self._left = after
        self._error = error
        self.key_id = keys.signer().key_id
        self.public_key_pem = keys.signer().public_key_pem

    def sign(self, data: bytes) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise self._error
        return keys.signer().sign(data)


@pytest.mark.parametrize("signed", range(5))
def test_whatever_cannot_be_stored_is_made_when_the_run_is_resumed(tmp_path: Path, signed: int) -> None:
    marks = tmp_path / "marks"
    plan = planned(f"echo x >> {marks}", size=3)
    full = FullDisk(signed, ToolFailure("the ledger cannot be written: No space left on device"))
    with pytest.raises(ToolFailure, match="No space left"):
        dispatcher(tmp_path, signer=full).dispatch(facts(), [plan], local(tmp_path))
    assert go(tmp_path, plan).segment.outcomes == {"succeeded": 3}
    assert marks.read_text() == "x\n" * 3
    assert check(tmp_path).objections == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
def test_a_read_only_ledger_starts_nothing(tmp_path: Path) -> None:
    (tmp_path / "ledger").mkdir(mode=0o500)
    with pytest.raises(ToolFailure, match="ledger cannot be written"):
        go(tmp_path)


def test_a_ledger_in_the_way_of_a_file_starts_nothing(tmp_path: Path) -> None:
    (tmp_path / "ledger").write_text("")
    with pytest.raises(ToolFailure, match="ledger cannot be written: Not a directory"):
        go(tmp_path)


def test_a_torn_receipt_of_an_open_run_is_made_again(tmp_path: Path) -> None:
    with pytest.raises(ToolFailure):
        dispatcher(tmp_path, signer=FullDisk(4, ToolFailure("full"))).dispatch(
            facts(), [planned(size=3)], local(tmp_path)
        )
    for path in _receipts(tmp_path):
        path.write_bytes(path.read_bytes()[:100])
    assert kinds(tmp_path) == {"not-believed", "unclosed"}
    go(tmp_path)
    assert check(tmp_path).objections == []


def test_a_log_changed_behind_a_signed_receipt_is_not_signed_again(tmp_path: Path) -> None:
    with pytest.raises(ToolFailure):
        dispatcher(tmp_path, signer=FullDisk(4, ToolFailure("full"))).dispatch(
            facts(), [planned(size=3)], local(tmp_path)
        )
    for log in (folder(tmp_path).path / "logs").iterdir():
        log.write_text("a better story\n")
    before = {path.name: path.read_bytes() for path in _receipts(tmp_path)}
    go(tmp_path)
    assert before
    assert before.items() <= {path.name: path.read_bytes() for path in _receipts(tmp_path)}.items()
    assert [one.kind for one in check(tmp_path).objections] == ["changed"] * len(before)


def test_two_dispatchers_on_one_run_share_one_result(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    plan = planned(f"echo x >> {marks}; sleep 0.05", size=10)
    waits: list[bool] = []
    summaries: list[Summary] = []

    def work() -> None:
        one = Dispatcher(
            folder(tmp_path), keys.signer(), trust_of([keys.row()]), lambda: NOW, waiting=lambda: waits.append(True)
        )
        summaries.append(one.dispatch(facts(), [plan], local(tmp_path)))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert marks.read_text() == "x\n" * 10
    assert [one.segment.outcomes for one in summaries] == [{"succeeded": 10}] * 2
    assert waits == [True]
    assert check(tmp_path).objections == []


def test_a_cancelled_run_is_closed_as_incomplete_and_can_be_completed(tmp_path: Path) -> None:
    plan = planned('sleep 0.2; test ! -e "$HOME/x"', size=6)
    driver = local(tmp_path)
    one = Dispatcher(
        folder(tmp_path), keys.signer(), trust_of([keys.row()]), lambda: NOW, ended=lambda *_: driver.cancel()
    )
    first = one.dispatch(facts(), [plan], driver)
    assert not first.segment.complete
    assert first.segment.missing > 0
    assert kinds(tmp_path) == {"unclosed"}
    second = go(tmp_path, plan)
    assert second.segment.complete
    assert second.segment.number == 2
    assert second.segment.previous is not None
    assert check(tmp_path).objections == []


def test_other_manifests_are_another_run(tmp_path: Path) -> None:
    go(tmp_path)
    for other in (planned(size=4), planned(name="b", size=3)):
        with pytest.raises(UsageError, match="planned with other manifests"):
            dispatcher(tmp_path).dispatch(facts(), [other], NoDriver())


def test_a_rehearsal_stays_one_and_says_so(tmp_path: Path) -> None:
    summary = dispatcher(tmp_path).dispatch(facts(rehearsal=True), [planned(size=2)], local(tmp_path))
    assert summary.segment.rehearsal
    assert check(tmp_path).rehearsals == 2
    with pytest.raises(UsageError, match="rehearsal in part"):
        dispatcher(tmp_path).dispatch(facts(), [planned(size=2)], NoDriver())


def test_a_denied_manifest_does_not_run_and_the_others_do(tmp_path: Path) -> None:
    summary = go(tmp_path, planned(name="a"), planned(f"touch {tmp_path}/ran", name="b", denied="residency"))
    assert summary.segment.denied == ("Manifest/b",)
    assert summary.segment.outcomes == {"succeeded": 1}
    assert not (tmp_path / "ran").exists()
    assert check(tmp_path).objections == []


def test_what_ran_before_it_was_denied_still_gets_its_receipt(tmp_path: Path) -> None:
    full = FullDisk(2, ToolFailure("full"))
    with pytest.raises(ToolFailure):
        dispatcher(tmp_path, signer=full).dispatch(facts(), [planned(size=3)], local(tmp_path))
    ran = len(list((folder(tmp_path).path / "logs").iterdir()))
    summary = go(tmp_path, planned(size=3, denied="the pool is drained"))
    assert summary.segment.outcomes == {"succeeded": ran}
    assert check(tmp_path).objections == []
    assert go(tmp_path, planned(size=3)).segment.outcomes == {"succeeded": 3}
    assert check(tmp_path).objections == []


def test_broken_glass_runs_it_marks_it_and_stays_open_until_it_is_closed(tmp_path: Path) -> None:
    glass = BreakGlass("the pack is broken", ({"who": "dev@acme.example"},))
    plan = planned(name="b", denied="residency")
    dispatcher(tmp_path).dispatch(facts(break_glass=glass), [plan, planned(name="a")], local(tmp_path))
    report = check(tmp_path)
    assert report.broken_glass == 1
    (objection,) = report.objections
    assert objection.kind == "break-glass-open"
    assert f"Run/{RUN}" in objection.message
    assert "('the pack is broken', approved by dev@acme.example)" in objection.message
    assert check(tmp_path, closed=True).objections == []


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (keys.row("other"), "not one that maestro.yaml lists"),
        (keys.row(revoked_at=NOW), "revoked"),
        (keys.row(valid_until=NOW - dt.timedelta(days=1)), "was valid until"),
    ],
)
def test_a_key_nobody_believes_signs_nothing(tmp_path: Path, row: keys.Row, says: str) -> None:
    one = Dispatcher(folder(tmp_path), keys.signer(), trust_of([row]), lambda: NOW)
    with pytest.raises(KeyProblem, match=says):
        one.dispatch(facts(), [planned()], NoDriver())
    assert not folder(tmp_path).exists


# What somebody does to the ledger afterwards, and what is said about it


def _first(path: Path, kind: str) -> Path:
    return sorted((folder(path).path / kind).iterdir())[0]


def _receipts(path: Path) -> list[Path]:
    return [folder(path).receipt_path(execution) for execution in folder(path).receipts()]


def _flip(path: Path) -> None:
    value = json.loads(path.read_bytes())
    payload = value["dsseEnvelope"]["payload"]
    value["dsseEnvelope"]["payload"] = payload[:40] + ("A" if payload[40] != "A" else "B") + payload[41:]
    path.write_text(json.dumps(value))


def _swap(one: Path, other: Path) -> None:
    data = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(data)


Deed = Callable[[Path], object]
DEEDS: dict[str, tuple[Deed, set[str]]] = {
    "receipt-changed": (lambda path: _flip(_first(path, "receipts")), {"changed", "not-believed"}),
    "receipt-emptied": (lambda path: _first(path, "receipts").write_bytes(b""), {"changed", "not-believed"}),
    "receipt-reformatted": (
        lambda path: _first(path, "receipts").write_text(json.dumps(json.loads(_first(path, "receipts").read_text()))),
        {"changed"},
    ),
    "receipt-removed": (lambda path: _first(path, "receipts").unlink(), {"missing"}),
    "receipts-swapped": (
        lambda path: _swap(*sorted((folder(path).path / "receipts").iterdir())[:2]),
        {"changed", "not-believed"},
    ),
    "receipt-added": (
        lambda path: folder(path).receipt_path("0" * 32).write_bytes(_first(path, "receipts").read_bytes()),
        {"extra", "not-believed"},
    ),
    "log-changed": (lambda path: _first(path, "logs").write_text("a better story"), {"changed"}),
    "log-removed": (lambda path: _first(path, "logs").unlink(), {"missing"}),
    "session-changed": (lambda path: _flip(_first(path, "sessions")), {"changed", "not-believed", "no-decision"}),
    "session-removed": (lambda path: _first(path, "sessions").unlink(), {"missing", "no-decision"}),
    "segment-changed": (lambda path: _flip(_first(path, "segments")), {"not-believed", "unclosed"}),
    "segment-removed": (lambda path: _first(path, "segments").unlink(), {"unclosed"}),
    "segment-renumbered": (
        lambda path: _first(path, "segments").rename(folder(path).path / "segments" / "2.sigstore.json"),
        {"not-believed", "unclosed"},
    ),
}


@pytest.mark.parametrize(("deed", "expected"), DEEDS.values(), ids=DEEDS)
def test_what_was_done_to_the_ledger_is_seen(tmp_path: Path, deed: Deed, expected: set[str]) -> None:
    go(tmp_path)
    deed(tmp_path)
    assert kinds(tmp_path) == expected


def test_a_copied_run_is_not_another_run(tmp_path: Path) -> None:
    go(tmp_path)
    run = folder(tmp_path).path
    run.rename(run.with_name("run-2"))
    from runner.run_folder import RunFolder

    report = check_run(RunFolder(run.with_name("run-2")), trust_of([keys.row()]), lambda _run: False)
    assert report.receipts == {}
    assert {"not-believed", "unclosed"} <= {one.kind for one in report.objections}


def test_a_foreign_ledger_is_not_believed_at_all(tmp_path: Path) -> None:
    go(tmp_path)
    report = check(tmp_path, row=keys.row("other"))
    assert report.receipts == {}
    assert "not-believed" in {one.kind for one in report.objections}


def test_a_revoked_key_takes_its_receipts_along(tmp_path: Path) -> None:
    go(tmp_path)
    report = check(tmp_path, row=keys.row(revoked_at=NOW + dt.timedelta(days=300)))
    assert report.receipts == {}
