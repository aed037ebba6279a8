"""A ledger that is kept elsewhere: the run is there, whole, and what is verified is what is there."""

from __future__ import annotations

import datetime as dt
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from syrupy.assertion import SnapshotAssertion

from maestro.errors import ToolFailure
from maestro.ledger.address import parse
from maestro.ledger.git_reference import REFERENCE
from maestro.ledger.opening import open_store
from runner.dispatch import Dispatcher
from tests.gates.governed import maestro
from tests.runner.governed_runs import Runs, manifest

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.get_host_and_port()[1]}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    boto3.client("s3").create_bucket(Bucket="ledgers")
    try:
        yield f"s3://ledgers/{tmp_path.name}"  # the server outlives its stop: others have left things in the bucket
    finally:
        server.stop()


@pytest.fixture
def git(tmp_path: Path) -> str:
    bare = tmp_path / "ledger.git"
    subprocess.run(["git", "init", "--quiet", "--bare", bare], check=True)
    return f"git+file://{bare}"


@pytest.fixture(params=["s3", "git"])
def address(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


def test_a_run_is_kept_and_verified_elsewhere(address: str, tmp_path: Path) -> None:
    runs = Runs(tmp_path, config=f"ledger: {{store: '{address}', origin: example.com/acme}}\n")
    assert runs.run("a", "b").code == 0
    (first,) = runs.run_ids()
    kept = tmp_path / "kept"
    assert runs.receipts("checkpoint", str(kept)).code == 0
    assert kept.read_text().startswith("example.com/acme\n1\n")
    said = runs.run("a")
    assert said.code == 0
    assert "ledger example.com/acme: size 2, root " in said.err
    subprocess.run(["rm", "-rf", str(runs.ledger)], check=True)  # the machine is gone
    said = runs.receipts("verify", "--checkpoint", str(kept))
    assert said.code == 0, said.out + said.err
    assert "5 receipts of 2 runs believed" in said.out
    assert "proven: nothing of the 1 entry in" in said.out
    assert runs.receipts("verify", "--run", first).out.count("HOLDS") == 2
    assert "4 succeeded" in runs.receipts("list").out
    assert runs.receipts("export", str(tmp_path / "out")).code == 0


def test_what_was_changed_elsewhere_is_seen(address: str, tmp_path: Path) -> None:
    runs = Runs(tmp_path, config=f"ledger: {{store: '{address}'}}\n")
    assert runs.run("a").code == 0
    (run_id,) = runs.run_ids()
    store = open_store(parse(address), tmp_path, os.environ)
    name = f"runs/{run_id}/archives/1.tar.gz"
    found = store.read(name)
    assert found is not None
    assert store.replace(name, found.data[: len(found.data) // 2], found.version)
    said = runs.receipts("verify")
    assert said.code == 10
    assert "the archive of a run cannot be read" in said.out


def test_one_run_that_cannot_be_read_and_one_that_was_cut_short(
    git: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    """The others are listed, found, verified and handed out, and nobody is told that all is well."""
    runs = Runs(tmp_path, config=f"ledger: {{store: '{git}', origin: example.com/acme}}\n")
    assert runs.run("a", GITHUB_RUN_ID="1").code == 0
    (whole,) = runs.run_ids()
    assert runs.run("a", GITHUB_RUN_ID="2").code == 0
    (damaged,) = set(runs.run_ids()) - {whole}
    store = open_store(parse(git), tmp_path, os.environ)
    name = f"runs/{damaged}/archives/1.tar.gz"
    found = store.read(name)
    assert found is not None
    assert store.replace(name, found.data[: len(found.data) // 2], found.version)
    cut_short_after_one(monkeypatch)
    assert runs.run("b", GITHUB_RUN_ID="3").code == 1
    (cut,) = set(runs.run_ids()) - {whole, damaged}
    subprocess.run(["rm", "-rf", str(runs.ledger)], check=True)  # and its machine is gone
    shown = ""
    for words in (
        ("list",),
        ("list", "--run", cut),
        ("verify",),
        ("verify", "--run", whole),
        ("verify", "--run", damaged),
        ("list", "--tenant", "acme"),
        ("list", "--tenant", "acme", "--run", whole),
        ("show", damaged),
        ("export", str(tmp_path / "out")),
    ):
        said = runs.receipts(*words)
        shown += f"$ maestro receipts {' '.join(words)}\n{said.out}{said.err}(exit {said.code})\n\n"
    for run, name in ((whole, "WHOLE"), (damaged, "DAMAGED"), (cut, "CUT-SHORT")):
        shown = shown.replace(run, name)
    shown = re.sub("[0-9a-f]{32}", "ID", shown.replace(str(tmp_path), "/tmp")).replace("b[1]", "b[0]")
    shown = shown.replace("b[2]", "b[0]")
    assert re.sub("root [0-9A-Za-z+/=]{44}", "root ROOT", shown) == snapshot
    assert sorted(path.name for path in (tmp_path / "out" / "runs").iterdir()) == sorted([whole, cut])
    said = maestro(runs.repo, "policy", "audit", environ=runs.environ)
    assert said.code == 10
    assert "run-unreadable" in said.out
    assert "run-unclosed" in said.out


def cut_short_after_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine of the next run burns down when the first receipt has reached the store."""
    signed = Dispatcher._signed
    seen: list[Any] = []

    def burn(self: Dispatcher, *arguments: Any) -> Any:
        if seen:
            raise ToolFailure("the machine is gone")
        seen.append(signed(self, *arguments))
        assert self.stored is not None
        self.stored.flush()
        return seen[0]

    monkeypatch.setattr(Dispatcher, "_signed", burn)


def test_where_the_store_cannot_be_reached_nothing_starts(tmp_path: Path) -> None:
    runs = Runs(tmp_path, config=f"ledger: {{store: 'git+file://{tmp_path}/ledger.git'}}\n")
    said = runs.run("a")
    assert said.code == 1
    assert "the ledger's git repository cannot be used" in said.err
    assert "whoever runs this must be allowed to fetch and push" in said.err
    assert "--resume" not in said.err, "there is nothing to resume"
    assert (runs.ran, runs.run_ids()) == ([], [])


def test_a_store_that_goes_away_leaves_a_run_to_resume(git: str, tmp_path: Path) -> None:
    bare, away = tmp_path / "ledger.git", tmp_path / "away"
    gone = manifest("gone", f"mv {bare} {away}; echo gone >> {tmp_path}/marks")
    runs = Runs(tmp_path, config=f"ledger: {{store: '{git}'}}\n", files={"manifests/gone.yaml": gone})
    said = runs.run("gone")
    assert said.code == 1
    assert "cannot be used" in said.err
    (run_id,) = runs.run_ids()
    assert f"maestro run --resume {run_id}" in said.err
    away.rename(bare)
    assert runs.run("--resume", run_id).code == 0
    assert runs.ran == ["gone"]
    assert runs.receipts("verify").code == 0
    names = subprocess.run(
        ["git", "-C", bare, "ls-tree", "-r", "--name-only", REFERENCE], capture_output=True, text=True
    )
    steps = [f"runs/{run_id}/steps/{number}.tar.gz" for number in (1, 2, 3)]
    assert names.stdout.split() == ["log/head", f"runs/{run_id}/archives/1.tar.gz", *steps]


def test_receipts_are_found_elsewhere_without_copying_all_of_it(address: str, tmp_path: Path) -> None:
    runs = Runs(tmp_path, config=f"ledger: {{store: '{address}', origin: example.com/acme}}\n")
    assert runs.run("a").code == 0
    subprocess.run(["rm", "-rf", str(runs.ledger)], check=True)
    said = runs.receipts("list", "--workflow", "a")
    assert said.code == 0
    assert "acme  a  succeeded" in said.out
    assert runs.run("b").code == 0
    assert runs.receipts("list", "--tenant", "acme").out.count("succeeded") == 4


def test_an_archive_in_a_bucket_is_found(s3: str, tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    assert runs.run("a").code == 0
    later = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
    words = ("receipts", "archive", "--older-than", "1d", "--to", s3)
    for says in ("1 file written", "1 there already"):
        said = maestro(runs.repo, *words, environ=runs.environ, now=later)
        assert (said.code, says in said.out) == (0, True), said
    subprocess.run(["rm", "-rf", str(runs.ledger / "runs")], check=True)
    said = runs.receipts("list", "--archive", s3)
    assert said.code == 0, said.err
    assert "acme  a  succeeded" in said.out
    assert "ARCHIVED" in said.out
