"""The contract of every driver: inherit from ``DriverContract``, say how to make one, and run it."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from maestro.errors import ToolFailure, UsageError
from policy.placement import Placement
from runner.drivers.driver import Driver
from runner.execution import Claimed, Ending, Execution, Task, executions_of

RUN = f"run-{os.getpid()}"
"""Of this process alone: what runs beside it with the same executions would be taken for its own."""


def python(code: str) -> tuple[str, ...]:
    """A command that runs ``code``."""
    return (sys.executable, "-I", "-S", "-c", code)


def one(task: Task) -> list[Execution]:
    """Its only execution."""
    return list(executions_of(RUN, task, None))


class DriverContract:
    """What any engine must keep."""

    def driver(self, folder: Path, environ: Mapping[str, str]) -> Driver:
        """A new driver on what ``folder`` holds of the run: as after a restart of the dispatcher."""
        raise NotImplementedError

    def log(self, folder: Path, name: str) -> bytes:
        """A collected log's bytes."""
        return (folder / name).read_bytes()

    @pytest.fixture(autouse=True)
    def _prepare(self, tmp_path: Path) -> Iterator[None]:
        self.folder = tmp_path / "run"
        self.marks = tmp_path / "marks"
        self.marks.mkdir()
        self.environ = {"PATH": "/usr/bin:/bin", "OUTSIDE": "leak", "DB": "hunter2"}
        yield

    def execute(self, executions: list[Execution], session: int = 1) -> dict[str, Ending]:
        """Run them all with a new driver; the endings by execution."""
        driver = self.driver(self.folder, self.environ)
        driver.provision(Placement("local", "here", "batch"), executions)
        endings = list(driver.execute(executions, session=session))
        assert len({ending.execution_id for ending in endings}) == len(endings)
        for ending in endings:
            logs = driver.collect_logs(ending.execution_id)
            assert logs == tuple(attempt.log for attempt in ending.attempts)
        return {ending.execution_id: ending for ending in endings}

    def wait_for(self, count: int) -> None:
        """Until so many marks were left."""
        until = time.monotonic() + 20
        while time.monotonic() < until:
            if len(self.marked()) >= count:
                return
            time.sleep(0.005)
        raise AssertionError("too slow")

    def marked(self) -> list[str]:
        """The lines of the common mark."""
        path = self.marks / "n"
        return path.read_text().split() if path.exists() else []

    def only(self, task: Task) -> tuple[Ending, bytes]:
        """Run a task's one execution: its ending, and its last log."""
        (ending,) = self.execute(one(task)).values()
        assert ending.last.log is not None
        return ending, self.log(self.folder, ending.last.log.name)

    def test_a_command_runs_and_its_output_is_the_log(self) -> None:
        ending, log = self.only(Task("Manifest/a", ("sh", "-c", "echo out; echo err >&2")))
        assert (ending.last.outcome, ending.last.exit_code, ending.last.signal) == ("succeeded", 0, None)
        assert log == b"out\nerr\n"
        assert ending.last.log is not None
        assert ending.last.log.size == 8

    def test_an_exit_code_and_a_signal_are_told_apart(self) -> None:
        ending, _ = self.only(Task("Manifest/a", ("sh", "-c", "exit 7")))
        assert (ending.last.outcome, ending.last.exit_code, ending.last.signal) == ("failed", 7, None)
        ending, _ = self.only(Task("Manifest/b", ("sh", "-c", "kill -11 $$")))
        assert (ending.last.outcome, ending.last.exit_code, ending.last.signal) == ("failed", None, 11)

    def test_times_are_in_order(self) -> None:
        last = self.only(Task("Manifest/a", ("sleep", "0.5")))[0].last
        times = [last.published, last.claimed, last.started, last.ended]
        assert None not in times
        assert times == sorted(times)  # type: ignore[type-var]
        assert last.run_seconds is not None
        assert 0.1 <= last.run_seconds < 20  # a busy machine sees the start late

    def test_the_environment_is_exactly_what_the_interface_says(self) -> None:
        secrets = {"DB_URL": "env:DB"}
        task = Task("Manifest/a", ("env",), env={"GREETING": "hé=llo"}, secrets=secrets)
        _, log = self.only(task)
        lines = dict(line.split("=", 1) for line in log.decode().splitlines())
        assert set(lines) == {"PATH", "HOME", "TMPDIR", "MAESTRO_EXECUTION_ID", "GREETING", "DB_URL"}
        assert lines["DB_URL"] == "hunter2"
        assert lines["GREETING"] == "hé=llo"
        assert lines["MAESTRO_EXECUTION_ID"] == one(task)[0].id

    def test_an_array_runs_once_per_index(self) -> None:
        task = Task("Manifest/a", ("sh", "-c", "echo $MAESTRO_ARRAY_INDEX"))
        executions = list(executions_of(RUN, task, 20))
        endings = self.execute(executions)
        said = {e.index: self.log(self.folder, endings[e.id].last.log.name) for e in executions}  # type: ignore[union-attr]
        assert said == {index: b"%d\n" % index for index in range(20)}

    def test_a_missing_secret_stops_everything_before_it_starts(self) -> None:
        bad = Task("Manifest/b", ("true",), secrets={"KEY": "env:NOT_SET"})
        executions = one(Task("Manifest/a", ("touch", str(self.marks / "a")))) + one(bad)
        driver = self.driver(self.folder, self.environ)
        with pytest.raises(UsageError, match="NOT_SET"):
            driver.provision(None, executions)
        assert not list(self.marks.iterdir())

    def test_a_program_that_is_not_there_is_an_ending_not_a_crash(self) -> None:
        ending, log = self.only(Task("Manifest/a", ("no-such-program",)))
        assert ending.last.outcome == "not_started"
        assert ending.last.exit_code is None
        assert "no-such-program" in str(ending.last.reason)
        assert log == b""

    def test_a_time_out_ends_it(self) -> None:
        start = time.monotonic()
        ending, log = self.only(Task("Manifest/a", ("sh", "-c", "echo on; sleep 60"), timeout_seconds=0.2))
        assert ending.last.outcome == "timed_out"
        assert log == b"on\n"
        assert time.monotonic() - start < 20

    def test_only_what_is_idempotent_is_tried_again(self) -> None:
        script = f"echo x >> {self.marks}/$0; exit 1"
        once = Task("Manifest/a", ("sh", "-c", script, "once"))
        more = Task("Manifest/b", ("sh", "-c", script, "more"), attempts=3, idempotent=True)
        endings = self.execute(one(once) + one(more))
        assert [a.number for a in endings[one(once)[0].id].attempts] == [1]
        assert [a.outcome for a in endings[one(more)[0].id].attempts] == ["failed"] * 3
        assert (self.marks / "once").read_text() == "x\n"
        assert (self.marks / "more").read_text() == "x\nx\nx\n"

    def test_a_later_success_ends_the_trying(self) -> None:
        script = f"[ -e {self.marks}/seen ] || {{ touch {self.marks}/seen; exit 1; }}"
        ending, _ = self.only(Task("Manifest/a", ("sh", "-c", script), attempts=5, idempotent=True))
        assert [attempt.outcome for attempt in ending.attempts] == ["failed", "succeeded"]

    def test_executing_again_runs_nothing_again_and_tells_the_same(self) -> None:
        executions = list(executions_of(RUN, Task("Manifest/a", ("sh", "-c", f"echo x >> {self.marks}/n")), 5))
        first = self.execute(executions)
        assert self.execute(executions, session=2) == first
        assert (self.marks / "n").read_text() == "x\n" * 5

    def test_what_was_left_when_the_iteration_stopped_is_run_next_time(self) -> None:
        executions = list(executions_of(RUN, Task("Manifest/a", ("sh", "-c", f"echo x >> {self.marks}/n")), 40))
        driver = self.driver(self.folder, self.environ)
        driver.provision(None, executions)
        iterator = driver.execute(executions, session=1)
        next(iterator)
        iterator.close()  # type: ignore[attr-defined]
        assert len((self.marks / "n").read_text().split()) < 40
        endings = self.execute(executions, session=2)
        assert len(endings) == 40
        assert {attempt.session for ending in endings.values() for attempt in ending.attempts} == {1, 2}
        assert (self.marks / "n").read_text() == "x\n" * 40

    def test_what_may_not_start_is_told_only_as_far_as_it_ran_before(self) -> None:
        executions = list(executions_of(RUN, Task("Manifest/a", ("sh", "-c", f"echo x >> {self.marks}/n")), 4))
        self.execute(executions[:2])
        driver = self.driver(self.folder, self.environ)
        held = {execution.id for execution in executions}
        endings = list(driver.execute(executions, session=2, start_nothing_of=held))
        assert {ending.execution_id for ending in endings} == {execution.id for execution in executions[:2]}
        assert (self.marks / "n").read_text() == "x\n" * 2

    def test_nothing_starts_before_it_is_claimed(self) -> None:
        executions = list(executions_of(RUN, Task("Manifest/a", ("sh", "-c", f"echo x >> {self.marks}/n")), 30))
        claimed: list[Execution] = []

        def claim(those: Sequence[Execution]) -> None:
            time.sleep(0.05)  # what would start without it has the time to
            assert len(self.marked()) <= len(claimed)
            claimed.extend(those)

        driver = self.driver(self.folder, self.environ)
        driver.provision(None, executions)
        endings = list(driver.execute(executions, session=1, claim=claim))
        assert len(endings) == len(self.marked()) == 30
        assert sorted(one.id for one in claimed) == sorted(one.id for one in executions), "each once"

    def test_what_cannot_be_claimed_does_not_start(self) -> None:
        executions = list(executions_of(RUN, Task("Manifest/a", ("sh", "-c", f"echo x >> {self.marks}/n")), 60))
        claimed: list[Execution] = []

        def claim(those: Sequence[Execution]) -> None:
            if claimed:
                raise ToolFailure("somebody else has the run")
            claimed.extend(those)

        driver = self.driver(self.folder, self.environ)
        driver.provision(None, executions)
        with pytest.raises(ToolFailure, match="somebody else"):
            list(driver.execute(executions, session=1, claim=claim))
        assert len(self.marked()) <= len(claimed) < 60

    def test_what_was_lost_elsewhere_is_unknown_and_runs_again_where_it_is_idempotent(self) -> None:
        script = ("sh", "-c", f"echo x >> {self.marks}/n")
        (once,) = executions_of(RUN, Task("Manifest/a", script), None)
        (again,) = executions_of(RUN, Task("Manifest/b", script, idempotent=True, attempts=3), None)
        lost = dict.fromkeys((once.id, again.id), (Claimed(1, "2026-11-23T11:00:00+00:00"),))
        for _ in range(2):
            driver = self.driver(self.folder, self.environ)
            endings = {one.execution_id: one for one in driver.execute([once, again], session=2, lost=lost)}
            assert [(one.outcome, one.session) for one in endings[once.id].attempts] == [("unknown", 1)]
            assert [(one.outcome, one.session) for one in endings[again.id].attempts] == [
                ("unknown", 1),
                ("succeeded", 2),
            ]
            assert endings[once.id].last.published == "2026-11-23T11:00:00.000000+00:00"
            assert "session 1 claimed it on another machine" in (endings[once.id].last.reason or "")
        assert len(self.marked()) == 1

    def test_draining_starts_nothing_more_and_lets_what_runs_end(self) -> None:
        script = f"echo x >> {self.marks}/n; sleep 0.5"
        executions = list(executions_of(RUN, Task("Manifest/a", ("sh", "-c", script)), 20))
        driver = self.driver(self.folder, self.environ)

        def drain() -> None:
            self.wait_for(2)
            driver.drain()

        thread = threading.Thread(target=drain)
        thread.start()
        endings = list(driver.execute(executions, session=1))
        thread.join()
        assert {ending.last.outcome for ending in endings} == {"succeeded"}
        assert len(endings) == len(self.marked()) < 20
        assert len(self.execute(executions, session=2)) == 20
        assert len(self.marked()) == 20

    def test_cancelling_ends_what_runs_and_starts_nothing_more(self) -> None:
        executions = list(
            executions_of(RUN, Task("Manifest/a", ("sh", "-c", f"echo x >> {self.marks}/n; sleep 60")), 40)
        )
        driver = self.driver(self.folder, self.environ)
        driver.provision(None, executions)

        def cancel() -> None:
            while not (self.marks / "n").exists():
                time.sleep(0.01)
            driver.cancel()

        thread = threading.Thread(target=cancel)
        thread.start()
        endings = list(driver.execute(executions, session=1))
        thread.join()
        assert endings
        assert {ending.last.outcome for ending in endings} == {"cancelled"}
        assert len(endings) < 40
