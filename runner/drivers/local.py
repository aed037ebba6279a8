"""The driver that runs commands as processes of this machine.

The claim is the log: see ``local_slots``. Everything here is bookkeeping around it: which executions have ended,
which still run under a slot that survived its dispatcher, which were cut off, which never started.
"""

from __future__ import annotations

import hashlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import IO, Any

from maestro.errors import ToolFailure, UsageError
from maestro.ledger import durable as store
from policy.placement import Placement
from runner.clock import Anchor
from runner.drivers.local_journal import JournalFile, Journals
from runner.drivers.local_slots import supervisor
from runner.drivers.local_slots.journal import Journal
from runner.drivers.local_slots.proc import boot_id
from runner.execution import Attempt, Ending, Execution, Log, Task

_SMALL = 64 << 10
LOG_LIMIT = 64 << 20
"""Bytes kept of the beginning of a log; of what goes beyond it only the last 64 KiB stay."""
GRACE_SECONDS = 5.0
RETRY_SECONDS = 1.0
"""Before the second attempt; doubles from there, at most a minute."""


_OURS = ("MAESTRO_", "ACTIONS_")
"""Variables that no command gets, whoever merged a manifest that names one: our keys, the job's own tokens."""


class LocalDriver:
    """Runs each execution as a process, at most ``slots`` at once, below ``folder`` (logs, journals)."""

    name = "local"

    def __init__(
        self,
        folder: Path,
        environ: Mapping[str, str],
        published: Anchor,
        *,
        slots: int | None = None,
        log_limit: int = LOG_LIMIT,
        grace_seconds: float = GRACE_SECONDS,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self._folder = folder
        self._environ = environ
        self._published = published
        self._slots = slots or os.cpu_count() or 1
        self._log_limit = log_limit
        self._grace_seconds = grace_seconds
        self._retry_seconds = retry_seconds
        self._journals = Journals(folder / "journals")
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._cancelled = False
        self._logs: dict[str, list[Log]] = {}

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
        self, executions: Sequence[Execution], *, session: int, start_nothing_of: Set[str] = frozenset()
    ) -> Iterator[Ending]:
        """See ``Driver.execute``."""
        try:
            for name in ("logs", "journals"):
                (self._folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise store.failure(error, self._folder) from error
        waiting = {execution.id: execution for execution in executions}
        list(self._journals.read())
        yield from self._known(waiting)
        yield from self._left_over(waiting, session)
        for execution_id in start_nothing_of & set(waiting):
            execution = waiting.pop(execution_id)
            if self._next_attempt(execution) > 1:
                yield self._told(execution, self._next_attempt(execution) - 1)
        if waiting and not self._cancelled:
            yield from self._run(waiting, session)

    def cancel(self) -> None:
        """See ``Driver.cancel``."""
        self._cancelled = True
        if self._supervisor is not None and self._supervisor.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._supervisor.pid, signal.SIGTERM)

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
        while self._journals.any_slot_alive and not self._cancelled:
            time.sleep(0.05)
            list(self._journals.read())
            yield from self._known(waiting)
        list(self._journals.read())
        yield from self._known(waiting)
        cut_off = [(execution, number) for execution in waiting.values() if (number := self._cut_off(execution))]
        if cut_off and not self._cancelled:
            self._settle(cut_off, session)
            yield from self._known(waiting)

    def _cut_off(self, execution: Execution) -> int | None:
        """The attempt that was claimed and has no ending."""
        number = self._next_attempt(execution)
        if os.path.lexists(self._log_path(execution.id, number)):
            return number
        slot = self._journals.horizon.get(execution.id)
        return number if number == 1 and slot is not None and not slot.same_boot else None

    def _settle(self, cut_off: list[tuple[Execution, int]], session: int) -> None:
        journal = Journal(f"{self._new_journal(session)}.settled.jsonl")
        journal.add(
            {
                "kind": "slot",
                "session": session,
                "pid": 0,
                "birth": None,
                "boot": boot_id(),
                "anchor_wall": self._published.wall,
                "anchor_mono": self._published.monotonic,
            }
        )
        for execution, number in cut_off:
            seen = self._journals.seen.get((execution.id, number))
            start = seen.start if seen else None
            same_boot = seen is not None and seen.file.same_boot
            _wait_for_strays(execution.id, start["deadline"] if start and same_boot else time.monotonic_ns())
            with suppress(FileExistsError):
                os.close(os.open(self._log_path(execution.id, number), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            store.sync_folder(self._folder / "logs")  # what is settled has a log, also after a power failure
            again = execution.task.idempotent and number < execution.task.attempts
            journal.add(
                {
                    "kind": "end",
                    "id": execution.id,
                    "attempt": number,
                    "outcome": "unknown",
                    "reason": "it was started, and what watched over it was killed before it ended",
                    "final": not again,
                },
                durable=True,
            )
        os.close(journal.fd)
        list(self._journals.read())

    def _new_journal(self, session: int) -> Path:
        """A name that no other dispatch has, also not a second one of the same session."""
        return (self._folder / "journals" / f"{session}-{token_hex(4)}").resolve()

    # Running

    def _run(self, waiting: dict[str, Execution], session: int) -> Iterator[Ending]:
        with tempfile.TemporaryFile() as complaints:
            self._start(list(waiting.values()), session, complaints)
            try:
                while self._wake():
                    yield from self._fresh(waiting)
                yield from self._fresh(waiting)
            finally:
                self._let_go()
            list(self._journals.read())
            yield from self._known(waiting)
            if waiting and not self._cancelled:
                yield from self._left_over(waiting, session)
                complaints.seek(0)
                why = complaints.read(2000).decode("utf-8", "replace").strip().replace("\n", "; ")
                if waiting:
                    raise ToolFailure(
                        f"the local driver stopped with {len(waiting)} execution(s) not started"
                        + (f": {why}" if why else ", its supervisor was killed"),
                        remedy="put that right and resume the run",
                    )

    def _fresh(self, waiting: dict[str, Execution]) -> Iterator[Ending]:
        for execution_id, _ in self._journals.read():
            execution = waiting.get(execution_id)
            ending = self._ending(execution) if execution else None
            if ending is not None:
                del waiting[execution_id]
                yield ending

    def _start(self, executions: list[Execution], session: int, complaints: IO[bytes]) -> None:
        work = self._work(executions, session)
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
        with suppress(BrokenPipeError):  # it died at once: what it complained about is told by the caller
            self._supervisor.stdin.write(json.dumps(work).encode() + b"\n")
            self._supervisor.stdin.flush()
        os.set_blocking(self._supervisor.stdout.fileno(), False)
        if self._cancelled:  # a signal may have come while there was no process to tell
            self.cancel()

    def _work(self, executions: list[Execution], session: int) -> dict[str, Any]:
        tasks: list[dict[str, Any]] = []
        places: dict[tuple[int, int], int] = {}
        secrets: dict[str, str] = {}
        jobs: list[tuple[str, int, int | None, int]] = []
        for execution in executions:
            attempt, task = self._next_attempt(execution), execution.task
            key = (id(task), attempt)
            if key not in places:
                places[key] = len(tasks)
                tasks.append(
                    {
                        "command": list(task.command or ()),
                        "env": dict(task.env),
                        "secrets": dict(task.secrets),
                        "timeout": task.timeout_seconds,
                        "attempts_left": max(1, task.attempts - attempt + 1),
                    }
                )
                for name, reference in task.secrets.items():
                    secrets[reference] = self._secret(task, name, reference)
            jobs.append((execution.id, places[key], execution.index, attempt))
        path = ":".join(part for part in self._environ.get("PATH", os.defpath).split(":") if part.startswith("/"))
        return {
            "session": session,
            "slots": max(1, min(self._slots, len(jobs))),
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
        }

    def _wake(self) -> bool:
        """Wait until something ended; False when no slot is left."""
        if self._supervisor is None or self._supervisor.stdout is None:
            return False
        pipe = self._supervisor.stdout.fileno()
        select.select([pipe], [], [])
        return bool(os.read(pipe, 1 << 16))

    def _let_go(self) -> None:
        """Slots finish what they run and start nothing more."""
        process, self._supervisor = self._supervisor, None
        if process is None or process.stdin is None or process.stdout is None:
            return
        with suppress(BrokenPipeError):
            process.stdin.close()
        if self._cancelled:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        process.stdout.close()

    # From journals to endings

    def _log_path(self, execution_id: str, attempt: int) -> Path:
        return self._folder / "logs" / f"{execution_id}.{attempt}.log"

    def _next_attempt(self, execution: Execution) -> int:
        number = 1
        while (seen := self._journals.seen.get((execution.id, number))) and seen.end and not seen.end["final"]:
            number += 1
        return number

    def _ending(self, execution: Execution) -> Ending | None:
        """How it ended, when its final attempt is written down."""
        number = self._next_attempt(execution)
        last = self._journals.seen.get((execution.id, number))
        if last is None or last.end is None:
            return None
        return self._told(execution, number)

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
        claimed, started, ended = end.get("claimed"), end.get("started"), end.get("ended")
        return Attempt(
            number=number,
            session=file.header["session"] if file.header else 0,
            outcome=end["outcome"],
            published=at(file.anchor.monotonic),
            claimed=None if claimed is None else at(claimed),
            started=None if started is None else at(started),
            ended=None if ended is None else at(ended),
            run_seconds=None if started is None or ended is None else (ended - started) / 1e9,
            exit_code=end.get("exit_code"),
            signal=end.get("signal"),
            reason=end.get("reason"),
            stopped_leftovers=end.get("leftovers", 0),
            log=self._log(execution_id, number, end.get("dropped", 0)),
        )

    def _log(self, execution_id: str, number: int, dropped: int) -> Log:
        path = self._log_path(execution_id, number)
        try:
            with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - a thousand times a run
                hasher, size = hashlib.sha256(), 0
                while more := file.read(_SMALL):
                    hasher.update(more)
                    size += len(more)
        except OSError as error:
            raise ToolFailure(
                f"the log of an ended execution cannot be read: {error.strerror}", where=str(path)
            ) from error
        return Log(f"logs/{path.name}", hasher.hexdigest(), size, dropped)


def _wait_for_strays(execution_id: str, deadline: int) -> None:
    """Wait until no process carries this execution's id any more; end them all at the deadline (monotonic, ns)."""
    mark = b"MAESTRO_EXECUTION_ID=" + execution_id.encode()
    while True:
        strays = [pid for pid in _processes() if _carries(pid, mark)]
        if not strays:
            return
        late = time.monotonic_ns() >= deadline
        for pid in strays:
            if late:
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(0.01 if late else 0.1)


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _carries(pid: int, mark: bytes) -> bool:
    try:
        return mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
