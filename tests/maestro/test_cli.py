"""The command line itself: what it says to a slip of the hand, and how it ends when its surroundings fail."""

from __future__ import annotations

import datetime as dt
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from maestro.cli import COMMANDS, main
from maestro.world import World

MAESTRO = [sys.executable, "-c", "import sys; from maestro.cli import main; sys.exit(main())"]
ROOT = Path(__file__).resolve().parents[2]
ENVIRON = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LC_ALL": "C"}


def said(*words: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    out, err = io.StringIO(), io.StringIO()
    code = main(list(words), World(environ={}, stdout=out, stderr=err, now=lambda: dt.datetime.now(dt.UTC)))
    return code, out.getvalue(), err.getvalue()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("chekc", "there is no command 'chekc'\n  → did you mean `maestro check`? `maestro --help` lists them"),
        ("polcy list", "'polcy'\n  → did you mean `maestro policy list`?"),
        ("polcy", "did you mean `maestro policy`?"),
        ("policy lst", "'policy lst'\n  → did you mean `maestro policy list`? `maestro policy --help` lists them"),
        ("policy bundle biuld a.tar", "'policy bundle biuld'\n  → did you mean `maestro policy bundle build`?"),
        ("policy", "needs one of: list, test, bundle, diff, parity, stage, audit\n  → `maestro policy --help`"),
        ("policy --all", "needs one of: list, test"),
        ("xyz --help", "there is no command 'xyz'\n  → `maestro --help` lists them"),
        ("--foo", "there is no command '--foo'"),
    ],
)
def test_a_slip_of_the_hand_is_answered_with_what_was_meant(words: str, expected: str) -> None:
    code, out, err = said(*words.split())
    assert (code, out) == (2, "")
    assert expected in err


def test_a_group_of_commands_has_a_help_of_its_own() -> None:
    for words in (("verify", "--help"), ("verify", "-h"), ("help", "verify")):
        code, out, err = said(*words)
        assert (code, err) == (0, "")
        assert out.startswith("usage: maestro verify COMMAND [options]\n\n  verify blob ")
        assert out.count("\n") == 2 + sum(command.name.startswith("verify ") for command in COMMANDS)
    assert said("help") == said("--help")


def test_help_of_a_command_may_stand_before_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        said("help", "policy", "list")
    assert caught.value.code == 0
    assert "usage: maestro policy list" in capsys.readouterr().out


def ended(shell: str, cwd: Path) -> tuple[int, str]:
    """Exit code and standard error of a line of shell in which ``$M`` is maestro."""
    line = ["sh", "-c", shell.replace("$M", '"$0" -c "$1"'), MAESTRO[0], MAESTRO[2]]
    done = subprocess.run(line, cwd=cwd, env=ENVIRON, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stderr


def test_a_stream_that_is_closed_is_no_crash(tmp_path: Path) -> None:
    assert ended("$M --help >&-", tmp_path) == (0, "")
    assert ended("$M explain mc.flags/missing_ttl >&- <&-", tmp_path) == (0, "")
    assert ended("$M chekc 2>&-", tmp_path) == (2, "")


def test_a_full_disk_is_said_and_is_no_success(tmp_path: Path) -> None:
    code, err = ended("$M --help >/dev/full", tmp_path)
    assert (code, err) == (1, "maestro: its output: No space left on device\n  → make room, then run it again\n")


def test_a_reader_that_has_gone_is_not_told_about_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    code, err = ended("$M schema >pipe & : <pipe; wait $!", tmp_path)
    assert (code, err) == (1, "")


@pytest.mark.parametrize(
    ("drill", "number"), [("kill", signal.SIGINT), ("burst", signal.SIGTERM), ("kill", signal.SIGHUP)]
)
def test_what_was_begun_is_cleared_away_when_somebody_ends_it(
    tmp_path: Path, drill: str, number: signal.Signals
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    command = [*MAESTRO, "drill", drill, *(["--kills", "10000"] if drill == "kill" else [])]
    process = subprocess.Popen(
        command, cwd=tmp_path, env={**ENVIRON, "TMPDIR": str(scratch)}, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # these tests may run where it is ignored: nohup
    )  # fmt: skip
    try:
        until = time.monotonic() + 30
        while not list(scratch.glob("*/**/journals/*")) and time.monotonic() < until:
            time.sleep(0.02)
        assert list(scratch.glob("*"))
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
    words = "interrupted" if number == signal.SIGINT else f"ended by {number.name}"
    assert (process.returncode, err.splitlines()[-1]) == (128 + number, f"maestro: {words}")
    assert list(scratch.glob("*")) == []
