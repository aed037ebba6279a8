"""The driver that runs commands as processes of this machine.

The claim is the log: see ``local_slots``. Everything here is bookkeeping around it: which executions have ended,
which still run under a slot that survived its dispatcher, which were cut off, which never started.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import IO, Any

from maestro.counting import many
from maestro.errors import ToolFailure, UsageError
from maestro.ledger import durable as store
from policy.placement import Placement
from runner.clock import Anchor, anchor
from runner.drivers.driver import NOTHING_LOST, Claim
from runner.drivers.local_journal import JournalFile, Journals
from runner.drivers.local_leases import Leases
from runner.drivers.local_limits import Limit, limits, tightest
from runner.drivers.local_slots import supervisor
from runner.drivers.local_slots.journal import Journal, write_all
from runner.drivers.local_slots.marks import identity, is_mark, name_in, name_of
from runner.drivers.local_slots.proc import boot_id
from runner.drivers.local_slots.slots import LEASE_SIZE
from runner.drivers.local_strays import Lost, wait_for
from runner.execution import Attempt, Claimed, Ending, Execution, Log, Task
from runner.lifecycle import Event, Life

_SMALL = 64 << 10
LOG_LIMIT = 64 << 20
"""Bytes kept of the beginning of a log; of what goes beyond it only the last 64 KiB stay."""
GRACE_SECONDS = 5.0
DRAIN_SECONDS = 10.0
"""After SIGTERM, for what runs to end before it is handed over."""
WATCH_SECONDS = 0.2
"""Where somebody watches, journals are read so often, also while nothing ends."""
RETRY_SECONDS = 1.0
"""Before the second attempt; doubles from there, at most a minute."""
WARM_FROM = 2
"""Executions of a Python program of the warm class, for each core, from which it is kept ready."""

_OURS = ("MAESTRO_", "ACTIONS_")
"""Variables that no command gets, whoever merged a manifest that names one: our keys, the job's own tokens."""


class LocalDriver:
    """Runs each execution as a process below ``folder`` (logs, journals), within ``slots`` and the ``pools`` sizes."""

    name = "local"

    def __init__(
        self,
        folder: Path,
        environ: Mapping[str, str],
        published: Anchor,
        *,
        slots: int | None = None,
        pools: Mapping[str, int] | None = None,
        log_limit: int = LOG_LIMIT,
        grace_seconds: float = GRACE_SECONDS,
        retry_seconds: float = RETRY_SECONDS,
        warm_from: int = WARM_FROM,
        limits: Callable[[], Iterator[Limit]] = limits,
        watch: Callable[[str, Event, float | None], None] | None = None,
    ) -> None:
        self._folder = folder
        self._environ = environ
        self._published = published
        self._slots = slots or os.cpu_count() or 1
        self._pools = pools or {}
        self._limits = limits
        self._wanted: set[str] = set()
        self._log_limit = log_limit
        self._grace_seconds = grace_seconds
        self._retry_seconds = retry_seconds
        self._warm_from = warm_from
        self._journals = Journals(folder / "journals", watch=watch)
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._cancelled = False
        self._hand_over_at: float | None = None
        self._logs: dict[str, list[Log]] = {}
        self._look_at = 0.0
        self._claim: Claim | None = None
        self._leases: Leases | None = None

    def provision(self, placement: Placement | None, executions: Sequence[Execution]) -> None:
        """Commands, and every secret present: see ``Driver.provision``."""
        del placement
        if sys.platform != "linux":
            raise ToolFailure(
                "the local driver runs on Linux only: elsewhere nothing ends what a command leaves behind",
                remedy="run it in a Linux container or virtual machine",
            )
        for task in {id(execution.task): execution.task for execution in executions}.values():
            if not task.command:
                raise UsageError(
                    f"{task.subject} has an image and no command: this machine has nothing it could start",
                    remedy="add spec.command, or place it on a cloud",
                )
            for name, reference in task.secrets.items():
                self._secret(task, name, reference)
        self._wanted |= {execution.id for execution in executions}
        wanted = min(self._slots, len(self._wanted))
        stands = tightest(self._limits(), wanted)
        if stands is not None and wanted > (os.cpu_count() or 1):
            raise UsageError(
                f"{wanted} executions at once are more than this machine allows: {stands.name} is {stands.allowed}, "
                f"{stands.used} are in use",
                remedy=f"give `--slots {stands.room or 1}` or fewer, or raise that limit; nothing was started",
            )

    def _secret(self, task: Task, name: str, reference: str) -> str:
        kind, _, variable = reference.partition(":")
        if kind != "env":
            raise UsageError(f"{task.subject}: the secret {name} comes from {kind}:, which this machine cannot resolve")
        if variable.startswith(_OURS):
            raise UsageError(
                f"{task.subject}: the secret {name} is to come from {variable}, which is not for commands",
                remedy="keys and tokens of the job itself are handed to nobody; nothing was started",
            )
        if variable not in self._environ:
            raise UsageError(
                f"{task.subject}: the secret {name} is to come from the variable {variable}, which is not set",
                remedy=f"set {variable} where `maestro run` is called; nothing was started",
            )
        return self._environ[variable]

    def execute(
        self,
        executions: Sequence[Execution],
        *,
        session: int,
        start_nothing_of: Set[str] = frozenset(),
        claim: Claim | None = None,
        lost: Mapping[str, Sequence[Claimed]] = NOTHING_LOST,
    ) -> Iterator[Ending]:
        """See ``Driver.execute``."""
        try:
            for name in ("logs", "journals"):
                (self._folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise store.failure(error, self._folder) from error
        try:
            yield from self._execute(executions, session, start_nothing_of, claim, lost)
        except OSError as error:  # no process, no scratch folder, no room for a journal
            raise ToolFailure(
                f"the local driver cannot go on: {error.strerror or error}",
                where=str(error.filename or self._folder),
                remedy="nothing is lost: put that right, and resume the run with --resume",
            ) from error

    def _execute(
        self,
        executions: Sequence[Execution],
        session: int,
        start_nothing_of: Set[str],
        claim: Claim | None,
        lost: Mapping[str, Sequence[Claimed]],
    ) -> Iterator[Ending]:
        waiting = {execution.id: execution for execution in executions}
        list(self._journals.read())
        self._write_down_lost(waiting, lost)
        yield from self._known(waiting)
        yield from self._left_over(waiting, session)
        for execution_id in start_nothing_of & set(waiting):
            execution = waiting.pop(execution_id)
            before = len(self._life(execution).outcomes)
            if before:
                yield self._told(execution, before)
        if waiting and not self._cancelled and self._hand_over_at is None:
            self._claim = claim
            yield from self._run(waiting, session)

    def cancel(self) -> None:
        """See ``Driver.cancel``."""
        self._cancelled = True
        if self._supervisor is not None and self._supervisor.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._supervisor.pid, signal.SIGTERM)

    def drain(self) -> None:
        """See ``Driver.drain``; they have ``DRAIN_SECONDS``."""
        if self._hand_over_at is None:
            self._hand_over_at = time.monotonic() + DRAIN_SECONDS

    @property
    def slots(self) -> int:
        """How many may run at once."""
        return self._slots

    @property
    def not_kept_ready(self) -> dict[str, str]:
        """Manifests of the warm class whose Python program was started anew for each execution, and why."""
        return self._journals.not_kept_ready

    def _handed_over(self) -> bool:
        return self._hand_over_at is not None and time.monotonic() >= self._hand_over_at

    def collect_logs(self, execution_id: str) -> tuple[Log, ...]:
        """See ``Driver.collect_logs``."""
        return tuple(self._logs.get(execution_id, ()))

    # What earlier sessions left

    def _known(self, waiting: dict[str, Execution]) -> Iterator[Ending]:
        for execution in list(waiting.values()):
            ending = self._ending(execution)
            if ending is not None:
                del waiting[execution.id]
                yield ending

    def _left_over(self, waiting: dict[str, Execution], session: int) -> Iterator[Ending]:
        """Wait for slots that outlived their dispatcher; then for what outlived its slot, which nobody can judge."""
        while self._journals.any_slot_alive and not self._cancelled and not self._handed_over():
            time.sleep(0.05)
            list(self._journals.read())
            yield from self._known(waiting)
        list(self._journals.read())
        yield from self._known(waiting)
        logs = {path.name for path in (self._folder / "logs").iterdir()}
        cut_off = [(execution, number) for execution in waiting.values() if (number := self._cut_off(execution, logs))]
        if cut_off and not self._cancelled and not self._journals.any_slot_alive:
            self._settle(cut_off, session)
            yield from self._known(waiting)

    def _cut_off(self, execution: Execution, logs: Set[str]) -> int | None:
        """The attempt that was claimed, as there is a log, and has no ending."""
        number = self._number(execution)
        if _log_name(execution.id, number) in logs:
            return number
        slot = self._journals.horizon.get(execution.id)
        return number if number == 1 and slot is not None and not slot.same_boot else None

    def _settle(self, cut_off: list[tuple[Execution, int]], session: int) -> None:
        wait_for(self._lost(cut_off))
        why = "it was started, and what watched over it was killed before it ended"
        self._write_unknown(cut_off, session, self._published.wall, why)

    def _write_down_lost(self, waiting: Mapping[str, Execution], lost: Mapping[str, Sequence[Claimed]]) -> None:
        """What others claimed, as if it had been cut off here, once."""
        by_claim: dict[Claimed, list[tuple[Execution, int]]] = {}
        for execution_id in lost.keys() & waiting.keys():
            for number, claimed in enumerate(lost[execution_id], 1):
                if (execution_id, number) not in self._journals.seen:
                    by_claim.setdefault(claimed, []).append((waiting[execution_id], number))
        for claimed, those in sorted(by_claim.items(), key=lambda item: item[0].session):
            why = f"session {claimed.session} claimed it on another machine, and nothing says what became of it"
            wall = anchor(dt.datetime.fromisoformat(claimed.at)).wall
            self._write_unknown(those, claimed.session, wall, why)

    def _write_unknown(self, cut_off: list[tuple[Execution, int]], session: int, wall: int, why: str) -> None:
        """An attempt of unknown outcome for each of these, published at ``wall``."""
        journal = Journal(f"{self._new_journal(session)}.settled.jsonl")
        journal.add(
            {
                "kind": "slot",
                "session": session,
                "pid": 0,
                "birth": None,
                "boot": boot_id(),
                "anchor_wall": wall,
                "anchor_mono": self._published.monotonic,
            }
        )
        for execution, number in cut_off:
            with suppress(FileExistsError):
                os.close(os.open(self._log_path(execution.id, number), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        store.sync_folder(self._folder / "logs")  # what is settled has a log, also after a power failure
        for execution, number in cut_off:
            again = self._life(execution).follows(number, "unknown")
            journal.add(
                {
                    "kind": "end",
                    "id": execution.id,
                    "attempt": number,
                    "outcome": "unknown",
                    "reason": why,
                    "final": not again,
                }
            )
        os.fdatasync(journal.fd)
        os.close(journal.fd)
        list(self._journals.read())

    def _lost(self, cut_off: list[tuple[Execution, int]]) -> list[Lost]:
        """Those of which something may still run: in another boot nothing does."""
        first = self._journals.first_birth
        if first is None:
            return []
        folder, now = identity(str(self._folder / "logs")), time.monotonic_ns()
        lost = []
        for execution, number in cut_off:
            name = name_of(folder, execution.id, number)
            seen = self._journals.seen.get((execution.id, number))
            start = seen.start if seen is not None and seen.file.same_boot else None
            if start is not None and is_mark(start["mark"]) and name_in(start["mark"]) == name:
                lost.append(Lost(name, start["mark"], start["born"], start["deadline"]))
            else:
                lost.append(Lost(name, None, first, start["deadline"] if start else now))
        return lost

    def _new_journal(self, session: int) -> Path:
        """A name that no other dispatch has, also not a second one of the same session."""
        return (self._folder / "journals" / f"{session}-{token_hex(4)}").resolve()

    # Running

    def _run(self, waiting: dict[str, Execution], session: int) -> Iterator[Ending]:
        with (
            tempfile.TemporaryFile() as complaints,
            tempfile.NamedTemporaryFile() as leased,
            ThreadPoolExecutor(1, thread_name_prefix="claims") as thread,
        ):
            more = self._claims(list(waiting.values()), leased, thread)
            try:
                self._start(list(waiting.values()), session, complaints, None if more is None else leased.name)
                while self._wake(more):
                    yield from self._fresh(waiting)
                yield from self._fresh(waiting)
            finally:
                self._let_go()
            list(self._journals.read())
            yield from self._known(waiting)
            if waiting and not self._cancelled and self._hand_over_at is None:
                yield from self._left_over(waiting, session)
                complaints.seek(0)
                why = complaints.read(2000).decode("utf-8", "replace").strip().replace("\n", "; ")
                if waiting:
                    raise ToolFailure(
                        f"the local driver stopped with {many(len(waiting), 'execution')} not started"
                        + (f": {why}" if why else ", its supervisor was killed"),
                        remedy="put that right and resume the run",
                    )

    def _claims(
        self, executions: list[Execution], leased: IO[bytes], thread: ThreadPoolExecutor
    ) -> Callable[[], None] | None:
        """Claim what fills the slots; what claims more when that is due, None where nothing is left to claim.

        That is asked in a ``thread``: meanwhile endings are read, and their receipts signed.
        """
        claim = self._claim
        if claim is None:
            return None
        leases = Leases(executions, self._slots, self._pools, time.monotonic())
        places = {execution.id: place for place, execution in enumerate(executions)}

        def claimed(those: Sequence[Execution]) -> None:
            leases.claimed(time.monotonic())
            write_all(leased.fileno(), b"".join(places[one.id].to_bytes(LEASE_SIZE, "little") for one in those))

        those = leases.next(time.monotonic())
        claim(those)
        claimed(those)
        if leases.all_claimed:
            return None
        self._leases = leases
        asked: tuple[list[Execution], Future[None]] | None = None

        def more() -> None:
            nonlocal asked
            if asked is not None:
                if not asked[1].done():
                    return
                asked[1].result()
                claimed(asked[0])
                asked = None
            if not self._cancelled and self._hand_over_at is None and not leases.all_claimed:
                those = leases.next(time.monotonic())
                asked = (those, thread.submit(claim, those)) if those else None

        return more

    def _fresh(self, waiting: dict[str, Execution]) -> Iterator[Ending]:
        for execution_id, _ in self._journals.read():
            if self._leases is not None:
                self._leases.ended(execution_id, time.monotonic())
            execution = waiting.get(execution_id)
            ending = self._ending(execution) if execution else None
            if ending is not None:
                del waiting[execution_id]
                yield ending

    def _start(
        self, executions: list[Execution], session: int, complaints: IO[bytes], leases: str | None = None
    ) -> None:
        argv = [
            sys.executable,
            "-I",
            "-S",
            "-X",
            "utf8",
            "-c",
            supervisor.BOOT,
            str(Path(__file__).resolve().parents[2]),
        ]
        self._supervisor = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env={},
            cwd="/",
            start_new_session=True,
        )
        if self._supervisor.stdin is None or self._supervisor.stdout is None:
            raise ToolFailure("the supervisor of the local driver has no pipes")
        work = {**self._work(executions, session), "leases": leases}  # while the interpreter starts
        data = json.dumps(work).encode() + b"\n"
        if self._hand_over_at is None and not self._cancelled:  # without its work it ends at once
            with suppress(BrokenPipeError):  # it died at once: what it complained about is told by the caller
                self._supervisor.stdin.write(data)
                self._supervisor.stdin.flush()
        else:
            os.rmdir(work["scratch"])  # noqa: PTH106
        os.set_blocking(self._supervisor.stdout.fileno(), False)
        if self._cancelled:  # a signal may have come while there was no process to tell
            self.cancel()

    def _work(self, executions: list[Execution], session: int) -> dict[str, Any]:
        tasks: list[dict[str, Any]] = []
        places: dict[tuple[int, int], int] = {}
        secrets: dict[str, str] = {}
        jobs: list[tuple[str, int, int | None, int, int]] = []
        published = self._published.monotonic
        for execution in executions:
            attempt, task = self._number(execution), execution.task
            key = (id(task), attempt)
            if key not in places:
                places[key] = len(tasks)
                tasks.append(
                    {
                        "subject": task.subject,
                        "command": list(task.command or ()),
                        "env": dict(task.env),
                        "secrets": dict(task.secrets),
                        "timeout": task.timeout_seconds,
                        "last_attempt": max(attempt, task.attempts),
                        "tenant": task.tenant,
                        "class": task.class_,
                        "pool": task.pool,
                    }
                )
                for name, reference in task.secrets.items():
                    secrets[reference] = self._secret(task, name, reference)
            jobs.append((execution.id, places[key], execution.index, attempt, published))
        path = ":".join(part for part in self._environ.get("PATH", os.defpath).split(":") if part.startswith("/"))
        slots = max(1, min(self._slots, len(jobs)))
        return {
            "session": session,
            "slots": slots,
            "workers": min(slots, os.cpu_count() or 1),
            "pools": dict(self._pools),
            "logs": str((self._folder / "logs").resolve()),
            "journal": str(self._new_journal(session)),
            "scratch": tempfile.mkdtemp(prefix="maestro-run-"),
            "path": path,
            "tasks": tasks,
            "jobs": jobs,
            "secrets": secrets,
            "anchor_wall": self._published.wall,
            "anchor_mono": self._published.monotonic,
            "log_limit": self._log_limit,
            "grace_seconds": self._grace_seconds,
            "retry_seconds": self._retry_seconds,
            "warm_from": self._warm_from,
        }

    def _wake(self, more: Callable[[], None] | None = None) -> bool:
        """Wait until something ended, claiming ``more`` when it is due; False when no slot is left."""
        if self._supervisor is None or self._supervisor.stdout is None:
            return False
        pipe = self._supervisor.stdout.fileno()
        while True:
            if self._hand_over_at is not None and self._supervisor.stdin is not None:
                with suppress(OSError):  # not where the signal is handled: it may come while this very pipe is written
                    self._supervisor.stdin.close()
            if self._handed_over():
                return False
            if more is not None:
                more()
            if self._journals.watch is not None and time.monotonic() >= self._look_at:
                self._look_at = time.monotonic() + WATCH_SECONDS
                return True
            if select.select([pipe], [], [], 0.1)[0]:
                break
        return bool(os.read(pipe, 1 << 16))

    def _let_go(self) -> None:
        """Slots finish what they run and start nothing more."""
        process = self._supervisor
        if process is None or process.stdin is None or process.stdout is None:
            return
        with suppress(OSError):
            process.stdin.close()
        if self._cancelled:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        if self._handed_over():
            process.returncode = 0  # it outlives us, on purpose: nobody here waits for it
        else:
            process.wait()
        self._supervisor = None
        process.stdout.close()

    # From journals to endings

    def _log_path(self, execution_id: str, attempt: int) -> Path:
        return self._folder / "logs" / _log_name(execution_id, attempt)

    def _life(self, execution: Execution) -> Life:
        """What the journals say of it."""
        life = Life(execution.task.attempts, execution.task.idempotent)
        while seen := self._journals.seen.get((execution.id, life.number)):
            if seen.start is not None:
                life = life.after(Event("start", life.number))
            if seen.end is None:
                return life
            life = life.after(Event("end", life.number, seen.end["outcome"]))
            if life.over:
                return life
        return life

    def _number(self, execution: Execution) -> int:
        """The attempt whose turn it is."""
        return self._life(execution).number if (execution.id, 1) in self._journals.seen else 1

    def _ending(self, execution: Execution) -> Ending | None:
        """How it ended, when its final attempt is written down."""
        if (execution.id, 1) not in self._journals.seen:
            return None
        life = self._life(execution)
        return self._told(execution, life.number) if life.over else None

    def _told(self, execution: Execution, number: int) -> Ending:
        """It ended with attempt ``number``."""
        attempts = tuple(self._attempt(execution.id, attempt) for attempt in range(1, number + 1))
        self._logs[execution.id] = [attempt.log for attempt in attempts if attempt.log is not None]
        return Ending(execution.id, attempts)

    def _attempt(self, execution_id: str, number: int) -> Attempt:
        seen = self._journals.seen[execution_id, number]
        end: dict[str, Any] = {**(seen.start or {}), **(seen.end or {})}
        file: JournalFile = seen.file
        at = file.anchor.at
        published = end.get("published", file.anchor.monotonic)
        claimed, started, ended = end.get("claimed"), end.get("started"), end.get("ended")
        return Attempt(
            number=number,
            session=file.header["session"] if file.header else 0,
            outcome=end["outcome"],
            published=at(published),
            claimed=None if claimed is None else at(claimed),
            started=None if started is None else at(started),
            ended=None if ended is None else at(ended),
            queue_seconds=None if claimed is None else (claimed - published) / 1e9,
            start_seconds=None if claimed is None or started is None else (started - claimed) / 1e9,
            run_seconds=None if started is None or ended is None else (ended - started) / 1e9,
            exit_code=end.get("exit_code"),
            signal=end.get("signal"),
            reason=end.get("reason"),
            stopped_leftovers=end.get("leftovers", 0),
            log=self._log(execution_id, number, end.get("dropped", 0)),
        )

    def _log(self, execution_id: str, number: int, dropped: int) -> Log:
        name = f"logs/{_log_name(execution_id, number)}"
        path = f"{self._folder}/{name}"
        try:
            with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - a thousand times a run
                hasher, size = hashlib.sha256(), 0
                while more := file.read(_SMALL):
                    hasher.update(more)
                    size += len(more)
        except OSError as error:
            raise ToolFailure(f"the log of an ended execution cannot be read: {error.strerror}", where=path) from error
        return Log(name, hasher.hexdigest(), size, dropped)


def _log_name(execution_id: str, attempt: int) -> str:
    return f"{execution_id}.{attempt}.log"
