"""`maestro receipts`: what people see, and what somebody without this tool can check from an export."""

from __future__ import annotations

import errno
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from maestro.evidence.types import RECEIPT
from tests.maestro.evidence import keys
from tests.runner.governed_runs import Runs, listed
from tests.support.tools import tool


def scrubbed(text: str) -> str:
    """Ids that differ from run to run replaced."""
    text = re.sub(r"20261123-120000-[0-9a-f]{8}", "RUN", text)
    text = re.sub(r"maestro-ledger-[0-9a-f]{16}: size (\d+), root \S{44}", r"LEDGER: size \1, root ROOT", text)
    return re.sub(r"\b[0-9a-f]{32}\b", "EXECUTION", text)


def some_run(tmp_path: Path) -> Runs:
    """A repository with one run of four executions."""
    runs = Runs(tmp_path)
    assert runs.run("a", "b").code == 0
    return runs


def test_what_people_see(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    runs = some_run(tmp_path)
    (run_id,) = runs.run_ids()
    seen = runs.receipts("list").out + runs.receipts("list", "--run", run_id).out + runs.receipts("verify").out
    log = sorted((runs.ledger / "runs" / run_id / "logs").iterdir())[0]
    log.write_text("a better story\n")
    (runs.ledger / "runs" / run_id / "receipts" / ("0" * 32 + ".sigstore.json")).write_text("{}")
    assert scrubbed(seen + runs.receipts("verify").out) == snapshot


def test_json_says_the_same(tmp_path: Path) -> None:
    runs = some_run(tmp_path)
    report = json.loads(runs.receipts("verify", "--format", "json").out)
    assert report["holds"] is True
    assert report["runs"][0]["outcomes"] == {"succeeded": 4}
    assert "no run or record is missing at the end" in report["not_proven"]
    (run_id,) = runs.run_ids()
    shown = json.loads(runs.receipts("show", run_id).out)
    execution = next(iter(shown["executions"]))
    assert json.loads(runs.receipts("show", execution).out)["receipt"] == shown["executions"][execution]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["show"], 2, "wants an id"),
        (["export"], 2, "wants a folder"),
        (["verify", "x"], 2, "takes no name"),
        (["show", "nothing"], 3, "there is no run and no execution nothing"),
        (["verify", "--run", "nothing"], 3, "there is no run nothing"),
        (["verify", "--run", "../x"], 2, "not a run id"),
        (["export", "."], 2, "is there already"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_makes_no_sense_is_said(tmp_path: Path, arguments: list[str], code: int, says: str) -> None:
    answer = Runs(tmp_path).receipts(*arguments)
    assert answer.code == code
    assert says in answer.err


def test_an_empty_ledger_holds_and_says_that_it_is_empty(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    assert "no runs" in runs.receipts("list").out
    answer = runs.receipts("verify")
    assert answer.code == 0
    assert "no runs in" in answer.out


def test_keys_are_believed_only_as_the_default_branch_lists_them(tmp_path: Path) -> None:
    runs = some_run(tmp_path)
    config = (runs.repo.path / "maestro.yaml").read_text()
    runs.repo.write("maestro.yaml", config.replace(listed(keys.row()), listed(keys.row("other"))))
    assert runs.receipts("verify").code == 0  # not merged: no matter what the working tree says
    runs.repo.commit()
    answer = runs.receipts("verify")
    assert answer.code == 10
    assert "not-believed" in answer.out
    assert "0 receipts of 1 run believed" in answer.out


def test_a_store_elsewhere_can_be_checked(tmp_path: Path) -> None:
    runs = some_run(tmp_path)
    shutil.move(runs.ledger, tmp_path / "elsewhere")
    assert "no runs" in runs.receipts("list").out
    assert runs.receipts("verify", "--store", str(tmp_path / "elsewhere")).code == 0


def _exported(tmp_path: Path) -> Path:
    runs = some_run(tmp_path)
    answer = runs.receipts("export", str(tmp_path / "export"))
    assert answer.code == 0, answer.err
    (folder,) = (tmp_path / "export" / "runs").iterdir()
    return folder


def test_cosign_accepts_every_exported_receipt_with_its_log(tmp_path: Path) -> None:
    folder = _exported(tmp_path)
    receipts = sorted((folder / "receipts").iterdir())
    assert len(receipts) == 4
    for path in receipts:
        log = folder / "logs" / (path.name.removesuffix(".sigstore.json") + ".1.log")
        argv = [tool("cosign"), "verify-blob-attestation", "--key", "../../keys/release.pem", "--bundle", str(path)]
        argv += ["--insecure-ignore-tlog", "--type", RECEIPT, str(log)]
        environ = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
        done = subprocess.run(argv, cwd=folder, env=environ, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr


def test_the_commands_of_the_exported_readme_work_without_us(tmp_path: Path) -> None:
    folder = _exported(tmp_path)
    readme = (tmp_path / "export" / "README.md").read_text()
    script = readme.split("without any of us:\n\n")[1].split("\n\n`segments/`")[0]
    execution = sorted((folder / "receipts").iterdir())[0].name.removesuffix(".sigstore.json")
    lines = [line.removeprefix("    ") for line in script.splitlines()]
    text = "\n".join(lines).replace("KEY", "release").replace("ID", execution)
    done = subprocess.run(["sh", "-ec", text], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "Verified OK" in done.stdout
    assert (folder / "pae").read_bytes().startswith(b"DSSEv1 28 application/vnd.in-toto+json ")


def test_an_export_that_cannot_be_finished_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = some_run(tmp_path)

    def full(*_: object, **_options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copytree", full)
    answer = runs.receipts("export", str(tmp_path / "out"))
    assert (answer.code, (tmp_path / "out").exists()) == (1, False)
    assert "out: the export could not be written: No space left on device" in answer.err
