"""A run whose machine is gone, resumed in a fresh clone that has only the ledger."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from maestro.ledger.address import parse
from maestro.ledger.opening import open_store
from maestro.ledger.store import Store
from runner.drivers.local_journal import Journals
from runner.kept_runs import STEP_KINDS
from runner.plain_tar import members
from tests.runner.governed_runs import Runs, manifest
from tests.support.git_repo import GitRepo
from tests.support.tools import ROOT

FORTY = "  array: {size: 40}\n"


class Machine(Runs):
    """A clone of somebody's repository, with nothing else of theirs."""

    def __init__(self, folder: Path, other: Runs) -> None:
        folder.mkdir()
        self.folder, self.marks, self.key, self.environ = folder, other.marks, other.key, other.environ
        other.repo.git("clone", "-q", str(other.repo.path), str(folder / "repo"))
        self.repo = GitRepo(folder / "repo")


def begun(runs: Runs, *arguments: str) -> subprocess.Popen[bytes]:
    """``maestro run`` in a process of its own."""
    code = "import sys; from maestro.cli import main; sys.exit(main())"
    environ = {**runs.repo.environ, **runs.environ, "PYTHONPATH": str(ROOT)}
    argv = [sys.executable, "-P", "-c", code, "run", *arguments]
    with (runs.folder / "said").open("w") as said:
        return subprocess.Popen(argv, cwd=runs.repo.path, env=environ, stderr=said)


def wait_until(what: Callable[[], bool]) -> None:
    until = time.monotonic() + 40
    while not what():
        assert time.monotonic() < until, "too slow"
        time.sleep(0.02)


def power_cut(runs: Runs, dispatcher: subprocess.Popen[bytes]) -> None:
    """Nothing of the run is left on its machine: neither who dispatches nor who watches."""
    (run_id,) = runs.run_ids()
    journals = Journals(runs.ledger / "runs" / run_id / "journals")
    list(journals.read())
    dispatcher.kill()
    for file in journals.files.values():
        if file.header is not None and file.alive:
            os.kill(file.header["pid"], signal.SIGKILL)
    dispatcher.wait()
    wait_until(lambda: not journals.any_slot_alive)


def script(folder: Path) -> str:
    """Leaves a mark; the first ten end at once, the others only when everybody may go."""
    return (
        f"echo $MAESTRO_ARRAY_INDEX >> {folder}/marks; "
        f"test $MAESTRO_ARRAY_INDEX -lt 10 || test -e {folder}/go || exec sleep 60"
    )


@pytest.fixture
def bare(tmp_path: Path) -> str:
    path = tmp_path / "ledger.git"
    subprocess.run(["git", "init", "--quiet", "--bare", path], check=True)
    return f"git+file://{path}"


def receipts_in(store: Store) -> int:
    """How many receipts the steps of all runs carry."""
    steps = [store.read(name) for name in store.names("runs/") if "/steps/" in name]
    names = [name for step in steps if step is not None for name, _ in members(step.data, STEP_KINDS)]
    return sum(name.startswith("receipts/") for name in names)


def interrupted(tmp_path: Path, address: str | None, more: str = "") -> tuple[Runs, str]:
    """A run of forty that lost its machine when ten had ended and four were running."""
    config = "" if address is None else f"ledger: {{store: '{address}'}}\n"
    many = manifest("many", script(tmp_path), f"{FORTY}{more}")
    runs = Runs(tmp_path, config=config, files={"manifests/many.yaml": many})
    process = begun(runs, "many")
    wait_until(lambda: len(runs.ran) >= 14)
    if address is not None:
        store = open_store(parse(address), tmp_path, os.environ)
        wait_until(lambda: receipts_in(store) >= 10)
    power_cut(runs, process)
    (tmp_path / "go").touch()
    (run_id,) = runs.run_ids()
    return runs, run_id


def test_what_ended_stays_what_was_claimed_is_unknown_the_rest_runs(bare: str, tmp_path: Path) -> None:
    runs, run_id = interrupted(tmp_path, bare)
    before = set(runs.ran)
    other = Machine(tmp_path / "other", runs)
    said = other.run("--resume", run_id)
    assert said.code == 10, said.err
    assert "UNKNOWN Manifest/many[10]" in said.err
    assert "session 1 claimed it on another machine, and nothing says what became of it" in said.err
    assert len(runs.ran) == len(set(runs.ran)), "nothing twice"
    assert before < set(runs.ran)
    verified = other.receipts("verify")
    assert verified.code == 0, verified.out + verified.err
    assert "40 receipts of 1 run believed" in verified.out
    listed = other.receipts("list").out
    unknown = 40 - len(set(runs.ran)) + 4  # claimed and never begun, or begun and never seen to end
    assert f"{unknown} unknown" in listed, listed
    assert f"{40 - unknown} succeeded" in listed, listed
    assert unknown <= 4 + 10
    again = other.run("--resume", run_id)
    assert "it was complete already: nothing was started" in again.err
    # and whoever comes back to the first machine is told
    late = runs.run("--resume", run_id)
    assert "another machine has gone on with this run: what was here is now in" in late.err
    assert "it was complete already: nothing was started" in late.err
    assert (runs.ledger / "superseded").is_dir()


def test_a_folder_is_resumed_in_its_place(tmp_path: Path) -> None:
    runs, run_id = interrupted(tmp_path, None)
    other = Machine(tmp_path / "other", runs)
    said = other.run("--resume", run_id, "--ledger", str(runs.ledger))
    assert said.code == 10, said.err
    assert "36 succeeded, 4 unknown; 40 receipts" in said.err
    assert sorted(runs.ran) == sorted(str(index) for index in range(40))
    assert not other.run_ids()
    assert runs.receipts("verify").code == 0
    again = other.run("--resume", run_id, "--ledger", str(runs.ledger))
    assert "it was complete already: nothing was started" in again.err


def test_one_that_was_asleep_claims_and_signs_nothing_more(bare: str, tmp_path: Path) -> None:
    many = manifest("many", script(tmp_path), FORTY)
    runs = Runs(tmp_path, config=f"ledger: {{store: '{bare}'}}\n", files={"manifests/many.yaml": many})
    with begun(runs, "many") as asleep:
        wait_until(lambda: len(runs.ran) >= 14)
        asleep.send_signal(signal.SIGSTOP)
        (run_id,) = runs.run_ids()
        (tmp_path / "go").touch()
        other = Machine(tmp_path / "other", runs)
        said = other.run("--resume", run_id)
        assert said.code == 10, said.err
        ran = runs.ran
        kept = other.receipts("list", "--format", "json").out
        asleep.send_signal(signal.SIGCONT)
        power = Journals(runs.ledger / "runs" / run_id / "journals")
        list(power.read())
        for record in power.seen.values():
            if record.end is None and record.start is not None:
                os.kill(record.start["pid"], signal.SIGTERM)
        asleep.wait()
    words = (runs.folder / "said").read_text()
    assert asleep.returncode == 1, words
    assert "another machine has taken over the run" in words
    assert "nothing more is started here" in words
    assert len(runs.ran) == len(set(runs.ran)), "nothing twice"
    assert set(runs.ran) - set(ran) <= set(re.findall(r"UNKNOWN Manifest/many\[(\d+)\]", said.err)), "claimed before"
    assert other.receipts("list", "--format", "json").out == kept
    assert other.receipts("verify").code == 0


# What cannot be resumed, said so that somebody knows what to do next


def test_no_such_run_names_those_that_were_cut_short(bare: str, tmp_path: Path) -> None:
    runs = Runs(tmp_path, config=f"ledger: {{store: '{bare}'}}\n")
    assert runs.run("a").code == 0
    (done,) = runs.run_ids()
    store = open_store(parse(bare), tmp_path, os.environ)
    step = store.read(f"runs/{done}/steps/1.tar.gz")
    assert step is not None
    store.create("runs/cut-short/steps/1.tar.gz", step.data)
    other = Machine(tmp_path / "other", runs)
    said = other.run("--resume", "never-was")
    assert (said.code, runs.ran) == (2, ["a"])
    assert "there is no run never-was in git+file://" in said.err
    assert "→ what was cut short there: cut-short\n" in said.err
    said = other.run("--resume", "cut-short")  # another run's step under its name
    assert said.code == 10
    assert f"the session is number 1 of the run '{done}'" in said.err


def test_a_commit_that_is_not_here_and_one_that_is_another(bare: str, tmp_path: Path) -> None:
    runs = Runs(tmp_path, config=f"ledger: {{store: '{bare}'}}\n")
    other = Machine(tmp_path / "other", runs)
    runs.repo.commit({"README.md": "one more"})
    assert runs.run("a").code == 0
    (run_id,) = runs.run_ids()
    said = other.run("--resume", run_id)
    assert said.code == 2
    commit = runs.repo.git("rev-parse", "HEAD")[:12]
    assert f"the run {run_id} is of the commit {commit}, which is not in this repository" in said.err
    assert "→ fetch the default branch with its history" in said.err
    other.repo.git("pull", "-q")
    said = other.run("--resume", run_id, "--rev", "HEAD~1")
    assert said.code == 2
    assert f"the run {run_id} is of the commit {commit}, not of" in said.err
    assert "→ leave --rev out" in said.err
    assert runs.ran == ["a"]


def test_a_place_that_is_no_ledger(bare: str, tmp_path: Path) -> None:
    runs = Runs(tmp_path, config=f"ledger: {{store: '{bare}'}}\n")
    for arguments, says in (
        (("--resume", "x", "--ledger", str(tmp_path / "nowhere")), "there is no such ledger"),
        (("--resume", "x", "--ledger", "ftp://x"), "--ledger must be a folder, s3://"),
        (("a", "--ledger", str(tmp_path)), "--ledger is for --resume"),
    ):
        said = runs.run(*arguments)
        assert (said.code, says in said.err) == (2, True), said.err
    said = runs.run("--resume", "x", "--ledger", f"git+file://{tmp_path}/gone.git")
    assert said.code == 1
    assert "the ledger's git repository cannot be used" in said.err
    assert runs.ran == []
