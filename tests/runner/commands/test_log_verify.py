"""`receipts verify` against a checkpoint from elsewhere: each way to cheat has its word; what is proven is said."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from maestro.evidence.trust import trust_of
from maestro.ledger.folder import FolderStore
from maestro.ledger.log import Log
from tests.maestro.evidence import keys
from tests.maestro.ledger.entries import entry
from tests.runner.governed_runs import NOW, Runs
from tests.support.tools import ROOT

OUTSIDE = ROOT / "tests" / "outside" / "verify_segment.py"


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """A repository with two runs and the checkpoint after the first; to be copied, not changed."""
    runs = Runs(tmp_path_factory.mktemp("twice"))
    assert runs.run("a").code == 0
    assert runs.receipts("checkpoint", str(runs.folder / "kept")).code == 0
    assert runs.run("b").code == 0
    assert runs.receipts("checkpoint", str(runs.folder / "kept2")).code == 0
    return runs


class Copy:
    """A ledger of its own, judged with the keys of the repository it came from."""

    def __init__(self, runs: Runs, folder: Path) -> None:
        self.runs, self.path = runs, folder
        shutil.copytree(runs.ledger, folder)

    def verify(self, *arguments: str, kept: str = "kept") -> tuple[int, str]:
        checkpoint = str(self.runs.folder / kept)
        done = self.runs.receipts("verify", "--store", str(self.path), "--checkpoint", checkpoint, *arguments)
        return done.code, done.out + done.err


@pytest.fixture
def ledger(twice: Runs, tmp_path: Path) -> Copy:
    return Copy(twice, tmp_path / "ledger")


def first_run(ledger: Copy) -> Path:
    """The folder of the run of which the first checkpoint speaks."""
    head = Log(FolderStore(ledger.path)).head()
    assert head is not None
    return ledger.path / str(json.loads(head.tail[0])["name"]).split("/segments")[0]


def test_what_holds_is_said_to_hold(ledger: Copy) -> None:
    code, said = ledger.verify()
    assert code == 0
    assert "proven: nothing of the 1 entry in" in said
    assert "1 entry came since" in said
    assert "0 entries came since" in ledger.verify(kept="kept2")[1]


def test_without_a_checkpoint_completeness_is_not_proven(twice: Runs) -> None:
    said = twice.receipts("verify")
    assert said.code == 0
    assert "not proven: that no run or record is missing at the end" in said.out


def test_a_run_that_was_removed_as_a_whole_is_missing(ledger: Copy) -> None:
    shutil.rmtree(first_run(ledger))
    code, said = ledger.verify()
    assert code == 10
    assert re.search(r"missing: runs/\S+/segments/1\.sigstore\.json: the log lists it", said)
    assert "not proven: that this ledger continues" in said


def test_a_changed_segment_is_seen(ledger: Copy) -> None:
    path = first_run(ledger) / "segments" / "1.sigstore.json"
    path.write_bytes(path.read_bytes() + b" ")
    code, said = ledger.verify()
    assert code == 10
    assert "changed: runs/" in said
    assert "it is not the file that the log lists" in said


def test_a_log_cut_back_with_its_run_is_truncated(ledger: Copy, twice: Runs, tmp_path: Path) -> None:
    """An older state of everything: consistent in itself, and only the checkpoint tells."""
    log = Log(FolderStore(ledger.path))
    head = log.head()
    assert head is not None
    rewritten = tmp_path / "cut"
    shutil.copytree(ledger.path, rewritten)
    (rewritten / "log" / "head").unlink()
    shutil.rmtree(rewritten / json.loads(head.tail[1])["name"].split("/segments")[0])
    from maestro.ledger.entry import parse

    Log(FolderStore(rewritten)).append(
        [parse(head.tail[0])], keys.signer(), trust_of([keys.row()]), since=NOW, origin=head.checkpoint.origin
    )
    ledger.path = rewritten
    code, said = ledger.verify(kept="kept2")
    assert code == 10
    assert "truncated: log/head: the log has 1 entries, the checkpoint known from elsewhere 2" in said
    without = twice.receipts("verify", "--store", str(rewritten))
    assert without.code == 0
    assert "not proven" in without.out


def test_two_histories_under_one_key_are_a_fork(ledger: Copy) -> None:
    log = Log(FolderStore(ledger.path))
    head = log.head()
    assert head is not None
    (ledger.path / "log" / "head").unlink()
    from maestro.ledger.entry import parse

    Log(FolderStore(ledger.path)).append(
        [parse(one) for one in reversed(head.tail)],
        keys.signer(),
        trust_of([keys.row()]),
        since=NOW,
        origin=head.checkpoint.origin,
    )
    code, said = ledger.verify()
    assert code == 10
    assert "forked: log/head" in said
    assert "signed two histories" in said


def test_entries_in_another_order_are_seen(ledger: Copy) -> None:
    path = ledger.path / "log" / "head"
    value = json.loads(path.read_text())
    value["tail"].reverse()
    path.write_text(json.dumps(value))
    code, said = ledger.verify()
    assert code == 10
    assert "changed: log/head: the log's head is not what its checkpoint was signed over" in said


def test_another_log_is_foreign(ledger: Copy) -> None:
    (ledger.path / "log" / "head").unlink()
    Log(FolderStore(ledger.path)).append(
        [entry(0)], keys.signer(), trust_of([keys.row()]), since=NOW, origin="example.com/other"
    )
    code, said = ledger.verify()
    assert code == 10
    assert "foreign: log/head: the checkpoint is of 'maestro-ledger-" in said


def test_a_log_signed_by_a_stranger_is_foreign(ledger: Copy) -> None:
    head = Log(FolderStore(ledger.path)).head()
    assert head is not None
    (ledger.path / "log" / "head").unlink()
    Log(FolderStore(ledger.path)).append(
        [entry(0)], keys.signer("stranger"), trust_of([keys.row("stranger")]), since=NOW, origin=head.checkpoint.origin
    )
    code, said = ledger.verify()
    assert code == 10
    assert "foreign: log/head: the checkpoint is signed by no key that maestro.yaml lists" in said


def test_no_log_at_all_is_missing(ledger: Copy) -> None:
    shutil.rmtree(ledger.path / "log")
    code, said = ledger.verify()
    assert code == 10
    assert "missing: log/head: there is no log here; the checkpoint is of 1 entries" in said


def test_a_segment_that_was_never_entered_is_told(twice: Runs, ledger: Copy) -> None:
    name = first_run(ledger).name
    (ledger.path / "log" / "head").unlink()
    Log(FolderStore(ledger.path)).append([entry(0)], keys.signer(), trust_of([keys.row()]), since=NOW)
    said = twice.receipts("verify", "--store", str(ledger.path))
    assert said.code == 10
    assert f"unlogged: runs/{name}/segments/1.sigstore.json" in said.out
    assert f"`maestro run --resume {name}` enters it" in said.out


def test_garbage_among_the_tiles_is_seen(ledger: Copy) -> None:
    (ledger.path / "log" / "tile").mkdir()
    (ledger.path / "log" / "tile" / "0").write_bytes(b"\0" * 8192)
    code, said = ledger.verify()
    assert code == 10
    assert "extra: log/tile/0: it is no file of this log" in said


def test_a_ledger_of_a_newer_version_says_upgrade(ledger: Copy) -> None:
    path = ledger.path / "log" / "head"
    path.write_bytes(path.read_bytes().replace(b"log/v1", b"log/v7"))
    code, said = ledger.verify()
    assert code == 1
    assert "upgrade maestro-conductor" in said


@pytest.mark.parametrize("data", [b"", b"garbage", b"\xff\n\n", b"a\n1\nAAAA\n\n\xe2\x80\x94 a AAAA\n"])
def test_a_file_that_is_no_checkpoint_is_told(twice: Runs, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "bad").write_bytes(data)
    said = twice.receipts("verify", "--checkpoint", str(tmp_path / "bad"))
    assert said.code == 10
    assert "Traceback" not in said.err
    assert "bad: no checkpoint: the " in said.err
    assert "`maestro receipts checkpoint FILE` writes one" in said.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["verify", "--timestamp", "x"], "speak of a checkpoint"),
        (["verify", "--held-since", "2026-01-01"], "speak of a checkpoint"),
        (["list", "--checkpoint", "x"], "are for `receipts verify`"),
        (["verify", "--checkpoint", "none"], "cannot be read"),
        (["verify", "--checkpoint", "{kept}", "--held-since", "soon"], "is no time"),
        (["verify", "--checkpoint", "{kept}", "--held-since", "2099-01-01"], "yet to come"),
        (["verify", "--checkpoint", "{kept}", "--timestamp", "{kept}"], "lists no authority"),
        (["verify", "--store", "ftp://x"], "must be a folder, s3://"),
        (["checkpoint", "{kept}"], "is there already"),
        (["prove"], "wants a run's id"),
    ],
)
def test_a_wrong_command_line_is_told(twice: Runs, arguments: list[str], words: str) -> None:
    said = twice.receipts(*[one.replace("{kept}", str(twice.folder / "kept")) for one in arguments])
    assert said.code == 2
    assert words in said.err


def test_the_checkpoint_is_printed_and_proven_to_an_outsider(twice: Runs, tmp_path: Path) -> None:
    assert twice.receipts("checkpoint").out.encode() == (twice.folder / "kept2").read_bytes()
    (tmp_path / "key.pem").write_text(keys.signer().public_key_pem)
    for run_id in twice.run_ids():
        proof = twice.receipts("prove", run_id)
        assert proof.code == 0
        (tmp_path / "proof").write_text(proof.out)
        segment = twice.ledger / "runs" / run_id / "segments" / "1.sigstore.json"
        command = [sys.executable, "-I", str(OUTSIDE), str(tmp_path / "key.pem"), str(segment), str(tmp_path / "proof")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stdout.startswith(f"verified: segment 1 of run {run_id}, entry "), done.stderr
        for old, new in ((b"index 0", b"index 1"), (b"index 1", b"index 0"), (b"\n2\n", b"\n3\n")):
            changed = proof.out.encode().replace(old, new)
            if changed != proof.out.encode():
                (tmp_path / "proof").write_bytes(changed)
                assert subprocess.run(command, capture_output=True, check=False).returncode == 1
    assert twice.receipts("prove", "no-such-run").code == 3
    assert len(OUTSIDE.read_text().splitlines()) <= 100


def test_an_outsider_sees_every_change(twice: Runs, tmp_path: Path) -> None:
    """Of segment, proof and checkpoint, each in several places; and a key that is another's."""
    (run_id, other), key = twice.run_ids(), tmp_path / "key.pem"
    segment, proof = tmp_path / "segment", tmp_path / "proof"
    segments = [(twice.ledger / "runs" / one / "segments" / "1.sigstore.json").read_bytes() for one in (run_id, other)]
    said = twice.receipts("prove", run_id).out
    envelope = json.loads(segments[0])
    payload = base64.b64decode(envelope["dsseEnvelope"]["payload"])
    envelope["dsseEnvelope"]["payload"] = base64.b64encode(payload.replace(b'"missing":0', b'"missing":1')).decode()
    lines = said.split("\n")
    mine = keys.signer().public_key_pem

    def answer(data: bytes, text: str, pem: str = mine) -> int:
        for path, content in ((segment, data), (proof, text.encode()), (key, pem.encode())):
            path.write_bytes(content)
        command = [sys.executable, "-I", str(OUTSIDE), str(key), str(segment), str(proof)]
        return subprocess.run(command, capture_output=True, check=False).returncode

    assert answer(segments[0], said) == 0
    assert answer(segments[1], said) == 1, "the proof is another segment's"
    assert answer(json.dumps(envelope).encode(), said) == 1, "the segment is changed"
    assert answer(segments[0], said, keys.signer("stranger").public_key_pem) == 1
    for number, line in enumerate(lines):
        if line:
            at = max(0, len(line) - 5)
            changed = line[:at] + ("B" if line[at] == "A" else "A") + line[at + 1 :]
            assert answer(segments[0], "\n".join([*lines[:number], changed, *lines[number + 1 :]])) != 0, line
            assert answer(segments[0], "\n".join([*lines[:number], *lines[number + 1 :]])) != 0, f"without {line}"


def test_the_export_holds_the_log_as_others_read_it(twice: Runs, tmp_path: Path) -> None:
    assert twice.receipts("export", str(tmp_path / "out")).code == 0
    log = tmp_path / "out" / "log"
    assert (log / "checkpoint").read_bytes() == (twice.folder / "kept2").read_bytes()
    assert sorted(str(path.relative_to(log)) for path in log.rglob("*") if path.is_file()) == [
        "checkpoint",
        "tile/0/000.p/2",
        "tile/entries/000.p/2",
    ]
    assert (log / "tile" / "0" / "000.p" / "2").stat().st_size == 64


def test_resuming_a_complete_run_enters_nothing_twice(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    assert runs.run("a").code == 0
    (run_id,) = runs.run_ids()
    (runs.ledger / "log" / "head").unlink()
    again = runs.run("--resume", run_id)
    assert again.code == 0
    assert ": size 1, root " in again.err
    assert ": size 1, root " in runs.run("--resume", run_id).err


def test_a_log_that_cannot_be_written_leaves_a_run_to_resume(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    (runs.ledger).mkdir(parents=True)
    (runs.ledger / "log").write_text("a file in the way")
    said = runs.run("a")
    assert said.code == 1
    assert "cannot be written" in said.err
    assert "maestro run --resume" in said.err
    (runs.ledger / "log").unlink()
    (run_id,) = runs.run_ids()
    assert runs.run("--resume", run_id).code == 0
    assert runs.receipts("verify").code == 0
