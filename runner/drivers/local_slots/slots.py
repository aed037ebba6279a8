"""The slots of one process: it starts commands in them, watches all of them at once, and accounts for each."""

from __future__ import annotations

import contextlib
import errno
import heapq
import os
import select
import signal
import time

from runner.drivers.local_slots.journal import RESERVE, Journal
from runner.drivers.local_slots.log_cut import LogCut
from runner.drivers.local_slots.marks import Marks, identity, mark_of
from runner.drivers.local_slots.proc import birth_of, boot_id, living_children, signal_quietly
from runner.drivers.local_slots.python_command import python_command
from runner.drivers.local_slots.scratch import Scratches
from runner.drivers.local_slots.warm import Warm, WorkerLost
from runner.scheduler import Scheduler

# pathlib would double the time this takes to start
# ruff: noqa: PTH113, PTH117, PTH118
TYPE_CHECKING = False  # and so would typing
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

    from runner.drivers.local_slots.scratch import Scratch

HORIZON = 64
"""Ids that one write to the disk covers, or as many as there are slots; twice as many while that lasts a second."""
HORIZON_LIMIT = 1024
HORIZON_SECONDS = 1.0
TICK = 0.1
BATCH = 32
"""Commands started before the ended ones are looked at again."""
LEASE_TICK = 0.02
LEASE_SIZE = 4
"""Bytes: the place of a job that may start now, in a file that the dispatcher only adds to."""
LOGS_A_TICK = 256
"""Logs looked at each tick beside those that grew when last looked at."""
MOST = 512
"""Bytes; more than the record of the start of a command, or of the end of one that was started."""
REASON_LIMIT = 500
SHORT_OF = (errno.EAGAIN, errno.ENOMEM)
"""The machine has no room for another process now."""
PAUSE = 1.0
"""Seconds until that is tried again, while others run that will make room."""
SWEEP_SECONDS = 10.0
SWEEP_PAUSE = 10_000
"""Nanoseconds for each command that runs, until children are looked at again: a look costs a tenth of that for each."""
WARM_MOST = 8
"""Programs that one process keeps ready, those with the most executions first."""
WARM_SECONDS = 30.0
"""For a program's imports; what takes longer is not kept ready."""
DEFAULTED = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)


class SlotBroken(Exception):
    """The slots cannot go on; what they have not claimed by now they never will."""


class Job:
    """One execution that is to run, from its ``attempt`` on."""

    __slots__ = ("attempt", "delay", "execution", "index", "published", "task")

    def __init__(self, execution: str, task: dict[str, Any], index: int | None, attempt: int, published: int) -> None:
        self.execution = execution
        self.task = task
        self.index = index
        self.attempt = attempt
        self.published = published
        self.delay: float | None = None

    @property
    def place(self) -> dict[str, Any]:
        """What the scheduler goes by."""
        return {"class_": self.task["class"], "tenant": self.task["tenant"], "pool": self.task["pool"]}


class Prepared:
    """An execution with everything that it needs to be started."""

    __slots__ = ("environ", "job", "log", "program", "scratch")

    def __init__(self, job: Job, log: str, program: str, environ: dict[str, str], scratch: Scratch) -> None:
        self.job = job
        self.log = log
        self.program = program
        self.environ = environ
        self.scratch = scratch


class Running:
    """A command between its start and the record of its end."""

    __slots__ = (
        "cut",
        "deadline",
        "job",
        "kill_at",
        "leftovers",
        "mark",
        "pid",
        "record",
        "scratch",
        "status",
        "stopped",
        "sweep_until",
    )

    def __init__(self, job: Job, pid: int, mark: int, record: dict[str, Any], cut: LogCut, scratch: Scratch) -> None:
        self.job = job
        self.pid = pid
        self.mark = mark
        self.record = record
        self.cut = cut
        self.scratch = scratch
        self.deadline = record["started"] + int(job.task["timeout"] * 1e9)
        self.kill_at: int | None = None
        self.stopped: str | None = None
        self.status: int | None = None
        self.leftovers: set[int] = set()
        self.sweep_until = 0


class Slots:
    """Runs up to ``share`` commands at once.

    Whatever a command starts inherits its *mark*, a limit (RLIMIT_RTTIME) that nothing here is bound by, that nobody
    without privileges can raise again, and that is another one for each command. This process is a subreaper, so what
    outlives its parent becomes a child of this process, and the mark says which command it belongs to.
    """

    def __init__(self, work: dict[str, Any], number: int) -> None:
        self.work = work
        self.number = number
        self.logs = work["logs"]
        self.scratches = Scratches(work["scratch"], number)
        self.cancelled = False
        self.letting_go = False
        self.broken: str | None = None
        self.programs: dict[tuple[str, str], str] = {}
        self.journal = Journal(f"{work['journal']}.{number}.jsonl")
        workers, slots = work["workers"], work["slots"]
        pools = {pool: _share(size, workers, number) for pool, size in work["pools"].items()}
        self.closed = {pool for pool, size in pools.items() if not size}
        self.scheduler = Scheduler(_share(slots, workers, number), pools)
        self.later: list[tuple[int, int, Job]] = []
        self.covered: set[str] = set()
        self.horizon = max(HORIZON // 2, self.scheduler.slots)
        self.horizon_at = time.monotonic()
        self.by_pid: dict[int, Running] = {}
        self.by_mark: dict[int, Running] = {}
        self.sweeping: list[Running] = []
        self.sweep_at = 0
        self.untold = False
        self.deadlines: list[tuple[int, int]] = []
        self.hot: set[int] = set()
        self.look_at: list[int] = []
        self.next_tick = 0
        self.others_added = workers == 1
        self.warm: dict[int, Warm] = {}
        self.warm_pids: set[int] = set()
        self.leases = None if work["leases"] is None else os.open(work["leases"], os.O_RDONLY | os.O_CLOEXEC)
        self.leases_heard = 0
        self.leased: set[int] = set()
        self.unleased: dict[int, Job] = {}
        self.marks = Marks(identity(self.logs))
        self.wake, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

    def main(self) -> None:
        """Run what is this process's share, then whatever nobody else has claimed."""
        signal.signal(signal.SIGTERM, self._on_cancel)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        pid = os.getpid()
        mark = self._mark("", 0)
        if mark_of(pid) != mark:
            raise SlotBroken("this kernel does not tell the limits of a process (RLIMIT_RTTIME in /proc)")
        self.journal.add(
            {
                "kind": "slot",
                "session": self.work["session"],
                "pid": pid,
                "birth": birth_of(pid),
                "boot": boot_id(),
                "anchor_wall": self.work["anchor_wall"],
                "anchor_mono": self.work["anchor_mono"],
                "slots": self.scheduler.slots,
            }
        )
        jobs = self._jobs(self.number)
        self._warm_up([job for _, job in jobs])
        for place, job in jobs:
            self._wait_for_lease(place, job)
        self._sleep(0.0)  # the dispatcher may have ended by now, or want nothing started any more
        while True:
            self._reap()
            self._tick()
            self._hear_leases()
            busy = not self._stopping() and self._start_or_stop()
            if not self.by_pid and not self.sweeping and not busy and (self._stopping() or self._all_done()):
                break
            self._sleep(0.0 if busy else TICK)
        if self.broken is not None:
            raise SlotBroken(self.broken)

    def _start_or_stop(self) -> bool:
        """Start some; what stands in the way of starting ends nothing that runs."""
        try:
            return self._start_some()
        except SlotBroken as error:
            self.broken = str(error)
        except OSError as error:
            self.broken = f"{error.strerror or error} {error.filename or ''}".strip()
        finally:
            self._write_down()
        self.letting_go = True
        return False

    def _jobs(self, share: int) -> list[tuple[int, Job]]:
        workers = self.work["workers"]
        return [
            (place, Job(execution, self.work["tasks"][task], index, attempt, published))
            for place, (execution, task, index, attempt, published) in enumerate(self.work["jobs"])
            if place % workers == share
        ]

    def _on_cancel(self, _number: int, _frame: FrameType | None) -> None:
        self.cancelled = True

    def _stopping(self) -> bool:
        return self.cancelled or self.letting_go

    def _all_done(self) -> bool:
        return not self.later and not self.scheduler.waiting and not self.unleased and self.others_added

    def _sleep(self, seconds: float) -> None:
        """Until a signal, the dispatcher's end, or so long."""
        if seconds and self.sweeping:
            seconds = max(0.001, (self.sweep_at - time.monotonic_ns()) / 1e9)
        elif seconds and self.later:
            seconds = min(seconds, max(0.0, (self.later[0][0] - time.monotonic_ns()) / 1e9))
        if self.unleased:
            seconds = min(seconds, LEASE_TICK)
        watched = [self.wake] if self.letting_go else [self.wake, 0]
        ready = select.select(watched, [], [], seconds)[0]
        if self.wake in ready:
            with contextlib.suppress(BlockingIOError):
                while os.read(self.wake, 4096):
                    pass
        if 0 in ready and not os.read(0, 1):
            self.letting_go = True

    # What waits

    def _wait_for_lease(self, place: int, job: Job) -> None:
        """It may not start before the dispatcher says that it is claimed, where the dispatcher says so at all."""
        if self.leases is None or place in self.leased:
            self._wait_for_turn(job, job.published)
        else:
            self.unleased[place] = job

    def _hear_leases(self) -> None:
        if self.leases is None:
            return
        while len(data := os.pread(self.leases, LEASE_SIZE << 10, self.leases_heard)) >= LEASE_SIZE:
            whole = len(data) // LEASE_SIZE * LEASE_SIZE
            self.leases_heard += whole
            for at in range(0, whole, LEASE_SIZE):
                place = int.from_bytes(data[at : at + LEASE_SIZE], "little")
                self.leased.add(place)
                job = self.unleased.pop(place, None)
                if job is not None:
                    self._wait_for_turn(job, job.published)

    def _wait_for_turn(self, job: Job, at: int) -> None:
        if job.task["pool"] in self.closed:
            return  # another process has the pool's places, and takes it over
        if at > time.monotonic_ns():
            heapq.heappush(self.later, (at, id(job), job))
        else:
            self.scheduler.add(job, **job.place)

    def _start_some(self) -> bool:
        """Start up to a batch; whether there may be more to start at once."""
        now = time.monotonic_ns()
        while self.later and self.later[0][0] <= now:
            job = heapq.heappop(self.later)[2]
            self.scheduler.add(job, **job.place)
        ready: list[Prepared] = []
        room = True
        # All are prepared, then all are started: what a command's start leaves in the processor's caches is not ours.
        for _ in range(BATCH):
            taken: Job | None = self.scheduler.take()
            if taken is None:
                room = False
                break
            self._cover(taken)
            one = self._prepare(taken)
            if one is None:
                self.scheduler.ended(**taken.place)
            else:
                ready.append(one)
        for one in ready:
            if not self._start(one):
                self.scheduler.ended(**one.job.place)
                room = True
        return room or self._take_over()

    def _take_over(self) -> bool:
        """There is room and nothing of its own to fill it: what others have not claimed yet."""
        if self.others_added or self.scheduler.running >= self.scheduler.slots or self.later:
            return False
        self.others_added = True
        for share in range(self.work["workers"]):
            if share != self.number:
                for place, job in self._jobs(share):
                    if not os.path.lexists(self._log(job)):
                        self._wait_for_lease(place, job)
        return True

    def _cover(self, job: Job) -> None:
        """Have on the disk, before it starts, that it may have run."""
        if job.execution in self.covered:
            return
        now = time.monotonic()
        if now - self.horizon_at < HORIZON_SECONDS:
            self.horizon = max(self.horizon, min(2 * self.horizon, HORIZON_LIMIT))
        self.horizon_at = now
        ids = [job.execution]
        soon = [*self.scheduler.upcoming(self.horizon), *(one for _, _, one in heapq.nsmallest(HORIZON, self.later))]
        ids += [one.execution for one in soon if one.execution not in self.covered and one is not job]
        self.journal.add({"kind": "horizon", "ids": ids}, durable=True)
        self.covered.update(ids)

    # What is kept ready

    def _warm_up(self, jobs: list[Job]) -> None:
        """Start a process for each Python program of the warm class that runs often, and wait until they are ready."""
        tasks: dict[int, dict[str, Any]] = {}
        count: dict[int, int] = {}
        for job in jobs:
            if job.task["class"] == "warm":
                tasks[id(job.task)] = job.task
                count[id(job.task)] = count.get(id(job.task), 0) + 1
        often = sorted((each for each in count if count[each] >= self.work["warm_from"]), key=lambda each: -count[each])
        ready = [(each, self._kept_ready(tasks[each], count[each])) for each in often[:WARM_MOST]]
        until = time.monotonic() + WARM_SECONDS
        for each, warm in ready:
            if warm is None:
                continue
            refused = warm.ready(until, self._told_to_stop)
            if refused is None:
                self.warm[each] = warm
            else:
                warm.end()
            if not self._stopping():
                self.journal.add({"kind": "warm", "task": tasks[each]["subject"], "refused": refused})

    def _told_to_stop(self) -> bool:
        self._sleep(0.0)
        return self._stopping()

    def _kept_ready(self, task: dict[str, Any], executions: int) -> Warm | None:
        """A process that gets a task's program ready; None where it is no Python program, or cannot be started."""
        try:
            scratch = self.scratches.take()
        except OSError as error:
            raise SlotBroken(f"no working folder can be made: {error.strerror}") from error
        os.chdir(scratch.home)
        environ = self._environ_of(task, scratch)
        path = environ.get("PATH", "")
        program = self._find(task["command"][0], path)[0] or ""
        command = python_command(program, task["command"][1:], lambda name: self._find(name, path)[0])
        if command is None:
            self.scratches.give_back(scratch)
            return None
        mark = self._mark("warm", 0)
        try:
            return Warm(command, environ, executions=executions, mark=mark, alive=self.warm_pids, defaulted=DEFAULTED)
        except (OSError, ValueError):  # it will be told of each execution
            self.scratches.give_back(scratch)
            return None

    def _lost(self, job: Job) -> None:
        """What was to start a job did not say whether it has: end it, and whatever of the job there is."""
        self.warm.pop(id(job.task)).end()
        until = time.monotonic() + SWEEP_SECONDS
        while strangers := [child for child in self._strangers() if mark_of(child) not in self.by_mark]:
            if time.monotonic() > until:
                raise SlotBroken("what was kept ready cannot be ended")
            for child in strangers:
                signal_quietly(os.kill, child, signal.SIGKILL)
                os.waitpid(child, 0)

    def _spawn(self, one: Prepared, mark: int) -> int:
        """Start a command that claims its log; its process id.

        Raises:
            FileExistsError: it is claimed already.
            OSError, ValueError: it cannot be started; it is claimed if the log is there.
            WorkerLost: it is claimed, and nobody knows whether it has run.
        """
        warm = self.warm.get(id(one.job.task))
        if warm is not None:
            try:
                return warm.start(one.log, mark, one.scratch, one.environ)
            except WorkerLost as error:
                self._lost(one.job)
                if error.claimed:  # not whether there is a log: another process of ours may have made it meanwhile
                    raise
        return os.posix_spawn(
            one.program,
            one.job.task["command"],
            one.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, one.log, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
            setsigmask=[],
            setsigdef=DEFAULTED,
        )

    # Starting

    def _log(self, job: Job) -> str:
        return os.path.join(self.logs, f"{job.execution}.{job.attempt}.log")

    def _mark(self, execution: str, attempt: int) -> int:
        try:
            return self.marks.take(execution, attempt)
        except (OSError, ValueError) as error:
            raise SlotBroken(f"commands cannot be told apart: RLIMIT_RTTIME cannot be set ({error})") from error

    def _prepare(self, job: Job) -> Prepared | None:
        """Everything short of the claim; None where there is nothing to start."""
        log = self._log(job)
        if os.path.lexists(log):
            return None
        try:
            scratch = self.scratches.take()
        except OSError as error:
            raise SlotBroken(f"no working folder can be made: {error.strerror}") from error
        environ = self._environ(job, scratch)
        program, reason = self._find(job.task["command"][0], environ.get("PATH", ""))
        if program is None:
            self.scratches.give_back(scratch)
            self._never_started(job, log, self._record(job), reason)
            return None
        return Prepared(job, log, program, environ, scratch)

    def _record(self, job: Job) -> dict[str, Any]:
        """What its end will say, as far as that is known when it is claimed: now."""
        self.journal.reserve(RESERVE + MOST * (len(self.by_pid) + len(self.sweeping) + self.journal.waiting))
        return {
            "kind": "end",
            "id": job.execution,
            "attempt": job.attempt,
            "published": job.published,
            "claimed": time.monotonic_ns(),
        }

    def _start(self, one: Prepared) -> bool:
        """Claim and start; whether it runs now."""
        job, log, scratch = one.job, one.log, one.scratch
        record = self._record(job)
        os.chdir(scratch.home)
        mark = self._mark(job.execution, job.attempt)
        warm = self.warm.get(id(job.task))
        born = time.clock_gettime_ns(time.CLOCK_BOOTTIME) if warm is None else warm.born
        try:
            pid = self._spawn(one, mark)
        except FileExistsError:  # only opening the log says this: it was claimed between the look and the leap
            self.scratches.give_back(scratch)
            return False
        except OSError as error:
            self.scratches.give_back(scratch)
            # The log is opened before the program is: without a log it was the log, or no process could be had.
            if not os.path.lexists(log):
                if error.errno in SHORT_OF and self.by_pid:
                    heapq.heappush(self.later, (record["claimed"] + int(PAUSE * 1e9), id(job), job))
                    return False
                raise SlotBroken(f"a command's log cannot be created: {error.strerror}") from error
            reason = f"{job.task['command'][0]} could not be started: {error.strerror}"
            self._end(job, record, "not_started", reason=reason)
            return False
        except WorkerLost as error:
            self.scratches.give_back(scratch)
            self._end(job, record, "unknown", reason=f"the process that was to start it was killed: {error}")
            return False
        except ValueError as error:  # a NUL in an argument
            self.scratches.give_back(scratch)
            self._never_started(job, log, record, f"{job.task['command'][0]} could not be started: {error}")
            return False
        record["started"] = time.monotonic_ns()
        running = Running(job, pid, mark, record, LogCut(log, self.work["log_limit"]), scratch)
        self.by_pid[pid] = self.by_mark[mark] = running
        heapq.heappush(self.deadlines, (running.deadline, pid))
        self.journal.put(
            {**record, "kind": "start", "deadline": running.deadline, "pid": pid, "mark": mark, "born": born}
        )
        return True

    def _never_started(self, job: Job, log: str, record: dict[str, Any], reason: str | None) -> None:
        """Claim what cannot be started, and say so."""
        try:
            fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return
        except OSError as error:
            raise SlotBroken(f"a log cannot be created: {error.strerror}") from error
        os.close(fd)
        self._end(job, record, "not_started", reason=reason)

    def _environ_of(self, task: dict[str, Any], scratch: Scratch) -> dict[str, str]:
        """What all executions of a task have in common."""
        environ = {"PATH": self.work["path"], "HOME": scratch.home, "TMPDIR": scratch.tmp}
        environ.update(task["env"])
        for name, reference in task["secrets"].items():
            environ[name] = self.work["secrets"][reference]
        return environ

    def _environ(self, job: Job, scratch: Scratch) -> dict[str, str]:
        environ = self._environ_of(job.task, scratch)
        environ["MAESTRO_EXECUTION_ID"] = job.execution
        environ.pop("MAESTRO_ARRAY_INDEX", None)
        if job.index is not None:
            environ["MAESTRO_ARRAY_INDEX"] = str(job.index)
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

    # Watching

    def _tick(self) -> None:
        """What goes by the clock: time-outs, grace, logs that grow."""
        now = time.monotonic_ns()
        while self.deadlines and self.deadlines[0][0] <= now:
            deadline, pid = heapq.heappop(self.deadlines)
            one = self.by_pid.get(pid)
            if one is None or deadline not in (one.deadline, one.kill_at):
                continue  # it ended, or the number came back for another process
            if one.stopped is None:
                self._stop(one, "timed_out")
            elif one.kill_at is not None and one.kill_at <= now:
                signal_quietly(os.killpg, pid, signal.SIGKILL)
        if self.cancelled:
            to_stop = [one for one in self.by_pid.values() if one.stopped is None]
            for one in to_stop:
                self._stop(one, "cancelled")
            for child in self._strangers() if to_stop else ():
                signal_quietly(os.kill, child, signal.SIGTERM)
        if now < self.next_tick:
            return
        self.next_tick = now + int(TICK * 1e9)
        if len(self.look_at) < LOGS_A_TICK:
            self.look_at += list(self.by_pid)
        some, self.look_at = self.look_at[:LOGS_A_TICK], self.look_at[LOGS_A_TICK:]
        for pid in {*some, *self.hot}:
            one = self.by_pid.get(pid)
            if one is None or not one.cut.check():
                self.hot.discard(pid)
            else:
                self.hot.add(pid)

    def _stop(self, one: Running, why: str) -> None:
        """SIGTERM to all that belongs to the command; SIGKILL comes after the grace."""
        one.stopped = why
        signal_quietly(os.killpg, one.pid, signal.SIGTERM)
        if why == "timed_out":  # what has detached; where everything stops one look serves all
            for child in self._strangers():
                if mark_of(child) == one.mark:
                    signal_quietly(os.kill, child, signal.SIGTERM)
        one.kill_at = time.monotonic_ns() + int(self.work["grace_seconds"] * 1e9)
        heapq.heappush(self.deadlines, (one.kill_at, one.pid))

    def _strangers(self) -> list[int]:
        """Children that this process has not started itself."""
        children = living_children()
        for warm in self.warm.values():
            warm.hear()
        return [child for child in children if child not in self.by_pid and child not in self.warm_pids]

    def _reap(self) -> None:
        """Take in what has ended; write down the end of what has nothing left running."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not pid:
                break
            one = self.by_pid.pop(pid, None)  # before anything is signalled: the number may come back from now on
            self.warm_pids.discard(pid)
            if one is not None:
                one.status = status
                one.sweep_until = time.monotonic_ns() + int(SWEEP_SECONDS * 1e9)
                self.sweeping.append(one)
        if self.sweeping and time.monotonic_ns() >= self.sweep_at:
            try:
                self._sweep()
            finally:
                self._write_down()
            self.sweep_at = time.monotonic_ns() + SWEEP_PAUSE * len(self.by_pid)

    def _sweep(self) -> None:
        """End what commands left behind. One look at the children serves all that have ended since the last."""
        left: set[int] = set()
        for child in self._strangers():
            mark = mark_of(child)
            one = self.by_mark.get(mark) if mark is not None else None
            if one is None or one.status is not None:  # of a command that has ended, or of nobody any more
                signal_quietly(os.kill, child, signal.SIGKILL)
                if one is not None:
                    one.leftovers.add(child)
                    left.add(one.mark)
        waiting, self.sweeping = self.sweeping, []
        now = time.monotonic_ns()
        for one in waiting:
            if one.mark not in left:
                self._finish(one)
            elif now > one.sweep_until:
                raise SlotBroken("processes that a command left behind cannot be ended")
            else:
                self.sweeping.append(one)

    def _finish(self, one: Running) -> None:
        record, job = one.record, one.job
        record["leftovers"] = len(one.leftovers)
        record["dropped"] = one.cut.finish()
        del self.by_mark[one.mark]
        self.hot.discard(one.pid)
        self.scratches.give_back(one.scratch)
        code = os.waitstatus_to_exitcode(one.status or 0)
        if self.cancelled and code == -signal.SIGTERM:
            one.stopped = one.stopped or "cancelled"  # the signal to our group found it before it had its own
        exit_code, number = (code, None) if code >= 0 else (None, -code)
        outcome = one.stopped or ("succeeded" if code == 0 else "failed")
        reason = f"ran longer than {job.task['timeout']:g} s" if one.stopped == "timed_out" else None
        self._end(job, record, outcome, exit_code=exit_code, signal=number, reason=reason)
        self.scheduler.ended(**job.place)

    def _end(self, job: Job, record: dict[str, Any], outcome: str, **more: object) -> None:
        again = outcome in ("failed", "timed_out", "unknown") and job.attempt < job.task["last_attempt"]
        record.update(more, outcome=outcome, ended=time.monotonic_ns(), final=not again)
        if record.get("reason"):
            record["reason"] = record["reason"][:REASON_LIMIT]
        self.journal.put(record)
        self.untold = True
        if again:
            delay = self.work["retry_seconds"] if job.delay is None else job.delay
            job.delay = min(delay * 2, 60.0)
            job.attempt += 1
            job.published = time.monotonic_ns() + int(delay * 1e9)
            self._wait_for_turn(job, job.published)

    def _write_down(self) -> None:
        """Starts and ends since the last time, at once; and wake the reader for what has ended."""
        self.journal.flush()
        if self.untold:
            self.untold = False
            with contextlib.suppress(OSError):  # a full pipe wakes the reader anyway; without one the journal counts
                os.write(1, b".")


def _share(whole: int, workers: int, number: int) -> int:
    """What one of several gets of a number that is shared out."""
    return whole // workers + (number < whole % workers)
