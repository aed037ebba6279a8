from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from maestro.process import Dialogue, OutputTooLarge, ProcessMissing, ProcessTimeout, find_program, run

PYTHON = [sys.executable, "-I", "-c"]
ENV = {"PATH": os.environ["PATH"]}


def is_alive(pid: int) -> bool:
    """Running, not merely waiting to be reaped by whoever inherited it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def is_gone_soon(pid: int) -> bool:
    until = time.monotonic() + 5
    while is_alive(pid):
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def test_outputs_and_exit_code_come_back_apart() -> None:
    done = run([*PYTHON, "import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)"], timeout=20, env=ENV)
    assert (done.returncode, done.stdout, done.stderr) == (7, b"out\n", b"err\n")


def test_an_end_by_signal_is_a_negative_exit_code() -> None:
    assert run([*PYTHON, "import os; os.kill(os.getpid(), 9)"], timeout=20, env=ENV).returncode == -9


def test_nothing_of_the_environment_is_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_CALLER", "x")
    done = run(["env"], timeout=20, env={"PATH": ENV["PATH"], "ONLY": "this"})
    assert sorted(done.stdout.decode().splitlines()) == sorted([f"PATH={ENV['PATH']}", "ONLY=this"])


def test_large_input_and_large_output_at_once_do_not_deadlock() -> None:
    data = os.urandom(1 << 20) * 8
    done = run(["cat"], stdin=data, timeout=60, env=ENV)
    assert done.stdout == data


def test_a_program_that_does_not_read_its_input_is_no_error() -> None:
    done = run([*PYTHON, "import os; os.close(0); print('done')"], stdin=b"x" * (1 << 20), timeout=20, env=ENV)
    assert (done.returncode, done.stdout) == (0, b"done\n")


def test_both_outputs_closed_early_still_waits_for_the_end() -> None:
    code = "import os, time, sys; os.close(1); os.close(2); time.sleep(0.2); os._exit(3)"
    assert run([*PYTHON, code], timeout=20, env=ENV).returncode == 3


def test_timeout_kills_a_child_that_ignores_sigterm_and_its_children(tmp_path: Path) -> None:
    note = tmp_path / "pids"
    code = f"""
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child:
    open({str(note)!r}, "w").write(f"{{os.getpid()}} {{child}}")
time.sleep(600)
"""
    began = time.monotonic()
    with pytest.raises(ProcessTimeout, match="did not end within 1 s"):
        run([*PYTHON, code], timeout=1, env=ENV)
    assert time.monotonic() - began < 10
    assert all(is_gone_soon(int(pid)) for pid in note.read_text().split())


def test_a_grandchild_that_holds_the_pipe_delays_nothing_and_is_ended() -> None:
    code = "import os, time\nchild = os.fork()\nif child: print(child, flush=True); os._exit(0)\ntime.sleep(600)"
    began = time.monotonic()
    done = run([*PYTHON, code], timeout=60, env=ENV)
    assert time.monotonic() - began < 10
    assert done.returncode == 0
    assert is_gone_soon(int(done.stdout))


def test_a_grandchild_in_a_session_of_its_own_delays_nothing() -> None:
    code = """
import os, time
child = os.fork()
if child: print(child, flush=True); os._exit(0)
os.setsid()
time.sleep(30)
"""
    began = time.monotonic()
    done = run([*PYTHON, code], timeout=60, env=ENV)
    assert time.monotonic() - began < 10
    os.kill(int(done.stdout), 9)


def test_a_child_that_never_stops_writing_is_killed() -> None:
    with pytest.raises(OutputTooLarge, match="1,000,000 bytes"):
        run(["yes"], timeout=60, env=ENV, output_limit=1_000_000)


def test_standard_error_counts_towards_the_limit() -> None:
    with pytest.raises(OutputTooLarge):
        run(["sh", "-c", "yes >&2"], timeout=60, env=ENV, output_limit=1_000_000)


def test_a_missing_program_says_so() -> None:
    with pytest.raises(ProcessMissing, match="no-such-program") as caught:
        run(["no-such-program"], timeout=1, env=ENV)
    assert caught.value.remedy is not None


def test_a_file_that_cannot_be_executed_says_so(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF, but not really")
    program.chmod(0o755)
    with pytest.raises(ProcessMissing, match="cannot start"):
        run([str(program)], timeout=1, env=ENV)


def test_a_missing_folder_is_not_called_a_missing_program(tmp_path: Path) -> None:
    with pytest.raises(ProcessMissing, match="no such folder"):
        run(["cat"], timeout=1, env=ENV, cwd=tmp_path / "absent")


def test_programs_of_the_current_folder_are_never_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = tmp_path / "bin" / "conftest"
    planted.parent.mkdir()
    planted.write_text("#!/bin/sh\necho planted\n")
    planted.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    for path in ("bin", ".:bin", ":bin", ""):
        assert find_program("conftest", {"PATH": path}) is None
        with pytest.raises(ProcessMissing):
            run(["conftest"], timeout=5, env={"PATH": path})
    assert find_program("conftest", {"PATH": f"bin:{planted.parent}"}) == planted


def test_a_file_without_the_executable_bit_or_a_folder_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    (tmp_path / "folder").mkdir()
    assert find_program("tool", {"PATH": str(tmp_path)}) is None
    assert find_program("folder", {"PATH": str(tmp_path)}) is None


def test_a_dialogue_answers_and_ends_with_its_children() -> None:
    with Dialogue(["cat"], env=ENV) as dialogue:
        for question in (b"one\n", b"two\n"):
            dialogue.ask(question)
            assert dialogue.answers.readline() == question
    dialogue.close()  # twice is no error


def test_a_dialogue_with_a_dead_program_is_a_broken_pipe_or_an_end_of_file() -> None:
    with Dialogue([*PYTHON, "pass"], env=ENV) as dialogue:
        assert dialogue.answers.readline() == b""
        with pytest.raises(BrokenPipeError):
            for _ in range(10_000):  # more than a pipe holds: it has let go of its end by then, or does while we wait
                dialogue.ask(b"anybody there?\n")
