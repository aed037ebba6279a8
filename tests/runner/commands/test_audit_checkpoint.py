"""`policy audit --checkpoint`: no record and no run can be taken away unseen, not even with the signing key."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from maestro.evidence.trust import trust_of
from maestro.ledger.entry import Entry, parse
from maestro.ledger.folder import FolderStore
from maestro.ledger.log import Log
from tests.gates.governed import maestro
from tests.maestro.evidence import keys
from tests.runner.governed_ledger import Ledger
from tests.runner.governed_runs import NOW, manifest


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """A merge that was judged twice, another one, a run; then the checkpoint, in ``kept``. Nobody writes into it."""
    ledger = Ledger(tmp_path_factory.mktemp("kept"))
    ledger.repo.commit({"manifests/c.yaml": manifest("c", "true")})
    # The first record is of a gate that could not judge, the second settles it: two records of one merge.
    blind = {**ledger.environ, "PATH": "/usr/bin:/bin"}
    words = ("check", "--record", "--engine", "conftest", "--target", "HEAD~1", "--head", "HEAD")
    assert maestro(ledger.repo, *words, environ=blind, now=NOW).code == 1
    assert ledger.record("HEAD~1", "HEAD").code == 0
    ledger.merge({"manifests/e.yaml": manifest("e", "true")})
    assert ledger.run("c").code == 0
    assert ledger.receipts("checkpoint", str(ledger.folder / "kept")).code == 0
    return ledger


@pytest.fixture
def store(kept: Ledger, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(kept.ledger, tmp_path / "store"))


def entries(store: Path) -> list[Entry]:
    log = Log(FolderStore(store))
    head = log.head()
    assert head is not None
    return [parse(one) for one in log.entries(head)]


def signed_again(store: Path, listed: list[Entry]) -> None:
    """The log written anew with the key, with these entries alone and under its old name."""
    head = Log(FolderStore(store)).head()
    assert head is not None
    shutil.rmtree(store / "log")
    name = head.checkpoint.origin
    if listed:
        Log(FolderStore(store)).append(listed, keys.signer(), trust_of([keys.row()]), since=NOW, origin=name)


def kinds(kept: Ledger, store: Path) -> set[str]:
    return kept.kinds("--checkpoint", str(kept.folder / "kept"), store=store)


def test_what_nobody_touched_is_proven_to_be_complete(kept: Ledger) -> None:
    said = kept.found("--checkpoint", str(kept.folder / "kept"))
    assert said["findings"] == []
    assert said["complete"]["proven"] is True
    assert "proven: nothing of the 4 entries in" in said["complete"]["said"]
    assert said["log"]["size"] == 4
    assert [one.kind for one in entries(kept.ledger)] == ["record", "record", "record", "segment"]


def test_what_came_since_is_said_to_be_open(kept: Ledger, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.merge({"manifests/c.yaml": manifest("c", "true")})
    assert ledger.receipts("checkpoint", str(tmp_path / "kept")).code == 0
    ledger.merge({"manifests/e.yaml": manifest("e", "true")})
    said = ledger.found("--checkpoint", str(tmp_path / "kept"))["complete"]
    assert said["proven"] is True
    assert re.search(r"of the 1 entry in .*; 1 entry came since, and later ones may have been cut off", said["said"])
    foreign = ledger.found("--checkpoint", str(kept.folder / "kept"))
    assert {one["rule"] for one in foreign["findings"]} == {"log-not-believed"}
    assert foreign["complete"]["proven"] is False


# What somebody without the key does, and what somebody with it does: the same, and the log signed again.


def first_of_two(store: Path) -> str:
    """The first record of the merge that has two."""
    return entries(store)[0].name


def only_record(store: Path) -> str:
    """The record of the merge that has one."""
    return entries(store)[2].name


def the_run(store: Path) -> str:
    return entries(store)[3].name


def remove(store: Path, name: str) -> None:
    """A record, or the whole run."""
    if name.startswith("runs/"):
        shutil.rmtree(store / "/".join(name.split("/")[:2]))
    else:
        (store / name).unlink()


REMOVED: dict[str, tuple[Callable[[Path], str], set[str]]] = {
    "one-of-several-records": (first_of_two, set()),
    "a-record": (only_record, {"record-missing"}),
    "a-whole-run": (the_run, set()),
}


@pytest.mark.parametrize(("of", "by_git"), REMOVED.values(), ids=REMOVED)
def test_a_removed_record_or_run_is_found(
    kept: Ledger, store: Path, of: Callable[[Path], str], by_git: set[str]
) -> None:
    remove(store, of(store))
    assert kept.kinds(store=store) == {"record-removed"} | by_git
    assert kinds(kept, store) == {"record-removed"} | by_git


@pytest.mark.parametrize(("of", "by_git"), REMOVED.values(), ids=REMOVED)
def test_a_log_signed_again_without_it_is_found_with_the_checkpoint_alone(
    kept: Ledger, store: Path, of: Callable[[Path], str], by_git: set[str]
) -> None:
    name = of(store)
    left = [one for one in entries(store) if one.name != name]
    remove(store, name)
    signed_again(store, left)
    without = kept.found(store=store)
    assert {one["rule"] for one in without["findings"]} == by_git
    assert without["complete"]["proven"] is False
    assert "not proven" in without["complete"]["said"]
    assert kinds(kept, store) == {"log-truncated"} | by_git
    # … and made as long as it was, with something else in its place
    signed_again(
        store, [*left, *[Entry("record", only_record(kept.ledger), "0" * 64, one.made_at) for one in left[:1]]]
    )
    assert "log-forked" in kinds(kept, store)


def test_an_older_state_of_everything_is_found_with_the_checkpoint_alone(kept: Ledger, store: Path) -> None:
    every = entries(store)
    remove(store, every[3].name)
    remove(store, every[2].name)
    signed_again(store, every[:2])
    newest = kept.repo.git("rev-parse", "HEAD~1")
    assert kept.kinds("--since", newest, store=store) == {"record-missing"}, "git lists the merge"
    assert kinds(kept, store) == {"log-truncated", "record-missing"}


def test_records_in_another_order_are_a_second_history(kept: Ledger, store: Path) -> None:
    every = entries(store)
    signed_again(store, [every[1], every[0], *every[2:]])
    assert kept.kinds(store=store) == set()
    assert kinds(kept, store) == {"log-forked"}


def test_a_ledger_without_its_log_does_not_continue_the_checkpoint(kept: Ledger, store: Path) -> None:
    shutil.rmtree(store / "log")
    said = kept.found(store=store)
    assert (said["holds"], said["complete"]["proven"], said["log"]) == (True, False, None)
    assert "leaves no trace" in said["complete"]["said"]
    assert kinds(kept, store) == {"log-truncated"}
    shutil.rmtree(store)
    assert "log-truncated" in kinds(kept, store)


def test_a_record_that_was_changed_is_not_the_one_that_was_entered(kept: Ledger, store: Path) -> None:
    path = store / first_of_two(store)
    path.write_bytes(path.read_bytes() + b" ")
    assert kinds(kept, store) == {"record-altered"}


def test_a_damaged_log_is_found(kept: Ledger, store: Path) -> None:
    (store / "log/more").write_text("x")
    assert kinds(kept, store) == {"log-altered"}
    value = json.loads((store / "log/head").read_text())
    value["tail"].reverse()
    (store / "log/head").write_text(json.dumps(value))
    assert "log-altered" in kinds(kept, store)


def test_a_log_of_a_stranger_is_not_believed(kept: Ledger, store: Path) -> None:
    every = entries(store)
    shutil.rmtree(store / "log")
    Log(FolderStore(store)).append(every, keys.signer("stranger"), trust_of([keys.row("stranger")]), since=NOW)
    assert kept.kinds(store=store) == {"log-not-believed"}
    assert kinds(kept, store) == {"log-not-believed"}


def test_recording_again_enters_what_an_interrupted_job_only_kept(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.merge({"manifests/c.yaml": manifest("c", "true")})
    shutil.rmtree(ledger.ledger / "log")  # as if it had ended before the log was written
    ledger.merge({"manifests/e.yaml": manifest("e", "true")})
    assert ledger.kinds() == {"record-unlogged"}
    said = ledger.record("HEAD~2", "HEAD~1")
    assert re.search(r"^ledger maestro-ledger-\w+: size 2, root \S+=$", said.err, re.MULTILINE), said.err
    assert ledger.kinds() == set()


def test_a_log_that_is_not_believed_is_not_built_upon(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.merge({"manifests/c.yaml": manifest("c", "true")})
    (ledger.ledger / "log/head").write_text("{}")
    ledger.repo.commit({"manifests/e.yaml": manifest("e", "true")})
    answer = ledger.record("HEAD~1", "HEAD")
    assert answer.code == 10
    assert "recorded in" in answer.err, "the record itself is kept"
    assert (ledger.ledger / "log/head").read_text() == "{}"


def test_a_key_revoked_later_leaves_what_a_checkpoint_held_earlier_lists(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.merge({"manifests/c.yaml": manifest("c", "true")})
    assert ledger.receipts("checkpoint", str(tmp_path / "kept")).code == 0
    config = (ledger.repo.path / "maestro.yaml").read_text()
    ledger.repo.commit({"maestro.yaml": config.rstrip("\n") + "\n    revoked_at: 2026-11-23T18:00:00Z\n"})
    held = ("--checkpoint", str(tmp_path / "kept"), "--held-since", "2026-11-23T12:00:00Z")
    late = ("--since", "HEAD~1")
    assert "record-not-believed" in ledger.kinds(*late)
    assert "record-not-believed" not in ledger.kinds(*late, *held)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--timestamp", "x"], 2, "speak of a checkpoint"),
        (["--checkpoint", "nowhere"], 2, "the file cannot be read"),
        (["--checkpoint", "repo/maestro.yaml"], 10, "no checkpoint: "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_makes_no_sense_is_said(kept: Ledger, arguments: list[str], code: int, says: str) -> None:
    arguments = [one.replace("repo/", f"{kept.repo.path}/") for one in arguments]
    answer = kept.audit(*arguments)
    assert (answer.code, says in answer.err, answer.out) == (code, True, ""), answer.err
