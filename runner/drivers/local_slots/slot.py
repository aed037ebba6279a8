"""A slot: runs one command after the other, and accounts for each."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time

from runner.drivers.local_slots.journal import Journal
from runner.drivers.local_slots.log_cut import LogCut
from runner.drivers.local_slots.proc import birth_of, boot_id, living_children, signal_quietly
from runner.drivers.local_slots.scratch import Scratch

# pathlib would double the time this takes to start
# ruff: noqa: PTH113, PTH117, PTH118
TYPE_CHECKING = False  # and so would typing
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

HORIZON = 64
"""Ids that one write to the disk covers; twice as many as long as they are through within a second."""
HORIZON_LIMIT = 1024
HORIZON_SECONDS = 1.0
TICK = 0.1
REASON_LIMIT = 500
SWEEP_SECONDS = 10.0
DEFAULTED = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)


class SlotBroken(Exception):
    """The slot cannot go on; what it has not claimed by now it never will."""


class Slot:
    """Runs one command at a time."""

    def __init__(self, work: dict[str, Any], number: int) -> None:
        self.work = work
        self.number = number
        self.logs = work["logs"]
        self.scratch = Scratch(work["scratch"], number)
        self.cancelled = False
        self.programs: dict[tuple[str, str], str] = {}
        self.journal = Journal(f"{work['journal']}.{number}.jsonl")

    def main(self) -> None:
        """Walk down the work and run what nobody else has claimed."""
        signal.signal(signal.SIGTERM, self._on_cancel)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        pid = os.getpid()
        self.journal.add(
            {
                "kind": "slot",
                "session": self.work["session"],
                "pid": pid,
                "birth": birth_of(pid),
                "boot": boot_id(),
                "anchor_wall": self.work["anchor_wall"],
                "anchor_mono": self.work["anchor_mono"],
            }
        )
        jobs = self.work["jobs"]
        end, size, since = 0, HORIZON // 2, time.monotonic()
        for place, (execution, task, index, attempt) in enumerate(jobs):
            if self._stopping():
                return
            if place == end:
                now = time.monotonic()
                size, since = min(2 * size, HORIZON_LIMIT) if now - since < HORIZON_SECONDS else HORIZON, now
                end = place + size
                self.journal.add({"kind": "horizon", "ids": [job[0] for job in jobs[place:end]]}, durable=True)
            self._run(execution, self.work["tasks"][task], index, attempt)

    def _on_cancel(self, _number: int, _frame: FrameType | None) -> None:
        self.cancelled = True

    def _stopping(self) -> bool:
        if self.cancelled:
            return True
        return bool(select.select([0], [], [], 0)[0]) and not os.read(0, 1)

    def _run(self, execution: str, task: dict[str, Any], index: int | None, attempt: int) -> None:
        last = attempt + task["attempts_left"] - 1
        delay = self.work["retry_seconds"]
        while True:
            outcome = self._attempt(execution, task, index, attempt, last)
            if outcome not in ("failed", "timed_out") or attempt >= last:
                return
            attempt += 1
            until = time.monotonic() + delay
            while time.monotonic() < until:
                if self._stopping():
                    return
                time.sleep(min(TICK, delay))
            delay = min(delay * 2, 60.0)

    def _attempt(self, execution: str, task: dict[str, Any], index: int | None, attempt: int, last: int) -> str | None:
        """Claim and run; the outcome, or None when somebody else had claimed it."""
        log = os.path.join(self.logs, f"{execution}.{attempt}.log")
        if os.path.lexists(log):
            return None
        self.journal.reserve()
        try:
            self.scratch.enter()
        except OSError as error:
            raise SlotBroken(f"no working folder can be made: {error.strerror}") from error
        claimed = time.monotonic_ns()
        record: dict[str, Any] = {"kind": "end", "id": execution, "attempt": attempt, "claimed": claimed}
        environ = self._environ(execution, task, index)
        command = task["command"]
        program, reason = self._find(command[0], environ.get("PATH", ""))
        if program is None:
            if not self._claim_without_starting(log):
                return None
            return self._end(record, "not_started", final=True, reason=reason)
        try:
            pid = os.posix_spawn(
                program,
                command,
                environ,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600),
                    (os.POSIX_SPAWN_DUP2, 1, 2),
                ],
                setsid=True,
                setsigmask=[],
                setsigdef=DEFAULTED,
            )
        except FileExistsError:  # only opening the log says this: it was claimed between the look and the leap
            return None
        except OSError as error:
            # The log is opened before the program is: without a log it was the log, or no process could be had.
            if not os.path.lexists(log):
                raise SlotBroken(f"a command's log cannot be created: {error.strerror}") from error
            reason = f"{command[0]} could not be started: {error.strerror}"
            return self._end(record, "not_started", final=True, reason=reason)
        except ValueError as error:  # a NUL in an argument
            if not self._claim_without_starting(log):
                return None
            return self._end(record, "not_started", final=True, reason=f"{command[0]} could not be started: {error}")
        started = time.monotonic_ns()
        deadline = started + int(task["timeout"] * 1e9)
        self.journal.add(
            {
                "kind": "start",
                "id": execution,
                "attempt": attempt,
                "claimed": claimed,
                "started": started,
                "deadline": deadline,
            }
        )
        record["started"] = started
        cut = LogCut(log, self.work["log_limit"])
        stopped = self._watch(pid, deadline, cut)
        signal_quietly(os.killpg, pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
        record["leftovers"] = self._sweep()
        record["dropped"] = cut.finish()
        code = os.waitstatus_to_exitcode(status)
        if self.cancelled and code == -signal.SIGTERM:
            stopped = stopped or "cancelled"  # the signal to our group found it before it had its own
        exit_code, number = (code, None) if code >= 0 else (None, -code)
        outcome = stopped or ("succeeded" if code == 0 else "failed")
        final = outcome in ("succeeded", "cancelled") or attempt >= last
        reason = f"ran longer than {task['timeout']:g} s" if stopped == "timed_out" else None
        return self._end(record, outcome, final=final, exit_code=exit_code, signal=number, reason=reason)

    def _end(self, record: dict[str, Any], outcome: str, *, final: bool, **more: object) -> str:
        record.update(more, outcome=outcome, ended=time.monotonic_ns(), final=final)
        if record.get("reason"):
            record["reason"] = record["reason"][:REASON_LIMIT]
        self.journal.add(record)
        with contextlib.suppress(OSError):  # a full pipe wakes the reader anyway; without a reader the journal counts
            os.write(1, b".")
        return outcome

    def _claim_without_starting(self, log: str) -> bool:
        try:
            fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return False
        except OSError as error:
            raise SlotBroken(f"a log cannot be created: {error.strerror}") from error
        os.close(fd)
        return True

    def _environ(self, execution: str, task: dict[str, Any], index: int | None) -> dict[str, str]:
        environ = {"PATH": self.work["path"], "HOME": self.scratch.home, "TMPDIR": self.scratch.tmp}
        environ.update(task["env"])
        for name, reference in task["secrets"].items():
            environ[name] = self.work["secrets"][reference]
        environ["MAESTRO_EXECUTION_ID"] = execution
        environ.pop("MAESTRO_ARRAY_INDEX", None)
        if index is not None:
            environ["MAESTRO_ARRAY_INDEX"] = str(index)
        return environ

    def _find(self, name: str, path: str) -> tuple[str | None, str | None]:
        """The program's absolute path, or None and why. Relative entries of PATH are not searched."""
        if "/" in name:
            if os.path.isabs(name):
                return name, None
            return None, f"{name}: a command with a relative path; the working folder is empty, so name it absolutely"
        known = self.programs.get((name, path))
        if known is None:
            for folder in path.split(":"):
                full = os.path.join(folder, name)
                if os.path.isabs(folder) and os.path.isfile(full) and os.access(full, os.X_OK):
                    known = self.programs[name, path] = full
                    break
            else:
                return None, f"{name}: command not found on PATH"
        return known, None

    def _watch(self, pid: int, deadline: int, cut: LogCut) -> str | None:
        """Wait until the command has ended (it is not reaped yet). Why it was stopped, or None."""
        wait = Waiter(pid)
        stopped = None
        try:
            while True:
                left = (deadline - time.monotonic_ns()) / 1e9
                if wait.ended(max(0.0, min(TICK, left))):
                    return stopped
                cut.check()
                if self.cancelled:
                    stopped = "cancelled"
                elif left <= TICK / 1000:
                    stopped = "timed_out"
                if stopped:
                    self._stop(pid, wait, cut)
                    return stopped
        finally:
            wait.close()

    def _stop(self, pid: int, wait: Waiter, cut: LogCut) -> None:
        """SIGTERM to all that belongs to the command, SIGKILL after the grace."""
        signal_quietly(os.killpg, pid, signal.SIGTERM)
        for child in living_children():
            if child != pid:
                signal_quietly(os.kill, child, signal.SIGTERM)
        until = time.monotonic() + self.work["grace_seconds"]
        while time.monotonic() < until:
            if wait.ended(min(TICK, max(0.0, until - time.monotonic()))):
                return
            cut.check()
        signal_quietly(os.killpg, pid, signal.SIGKILL)
        wait.ended(SWEEP_SECONDS)

    def _sweep(self) -> int:
        """End and reap everything the command left behind; how many processes that were."""
        seen: set[int] = set()
        until = time.monotonic() + SWEEP_SECONDS
        while True:
            try:
                reaped, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return len(seen)
            if reaped:
                continue
            for child in living_children():
                seen.add(child)
                signal_quietly(os.kill, child, signal.SIGKILL)
            if time.monotonic() > until:
                raise SlotBroken("processes that a command left behind cannot be ended")
            time.sleep(0.001)


class Waiter:
    """Waits for a child to end without reaping it."""

    def __init__(self, pid: int) -> None:
        self.fd = os.pidfd_open(pid)
        self.poll = select.poll()
        self.poll.register(self.fd, select.POLLIN)

    def ended(self, seconds: float) -> bool:
        """Wait at most so long; whether it has ended."""
        return bool(self.poll.poll(seconds * 1000))

    def close(self) -> None:
        """Free the descriptor."""
        os.close(self.fd)
