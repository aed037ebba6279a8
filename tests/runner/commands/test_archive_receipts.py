"""`maestro receipts archive`: signed bytes in Parquet, found together with the ledger, believed by themselves."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.gates.governed import Answer, maestro
from tests.runner.governed_runs import Runs, manifest


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    """One run, and all of it archived."""
    runs = Runs(tmp_path, files={"manifests/c.yaml": manifest("c", "exit 3")})
    assert runs.run("a", "b", "c").code != 0
    assert archived(runs).code == 0
    return runs


def archived(runs: Runs, age: str = "0d") -> Answer:
    now = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
    words = ("receipts", "archive", "--older-than", age, "--to", "../old")
    return maestro(runs.repo, *words, environ=runs.environ, now=now)


def listed(runs: Runs, *arguments: str) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = json.loads(
        runs.receipts("list", "--format", "json", "--archive", "../old", *arguments).out
    )["receipts"]
    return said


def files(runs: Runs) -> list[Path]:
    return sorted((runs.folder / "old").rglob("*.parquet"))


def rewritten(path: Path, **columns: list[Any]) -> None:
    table = pq.ParquetFile(path).read()
    for name, values in columns.items():
        place = table.column_names.index(name)
        table = table.set_column(place, name, pa.array(values, type=table.schema.field(name).type))
    pq.write_table(table, path)


def test_it_is_laid_out_by_day_and_tenant_and_never_written_twice(runs: Runs) -> None:
    (path,) = files(runs)
    assert path.parent.relative_to(runs.folder / "old").as_posix() == "day=2026-11-23/tenant=acme"
    table = pq.ParquetFile(path).read()
    assert table.column("workflow").to_pylist() == ["a", "b", "b", "b", "c"]
    before = path.read_bytes()
    assert "0 files written, 1 there already" in archived(runs).out
    assert path.read_bytes() == before
    for name, data in zip(table.column("id").to_pylist(), table.column("receipt").to_pylist(), strict=True):
        assert next(runs.ledger.glob(f"runs/*/receipts/{name}.sigstore.json")).read_bytes() == data


def test_what_is_younger_stays_out(runs: Runs) -> None:
    shutil.rmtree(runs.folder / "old")
    assert archived(runs, "2d").out.startswith("0 receipts before 2026-11-23")
    assert files(runs) == []


def test_both_are_one_listing_and_the_archive_stands_alone(runs: Runs) -> None:
    both = listed(runs)
    assert [one["from"] for one in both] == ["ledger"] * 5
    shutil.rmtree(runs.ledger / "runs")
    alone = listed(runs)
    assert all(one["believed"] and not one["objections"] for one in alone)
    assert [{**one, "from": ""} for one in alone] == [{**one, "from": ""} for one in both]
    for name in ("id", "tenant", "day", "workflow", "commit", "outcome"):
        for value in {one[name] for one in alone}:
            assert listed(runs, f"--{name}", value) == [one for one in alone if one[name] == value]
    seen: list[str] = []
    after: list[str] = []
    while True:
        said = json.loads(runs.receipts("list", "--archive", "../old", "--limit", "2", *after, "--format", "json").out)
        seen += [one["id"] for one in said["receipts"]]
        if said["next"] is None:
            break
        after = ["--after", said["next"]]
    assert seen == [one["id"] for one in alone]


def test_columns_that_lie_are_not_believed(runs: Runs) -> None:
    shutil.rmtree(runs.ledger / "runs")
    rewritten(files(runs)[0], outcome=["succeeded"] * 5)
    answer = runs.receipts("list", "--archive", "../old", "--workflow", "c")
    assert answer.code == 10
    assert "the archive's columns say something else" in answer.out
    assert "succeeded" not in answer.out


def test_a_receipt_under_another_tenant_is_not_believed(runs: Runs) -> None:
    shutil.rmtree(runs.ledger / "runs")
    (path,) = files(runs)
    path.parent.rename(path.parent.with_name("tenant=other"))
    assert {one["believed"] for one in listed(runs, "--tenant", "other")} == {False}


def test_changed_bytes_are_not_believed(runs: Runs) -> None:
    shutil.rmtree(runs.ledger / "runs")
    (path,) = files(runs)
    rewritten(path, session=[b"{}"] * 4 + [None])
    assert {one["believed"] for one in listed(runs)} == {False}


def test_a_forged_copy_hides_nothing(runs: Runs) -> None:
    shutil.rmtree(runs.ledger / "runs")
    (path,) = files(runs)
    forged = path.with_name("0.parquet")
    shutil.copy(path, forged)
    rewritten(forged, receipt=[b"{}"] * 5)
    assert {one["believed"] for one in listed(runs)} == {True}


def test_a_file_half_written_under_its_name_is_said_and_one_under_another_passed_over(runs: Runs) -> None:
    (path,) = files(runs)
    path.with_name(f".{path.name}.0.tmp").write_bytes(b"PAR1")
    assert len(listed(runs)) == 5
    path.write_bytes(path.read_bytes()[:-10])
    answer = runs.receipts("list", "--archive", "../old")
    assert answer.code == 1
    assert "a file of the archive cannot be read" in answer.err


def test_what_is_not_believed_is_left_out(runs: Runs) -> None:
    shutil.rmtree(runs.folder / "old")
    path = sorted(runs.ledger.glob("runs/*/receipts/*"))[0]
    path.write_bytes(path.read_bytes()[:-20])
    answer = archived(runs)
    assert answer.code == 10
    assert answer.out.startswith("4 receipts")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("archive",), "wants --older-than"),
        (("archive", "--older-than", "90", "--to", "x"), "no number of days"),
        (("archive", "--older-than", "9d", "--to", "git+https://a/b"), "no git repository"),
        (("verify", "--to", "x"), "nothing else does"),
        (("list", "--archive", "../nowhere"), "there is no archive"),
    ],
)
def test_what_makes_no_sense_is_said(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    answer = Runs(tmp_path).receipts(*arguments)
    assert answer.code in (1, 2)
    assert says in answer.err
