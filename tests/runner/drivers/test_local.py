"""The local driver: the contract, and what a process can do to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from maestro.errors import ToolFailure, UsageError
from runner.clock import anchor
from runner.drivers.drill_process import DrillFolder, records
from runner.drivers.local import LocalDriver
from runner.drivers.local_slots.marks import mark_of
from runner.drivers.local_slots.proc import birth_of, kill_that, parent_of
from runner.execution import Ending, Task, executions_of
from tests.runner.drivers.contract import RUN, DriverContract, one, python

ROOT = Path(__file__).resolve().parents[3]


class TestLocalDriver(DriverContract):
    """Every test of the contract, and those below."""

    log_limit = 1 << 20
    slots = 2

    def driver(self, folder: Path, environ: Mapping[str, str]) -> LocalDriver:
        """A driver with short waits."""
        return LocalDriver(
            folder,
            environ,
            anchor(datetime.now(UTC)),
            slots=self.slots,
            log_limit=self.log_limit,
            grace_seconds=0.3,
            retry_seconds=0.0,
        )

    def pids(self) -> list[int]:
        """The processes that left their pid in the marks."""
        return [int(path.name) for path in self.marks.iterdir() if path.name.isdigit()]

    def gone(self) -> bool:
        """Whether all of them have ended."""
        return all(birth_of(pid) is None for pid in self.pids())

    def test_a_child_that_ignores_sigterm_is_killed(self) -> None:
        code = "import signal as s, time; s.signal(s.SIGTERM, s.SIG_IGN); print('up', flush=True); time.sleep(60)"
        ending, log = self.only(Task("Manifest/a", python(code), timeout_seconds=0.5))
        assert (ending.last.outcome, ending.last.signal, log) == ("timed_out", 9, b"up\n")

    def test_a_child_that_ends_itself_on_sigterm_may(self) -> None:
        ending, log = self.only(
            Task("Manifest/a", ("sh", "-c", "trap 'echo bye; exit 3' TERM; sleep 60 & wait"), timeout_seconds=0.3)
        )
        assert (ending.last.outcome, ending.last.exit_code, log) == ("timed_out", 3, b"bye\n")

    def escape(self, parent_sleeps: str) -> tuple[str, ...]:
        """A command that leaves a detached grandchild behind, in a session of its own, with an empty environment."""
        code = textwrap.dedent(
            f"""
            import os, signal, time
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            mark = lambda: open({str(self.marks)!r} + "/%d" % os.getpid(), "w").close()
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    os.execve({sys.executable!r}, ["python", "-I", "-S", "-c",
                        "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
                        "open({str(self.marks)!r} + '/%d' % os.getpid(), 'w').close(); time.sleep(60)"], {{}})
                os._exit(0)
            mark()
            while len(os.listdir({str(self.marks)!r})) < 2:
                time.sleep(0.01)
            time.sleep({parent_sleeps})
            """
        )
        return python(code)

    def test_a_time_out_ends_what_escaped(self) -> None:
        ending, _ = self.only(Task("Manifest/a", self.escape("60"), timeout_seconds=1.0))
        assert ending.last.outcome == "timed_out"
        assert ending.last.stopped_leftovers >= 1
        assert len(self.pids()) == 2
        assert self.gone()

    def test_what_is_left_behind_by_a_success_is_ended_and_counted(self) -> None:
        ending, _ = self.only(Task("Manifest/a", self.escape("0")))
        assert (ending.last.outcome, ending.last.stopped_leftovers) == ("succeeded", 1)
        assert len(self.pids()) == 2
        assert self.gone()

    def test_a_flood_of_output_is_cut_in_the_middle_and_says_so(self) -> None:
        code = "import sys; w = sys.stdout.buffer.write; w(b'first\\n'); [w(b'x' * 65536) for _ in range(640)]"
        code += "; w(b'last\\n')"
        ending, log = self.only(Task("Manifest/a", python(code)))
        assert ending.last.log is not None
        total = 40 * (1 << 20) + 11
        assert ending.last.outcome == "succeeded"
        assert len(log) < (1 << 20) + (1 << 17)
        assert log.startswith(b"first\nxxx")
        assert log.endswith(b"xxxlast\n")
        notice = b"\n[maestro: at least %d bytes left out here]\n" % ending.last.log.dropped
        assert notice in log
        # "At least": what is written between a look and its cut goes uncounted, for no call does both at once.
        assert 0 < ending.last.log.dropped <= total - (len(log) - len(notice))

    def test_a_flood_that_never_ends_does_not_fill_the_disk(self) -> None:
        biggest = 0
        done = threading.Event()

        def look() -> None:
            nonlocal biggest
            while not done.wait(0.02):
                for log in self.folder.glob("logs/*"):
                    biggest = max(biggest, log.stat().st_blocks * 512)

        thread = threading.Thread(target=look)
        thread.start()
        # 5 MB each 50 ms: the disk may hold what is written between two looks, not what is written in all
        code = "import os, time\nwhile True: os.write(1, b'x' * 5_000_000); time.sleep(0.05)"
        ending, log = self.only(Task("Manifest/a", python(code), timeout_seconds=1.5))
        done.set()
        thread.join()
        assert ending.last.outcome == "timed_out"
        assert ending.last.log is not None
        assert ending.last.log.dropped > 3 * biggest
        assert len(log) < (1 << 20) + (1 << 17)

    def test_folders_are_private_empty_and_gone_afterwards(self) -> None:
        script = "pwd; echo $HOME; echo $TMPDIR; ls -A . $TMPDIR | wc -l; touch left; mkdir -p $TMPDIR/a/b"
        executions = list(executions_of(RUN, Task("Manifest/a", ("sh", "-c", script)), 4))
        for ending in self.execute(executions).values():
            assert ending.last.log is not None
            cwd, home, tmp, listed = self.log(self.folder, ending.last.log.name).decode().split()
            assert cwd == home
            assert listed == "3"  # the two names and the line between them, nothing in them
            assert not Path(home).exists()
            assert not Path(tmp).exists()

    @pytest.mark.parametrize(
        ("command", "says"),
        [
            (("./here",), "relative path"),
            (("/no/such/file",), "No such file"),
            (("/etc/passwd",), "Permission denied"),
            (("true", "a\0b"), "null"),
            (("true", "x" * 200_000), "Argument list too long"),
        ],
        ids=["relative", "absolute", "not-executable", "nul", "too-long"],
    )
    def test_what_cannot_be_started_says_why(self, command: tuple[str, ...], says: str) -> None:
        ending, log = self.only(Task("Manifest/a", command, attempts=3, idempotent=True))
        assert (ending.last.outcome, ending.last.number, log) == ("not_started", 1, b"")
        assert says in str(ending.last.reason)

    def test_relative_entries_of_path_are_not_searched(self) -> None:
        (self.marks / "evil").write_text("#!/bin/sh\necho evil\n")
        (self.marks / "evil").chmod(0o755)
        self.environ["PATH"] = f".:{os.path.relpath(self.marks)}:/usr/bin:/bin"
        ending, _ = self.only(Task("Manifest/a", ("evil",)))
        assert ending.last.outcome == "not_started"
        _, log = self.only(Task("Manifest/b", ("sh", "-c", "echo $PATH")))
        assert log == b"/usr/bin:/bin\n"

    def test_a_manifest_cannot_forge_its_own_identity(self) -> None:
        task = Task("Manifest/a", ("env",), env={"MAESTRO_EXECUTION_ID": "x", "MAESTRO_ARRAY_INDEX": "9"})
        _, log = self.only(task)
        assert f"MAESTRO_EXECUTION_ID={one(task)[0].id}\n".encode() in log
        assert b"ARRAY_INDEX" not in log

    def test_standard_input_is_empty_and_no_descriptor_leaks(self) -> None:
        _, log = self.only(Task("Manifest/a", ("sh", "-c", "cat; ls /proc/self/fd")))
        assert log.split() == [b"0", b"1", b"2", b"3"]  # 3 is what ls reads the folder with

    def test_signals_are_as_a_shell_gives_them(self) -> None:
        _, log = self.only(Task("Manifest/a", ("sh", "-c", "grep -E '^Sig(Ign|Blk)' /proc/self/status")))
        masks = [int(line.split()[1], 16) for line in log.splitlines()]
        assert [mask & 0x7FFFFFFF for mask in masks] == [0, 0]  # beyond are the C library's own

    def test_the_supervisor_shows_no_secret_in_its_environment_or_arguments(self) -> None:
        command = ("sh", "-c", "cat /proc/$PPID/environ /proc/$PPID/cmdline")
        _, log = self.only(Task("Manifest/a", command, secrets={"DB_URL": "env:DB"}))
        assert b"supervisor" in log
        assert b"hunter2" not in log

    def test_an_image_alone_cannot_run_here(self) -> None:
        with pytest.raises(UsageError, match="no command"):
            self.driver(self.folder, {}).provision(None, one(Task("Manifest/a", None, image="x")))

    def test_an_unknown_kind_of_secret_is_refused(self) -> None:
        with pytest.raises(UsageError, match="aws-sm"):
            self.driver(self.folder, {}).provision(None, one(Task("Manifest/a", ("true",), secrets={"A": "aws-sm:b"})))

    # Killing what watches

    def start_dispatcher(self, script: str, size: int, **task: object) -> subprocess.Popen[bytes]:
        """Another process that dispatches, so that it can be killed."""
        code = textwrap.dedent(
            f"""
            import pathlib
            from datetime import UTC, datetime
            from runner.clock import anchor
            from runner.drivers.local import LocalDriver
            from runner.execution import Task, executions_of
            task = Task("Manifest/a", ("sh", "-c", {script!r}), **{task!r})
            executions = executions_of({RUN!r}, task, {size})
            now = anchor(datetime.now(UTC))
            driver = LocalDriver(pathlib.Path({str(self.folder)!r}), {self.environ!r}, now, slots=2)
            driver.provision(None, executions)
            for ending in driver.execute(executions, session=1):
                print(ending.execution_id, flush=True)
            """
        )
        environ = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
        return subprocess.Popen([sys.executable, "-c", code], env=environ, cwd=self.marks, stdout=subprocess.DEVNULL)

    def slots_of_the_run(self) -> list[int]:
        """The pids that the journals name."""
        headers = [json.loads(path.read_bytes().split(b"\n")[0]) for path in self.folder.glob("journals/*")]
        return [header["pid"] for header in headers if header["pid"]]

    @pytest.mark.parametrize("moment", [1, 7, 23])
    def test_a_killed_dispatcher_is_resumed_without_running_anything_twice(self, moment: int) -> None:
        script = f"echo $MAESTRO_ARRAY_INDEX >> {self.marks}/n; sleep 0.02"
        dispatcher = self.start_dispatcher(script, 40)
        self.wait_for(moment)
        dispatcher.kill()
        dispatcher.wait()
        executions = list(executions_of(RUN, Task("Manifest/a", ("sh", "-c", script)), 40))
        endings = self.execute(executions, session=2)
        assert {ending.last.outcome for ending in endings.values()} == {"succeeded"}
        assert len(endings) == 40
        assert sorted(map(int, self.marked())) == list(range(40))

    def kill_all(self, script: str, size: int, **task: object) -> None:
        dispatcher = self.start_dispatcher(script, size, **task)
        self.wait_for(1)
        time.sleep(0.3)  # the slot writes down that it started what has left its mark already
        slots = self.slots_of_the_run()
        (supervisor,) = {parent_of(pid) or 0 for pid in slots}
        dispatcher.kill()
        assert kill_that(supervisor, _is_supervisor)
        for pid in slots:
            kill_that(pid, lambda pid: mark_of(pid) is not None)
        dispatcher.wait()

    def test_with_every_watcher_killed_the_outcome_is_unknown_and_stays_so(self) -> None:
        self.slots = 1
        script = f"echo x >> {self.marks}/n; sleep 1.5; echo y >> {self.marks}/n"
        self.kill_all(script, 1)
        executions = list(executions_of(RUN, Task("Manifest/a", ("sh", "-c", script)), 1))
        endings = self.execute(executions, session=2)
        (ending,) = endings.values()
        assert (ending.last.outcome, ending.last.exit_code, ending.last.ended) == ("unknown", None, None)
        assert ending.last.started is not None
        assert self.marked() == ["x", "y"]  # what still ran was waited for
        assert self.execute(executions, session=3) == endings

    def test_an_unknown_outcome_is_tried_again_where_that_does_no_harm(self) -> None:
        script = f"echo x >> {self.marks}/n; sleep 1.5"
        self.kill_all(script, 1, attempts=2, idempotent=True)
        task = Task("Manifest/a", ("sh", "-c", script), attempts=2, idempotent=True)
        (ending,) = self.execute(list(executions_of(RUN, task, 1)), session=2).values()
        assert [attempt.outcome for attempt in ending.attempts] == ["unknown", "succeeded"]
        assert self.marked() == ["x", "x"]

    def test_what_outlives_its_watchers_is_ended_at_its_deadline(self) -> None:
        script = f"echo x >> {self.marks}/n; sleep 60"
        start = time.monotonic()
        self.kill_all(script, 1, timeout_seconds=1.0)
        (ending,) = self.execute(
            list(executions_of(RUN, Task("Manifest/a", ("sh", "-c", script)), 1)), session=2
        ).values()
        assert ending.last.outcome == "unknown"
        assert time.monotonic() - start < 20

    def test_what_does_not_end_in_time_is_handed_over(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("runner.drivers.local.DRAIN_SECONDS", 0.1)
        script = f"echo x >> {self.marks}/n; until [ -e {self.marks}/go ]; do sleep 0.05; done"
        executions = list(executions_of(RUN, Task("Manifest/a", ("sh", "-c", script)), 2))
        driver = self.driver(self.folder, self.environ)

        def drain() -> None:
            self.wait_for(2)
            driver.drain()

        thread = threading.Thread(target=drain)
        thread.start()
        endings = list(driver.execute(executions, session=1))
        thread.join()
        assert endings == []
        (self.marks / "go").touch()
        again = self.execute(executions, session=2)
        assert {ending.last.outcome for ending in again.values()} == {"succeeded"}
        assert {ending.last.session for ending in again.values()} == {1}
        assert self.marked() == ["x", "x"]

    def test_many_at_once_and_what_each_leaves_behind_is_its_own(self) -> None:
        self.slots = 40
        script = "sleep 30 & [ $MAESTRO_ARRAY_INDEX = 0 ] && setsid env -i sleep 31 & sleep 1"
        executions = list(executions_of(RUN, Task("Manifest/a", ("sh", "-c", script)), 40))
        endings = self.execute(executions)
        left = [endings[execution.id].last.stopped_leftovers for execution in executions]
        assert {ending.last.outcome for ending in endings.values()} == {"succeeded"}
        assert left[0] >= 2
        assert min(left) >= 1

    def test_a_killed_slot_takes_its_command_along_and_the_rest_goes_on(self) -> None:
        script = f"echo $MAESTRO_ARRAY_INDEX >> {self.marks}/n; touch {self.marks}/$$; sleep 1"
        executions = list(executions_of(RUN, Task("Manifest/a", ("sh", "-c", script)), 4))

        def kill() -> None:
            self.wait_for(2)  # each slot runs one
            assert kill_that(self.slots_of_the_run()[0], lambda pid: mark_of(pid) is not None)

        thread = threading.Thread(target=kill)
        thread.start()
        endings = self.execute(executions)
        thread.join()
        outcomes = sorted(ending.last.outcome for ending in endings.values())
        assert outcomes == ["succeeded"] * 3 + ["unknown"]
        assert sorted(map(int, self.marked())) == list(range(4))
        assert self.gone()

    @pytest.mark.parametrize("error", ["EAGAIN", "ENOMEM"])
    def test_where_no_process_can_be_had_what_runs_goes_on_and_the_rest_waits(
        self, error: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.slots = 4
        self.break_watchers(monkeypatch, f"OSError(errno.{error}, 'none')", "posix_spawn", "2 <= calls <= 6")
        executions = list(
            executions_of(RUN, Task("Manifest/a", ("sh", "-c", f"echo x >> {self.marks}/n; sleep 0.3")), 12)
        )
        endings = self.execute(executions)
        assert [ending.last.outcome for ending in endings.values()] == ["succeeded"] * 12
        assert self.marked() == ["x"] * 12

    def test_where_no_process_can_be_had_at_all_it_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.break_watchers(monkeypatch, "OSError(errno.EAGAIN, 'no room for it')", "posix_spawn", "True")
        executions = one(Task("Manifest/a", ("sh", "-c", f"echo x >> {self.marks}/n")))
        with pytest.raises(ToolFailure, match=r"1 execution not started: .*no room for it"):
            self.execute(executions)
        monkeypatch.undo()
        assert [ending.last.outcome for ending in self.execute(executions).values()] == ["succeeded"]

    def test_a_full_disk_ends_nothing_that_runs_and_loses_no_ending(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.break_watchers(monkeypatch, "OSError(errno.ENOSPC, 'the disk is full')", "posix_fallocate", "calls > 1")
        self.slots = 8
        script = f"echo $MAESTRO_ARRAY_INDEX >> {self.marks}/n; sleep 0.2"
        executions = list(executions_of(RUN, Task("Manifest/a", ("sh", "-c", script)), 400))
        driver = self.driver(self.folder, self.environ)
        endings: list[Ending] = []
        with pytest.raises(ToolFailure, match=r"not started: the disk is full"):
            endings += driver.execute(executions, session=1)
        monkeypatch.undo()
        ran = set(map(int, self.marked()))
        rest = [execution for execution in executions if execution.index not in ran][:2]
        again = self.execute([one for one in executions if one.index in ran] + rest, session=2)
        assert {ending.last.outcome for ending in again.values()} == {"succeeded"}
        assert sorted(map(int, self.marked())) == sorted(ran | {one.index or 0 for one in rest})

    def break_watchers(self, monkeypatch: pytest.MonkeyPatch, error: str, call: str, when: str) -> None:
        """Have a call of ``os`` fail in each watcher, by how often it was called there."""
        monkeypatch.setattr(
            "runner.drivers.local_slots.supervisor.BOOT",
            textwrap.dedent(
                f"""
                import errno, os, sys
                sys.path.append(sys.argv[1])
                from runner.drivers.local_slots.supervisor import main
                real, calls = os.{call}, 0
                def broken(*arguments, **named):
                    global calls
                    calls += 1
                    if {when}:
                        raise {error}
                    return real(*arguments, **named)
                os.{call} = broken
                main()
                """
            ),
        )

    @pytest.mark.parametrize("moment", ["before", "while its work is put together", "after"])
    def test_draining_while_the_supervisor_is_being_started(self, moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
        script = f"echo x >> {self.marks}/n; sleep 0.3"
        executions = list(executions_of(RUN, Task("Manifest/a", ("sh", "-c", script)), 200))
        scratch = self.marks / "scratch"
        scratch.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(scratch))
        driver = self.driver(self.folder, self.environ)
        real, dumps = subprocess.Popen, json.dumps

        def start(*arguments: Any, **named: Any) -> subprocess.Popen[bytes]:
            if moment == "before":
                driver.drain()
            process = real(*arguments, **named)
            if moment == "after":
                driver.drain()
            return process

        def write(work: object) -> str:
            driver.drain()
            return dumps(work)

        monkeypatch.setattr("runner.drivers.local.subprocess.Popen", start)
        if moment == "while its work is put together":
            monkeypatch.setattr("runner.drivers.local.json.dumps", write)
        endings = list(driver.execute(executions, session=1))
        monkeypatch.undo()
        assert len(endings) == len(self.marked())
        assert not endings  # nothing had started, so nothing does
        assert not list(scratch.iterdir())
        assert len(self.execute(executions[:3], session=2)) == 3

    def test_after_a_power_failure_what_may_have_run_is_unknown(self) -> None:
        self.slots = 1
        executions = list(executions_of(RUN, Task("Manifest/a", ("sh", "-c", f"echo x >> {self.marks}/n")), 100))
        self.execute(executions[:1])
        (journal,) = self.folder.glob("journals/*")
        header, horizon, *_ = journal.read_bytes().rstrip(b"\0").splitlines()
        changed = json.loads(header) | {"boot": "another"}
        ids = [execution.id for execution in executions[:64]]
        lines = [changed, json.loads(horizon) | {"ids": ids}]
        journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
        for log in self.folder.glob("logs/*"):
            log.unlink()
        endings = self.execute(executions, session=2)
        outcomes = [endings[execution.id].last.outcome for execution in executions]
        assert outcomes == ["unknown"] * 64 + ["succeeded"] * 36

    def test_two_drivers_on_one_run_share_the_work(self) -> None:
        executions = list(
            executions_of(RUN, Task("Manifest/a", ("sh", "-c", f"echo $MAESTRO_ARRAY_INDEX >> {self.marks}/n")), 60)
        )
        other: dict[str, object] = {}
        thread = threading.Thread(target=lambda: other.update(self.execute(executions, session=2)))
        thread.start()
        mine = self.execute(executions, session=1)
        thread.join()
        assert sorted(map(int, self.marked())) == list(range(60))
        assert len(mine) == len(other) == 60

    def test_a_log_that_cannot_be_created_starts_nothing_and_loses_nothing(self) -> None:
        executions = one(Task("Manifest/a", ("sh", "-c", f"echo x >> {self.marks}/n")))
        driver = self.driver(self.folder, self.environ)
        driver.provision(None, executions)
        self.folder.mkdir(exist_ok=True)
        (self.folder / "logs").symlink_to("/proc")  # a folder in which nobody can create anything
        with pytest.raises(ToolFailure, match=r"1 execution not started: a command's log cannot be created"):
            list(driver.execute(executions, session=1))
        assert not self.marked()
        (self.folder / "logs").unlink()
        (ending,) = self.execute(executions, session=2).values()
        assert ending.last.outcome == "succeeded"

    def test_a_folder_that_cannot_be_made_is_told(self) -> None:
        executions = one(Task("Manifest/a", ("true",)))
        self.folder.write_text("in the way")
        with pytest.raises(ToolFailure, match="the ledger cannot be written"):
            list(self.driver(self.folder, self.environ).execute(executions, session=1))


def _is_supervisor(pid: int) -> bool:
    return b"local_slots.supervisor" in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_what_comes_one_by_one_waits_for_the_disk_once(tmp_path: Path) -> None:
    drill = DrillFolder(tmp_path)
    assert drill.start(30, slots=2, command=["true"], rate=100).wait() == 0
    covers = [one["ids"] for one in records(drill.run) if one["kind"] == "horizon"]
    assert len(covers) <= 4  # of two watchers, each of which may take over what the other has left
    assert {one for ids in covers for one in ids} == {one["id"] for one in records(drill.run) if one["kind"] == "start"}
    assert all(len(ids) == len(set(ids)) for ids in covers)
