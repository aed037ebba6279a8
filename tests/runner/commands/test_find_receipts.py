"""`maestro receipts list` with filters: what is shown as believed was verified, whatever the index says."""

from __future__ import annotations

import base64
import json
import os
import shutil
import sqlite3
from contextlib import closing
from copy import copy
from pathlib import Path
from typing import Any

import pytest

from tests.runner.governed_runs import Runs, manifest
from tests.support.git_repo import GitRepo


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Two runs, one execution of which fails."""
    runs = Runs(tmp_path_factory.mktemp("found"), files={"manifests/c.yaml": manifest("c", "exit 3")})
    assert runs.run("a", "b").code == 0
    assert runs.run("c").code != 0
    return runs


@pytest.fixture
def runs(prepared: Runs, tmp_path: Path) -> Runs:
    """A copy of them, old enough for the index to remember."""
    twin = copy(prepared)
    twin.folder = tmp_path / "twin"
    shutil.copytree(prepared.folder, twin.folder)
    twin.repo = GitRepo(twin.folder / "repo")
    for path in twin.ledger.rglob("*"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    return twin


def found(runs: Runs, *arguments: str) -> list[dict[str, Any]]:
    answer = runs.receipts("list", "--format", "json", *arguments)
    said: list[dict[str, Any]] = json.loads(answer.out)["receipts"]
    return said


def index_of(runs: Runs) -> Path:
    (path,) = (runs.repo.path / ".maestro" / "index").glob("*.sqlite")
    return path


def test_every_filter_finds_what_the_ledger_holds(runs: Runs) -> None:
    everything = found(runs, "--limit", "100")
    assert [(one["tenant"], one["workflow"], one["index"]) for one in everything if one["workflow"] != "b"] == [
        ("acme", "a", None),
        ("acme", "c", None),
    ]
    assert len(everything) == 5
    for name in ("id", "tenant", "day", "workflow", "commit", "outcome"):
        for value in {one[name] for one in everything}:
            assert found(runs, f"--{name}", value) == [one for one in everything if one[name] == value]
    decision = everything[0]["decisions"][0]
    assert found(runs, "--decision", decision) == [one for one in everything if decision in one["decisions"]]
    run = everything[0]["run"]
    assert found(runs, "--run", run, "--tenant", "acme") == [one for one in everything if one["run"] == run]
    assert all(one["believed"] and not one["objections"] for one in everything)


def test_pages_follow_each_other(runs: Runs) -> None:
    seen: list[str] = []
    after: list[str] = []
    while True:
        said = json.loads(runs.receipts("list", "--limit", "2", *after, "--format", "json").out)
        seen += [one["id"] for one in said["receipts"]]
        if said["next"] is None:
            break
        after = ["--after", said["next"]]
    assert seen == [one["id"] for one in found(runs, "--tenant", "acme")]


def test_a_run_that_came_or_went_is_noticed(runs: Runs) -> None:
    before = found(runs, "--tenant", "acme")
    gone = next(one["run"] for one in before if one["workflow"] == "c")
    (runs.ledger / "runs" / gone).rename(runs.folder / "aside")
    assert found(runs, "--tenant", "acme") == [one for one in before if one["run"] != gone]
    (runs.folder / "aside").rename(runs.ledger / "runs" / gone)
    assert found(runs, "--tenant", "acme") == before


@pytest.mark.parametrize(
    "lie",
    [
        "UPDATE receipts SET outcome = 'succeeded'",
        "UPDATE shelves SET tenant = 'other' WHERE workflow = 'c'",
        "UPDATE origins SET source_commit = 'ffff'",
        "UPDATE receipts SET id = x'00112233445566778899aabbccddeeff' WHERE outcome = 'failed'",
        "UPDATE origins SET run = 'nowhere'",
        "UPDATE origins SET run = '../../x'",
        "UPDATE origins SET decisions = 'nonsense'",
    ],
)
def test_an_index_that_lies_shows_nothing_that_is_not_so(runs: Runs, lie: str) -> None:
    before = found(runs, "--limit", "100")
    with closing(sqlite3.connect(index_of(runs))) as db, db:
        db.execute(lie)
    assert found(runs, "--limit", "100") == before


def test_a_forged_receipt_is_found_and_not_believed(runs: Runs) -> None:
    failed = next(one for one in found(runs, "--outcome", "failed"))
    path = runs.ledger / "runs" / failed["run"] / "receipts" / f"{failed['id']}.sigstore.json"
    outer = json.loads(path.read_text())
    payload = base64.b64decode(outer["dsseEnvelope"]["payload"]).replace(b'"failed"', b'"succeeded"')
    outer["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    path.write_text(json.dumps(outer))
    os.utime(path.parent, (1_700_000_001, 1_700_000_001))
    answer = runs.receipts("list", "--workflow", "c")
    assert answer.code == 10
    assert "NOT BELIEVED" in answer.out
    assert "succeeded" not in answer.out
    assert "the content was changed after signing" in answer.out


def test_a_file_that_is_no_receipt_is_counted(runs: Runs) -> None:
    run = found(runs, "--outcome", "failed")[0]["run"]
    (runs.ledger / "runs" / run / "receipts" / ("0" * 32 + ".sigstore.json")).write_text("{}")
    answer = runs.receipts("list", "--tenant", "acme")
    assert "1 file among the receipts is none" in answer.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("list", "--id", "x"), "no execution's id"),
        (("list", "--day", "yesterday"), "no day"),
        (("list", "--commit", "main"), "is none"),
        (("list", "--limit", "0"), "1 to 1000"),
        (("list", "--after", "x"), "no place in a listing"),
        (("verify", "--tenant", "acme"), "for `receipts list`"),
    ],
)
def test_what_makes_no_sense_is_said(runs: Runs, arguments: tuple[str, ...], says: str) -> None:
    answer = runs.receipts(*arguments)
    assert answer.code == 2
    assert says in answer.err
    assert "Traceback" not in answer.err


def test_a_question_is_no_sql(runs: Runs) -> None:
    for word in ("' OR '1'='1", '"; DROP TABLE receipts; --', "%", "_", "*"):
        for name in ("--tenant", "--workflow", "--outcome", "--decision"):
            assert found(runs, name, word) == []
    assert len(found(runs, "--tenant", "acme")) == 5
