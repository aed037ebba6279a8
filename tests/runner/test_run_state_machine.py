"""Claim, start, end, receipt: whatever dies whenever, nothing runs twice, nothing is lost, nothing is guessed.

The bookkeeping of the local driver and the dispatcher are the real ones. Only the slot is played: a step at a time, in
the files a real one writes, so that it can be killed between any two of them.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from maestro.evidence.trust import trust_of
from runner.clock import anchor
from runner.dispatch import Dispatcher
from runner.drivers.local import LocalDriver
from runner.drivers.local_slots.journal import Journal
from runner.drivers.local_slots.proc import boot_id
from runner.execution import Ending, Execution
from runner.ledger_check import check_run
from tests.maestro.evidence import keys
from tests.runner.plans import NOW, RUN, facts, folder, planned


class Killed(Exception):
    """Everything that ran here was killed."""


class Fuse:
    """Burns down step by step."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def burn(self) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise Killed


class PlayedDriver(LocalDriver):
    """The local driver with a slot that is played instead of started."""

    def __init__(self, path: Path, fuse: Fuse, machine: RunMachine) -> None:
        super().__init__(path, {}, anchor(NOW))
        self.fuse = fuse
        self.machine = machine

    def _run(self, waiting: dict[str, Execution], session: int) -> Iterator[Ending]:
        work = self._work(list(waiting.values()), session)
        shutil.rmtree(work["scratch"])
        journal = Journal(f"{work['journal']}.0.jsonl")
        try:
            yield from self._play_all(journal, work, waiting, session)
        finally:
            os.close(journal.fd)

    def _play_all(
        self, journal: Journal, work: dict[str, Any], waiting: dict[str, Execution], session: int
    ) -> Iterator[Ending]:
        self.fuse.burn()
        header: dict[str, Any] = {"kind": "slot", "session": session, "pid": 0, "birth": None, "boot": boot_id()}
        journal.add({**header, "anchor_wall": work["anchor_wall"], "anchor_mono": work["anchor_mono"]})
        self.fuse.burn()
        journal.add({"kind": "horizon", "ids": [job[0] for job in work["jobs"]]})
        for execution_id, task, _index, attempt, published in work["jobs"]:
            last = work["tasks"][task]["last_attempt"]
            self._play(journal, execution_id, attempt, last, published)
            yield from self._fresh(waiting)

    def _play(self, journal: Journal, execution_id: str, attempt: int, last: int, published: int) -> None:
        for number in range(attempt, last + 1):
            self.fuse.burn()
            with self._log_path(execution_id, number).open("x") as log:
                log.write("log\n")
            self.machine.ran[execution_id] += 1
            self.fuse.burn()
            at = time.monotonic_ns()
            start = {"kind": "start", "id": execution_id, "attempt": number, "claimed": at, "started": at}
            journal.add({**start, "published": published, "deadline": at, "pid": 0, "mark": 0, "born": 0})
            self.fuse.burn()
            code = self.machine.exit_codes[execution_id].pop() if self.machine.exit_codes[execution_id] else 0
            final = code == 0 or number == last
            end = {"kind": "end", "id": execution_id, "attempt": number, "claimed": at, "started": at}
            end |= {"outcome": "failed" if code else "succeeded", "ended": at, "exit_code": code, "final": final}
            if code == 9:  # killed in the middle of writing it down
                os.write(journal.fd, json.dumps(end).encode()[:40])
                raise Killed
            journal.add(end)
            self.machine.ended[execution_id].append(code)
            if final:
                return


class BurningSigner:
    """A signer that is killed with the rest."""

    def __init__(self, fuse: Fuse) -> None:
        self._fuse = fuse
        self.key_id = keys.signer().key_id
        self.public_key_pem = keys.signer().public_key_pem

    def sign(self, data: bytes) -> bytes:
        self._fuse.burn()
        return keys.signer().sign(data)


class RunMachine(RuleBasedStateMachine):
    """One run, dispatched again and again, killed now and then, the machine restarted now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.path = Path(tempfile.mkdtemp(prefix="maestro-machine-"))
        self.ran: Counter[str] = Counter()
        self.exit_codes: dict[str, list[int]] = {}
        self.ended: dict[str, list[int]] = {}
        self.receipts: dict[str, bytes] = {}
        self.closed = False

    def teardown(self) -> None:
        shutil.rmtree(self.path)

    @initialize(size=st.integers(1, 4), attempts=st.integers(1, 3), idempotent=st.booleans(), data=st.data())
    def plan(self, size: int, attempts: int, idempotent: bool, data: st.DataObject) -> None:
        self.attempts = attempts if idempotent else 1
        self.planned = planned(size=size, attempts=self.attempts, idempotent=idempotent)
        self.executions = {execution.id: execution for execution in self.planned.executions(RUN)}
        codes = st.lists(st.sampled_from([0, 0, 1, 9]), max_size=3)
        self.exit_codes = {id_: data.draw(codes) for id_ in self.executions}
        self.ended = {id_: [] for id_ in self.executions}

    def _dispatch(self, fuse: Fuse) -> None:
        driver = PlayedDriver(folder(self.path).path, fuse, self)
        one = Dispatcher(folder(self.path), BurningSigner(fuse), trust_of([keys.row()]), lambda: NOW)
        one.dispatch(facts(), [self.planned], driver)
        self.closed = True

    @rule(steps=st.integers(0, 25))
    def dispatch_until_killed(self, steps: int) -> None:
        with contextlib.suppress(Killed):
            self._dispatch(Fuse(steps))

    @rule()
    def dispatch_to_the_end(self) -> None:
        for _ in range(20):
            try:
                self._dispatch(Fuse(10_000))
            except Killed:
                continue  # a slot died writing an ending down
            break
        report = check_run(folder(self.path), trust_of([keys.row()]), lambda _run: False)
        assert report.objections == []
        assert set(report.receipts) == set(self.executions)

    @rule()
    def power_failure(self) -> None:
        """The machine starts again; what was not surely on the disk is gone: unsettled logs, all but the horizon."""
        if self.closed:
            return
        for journal in (folder(self.path).path / "journals").glob("*.0.jsonl"):
            lines = journal.read_bytes().rstrip(b"\0").splitlines()[:2]
            if len(lines) == 2:
                lines[0] = json.dumps(json.loads(lines[0]) | {"boot": "before"}).encode()
                journal.write_bytes(b"\n".join(lines) + b"\n")
        known = {id_ for id_ in self.executions if id_ in folder(self.path).receipts()}
        settled = b"".join(path.read_bytes() for path in (folder(self.path).path / "journals").glob("*.settled.jsonl"))
        if not known:  # with a receipt on the disk its log is too, as far as this model goes
            for log in (folder(self.path).path / "logs").glob("*"):
                if log.name.partition(".")[0].encode() not in settled:
                    log.unlink()

    @invariant()
    def nothing_runs_more_often_than_it_may(self) -> None:
        for id_, times in self.ran.items():
            assert times <= self.attempts, id_

    @invariant()
    def a_receipt_never_changes(self) -> None:
        for id_ in folder(self.path).receipts() if folder(self.path).exists else ():
            data = folder(self.path).receipt(id_)
            assert data is not None
            assert self.receipts.setdefault(id_, data) == data

    @invariant()
    def an_outcome_is_never_guessed(self) -> None:
        from maestro.evidence.bundle import parse

        for id_, data in self.receipts.items():
            said = json.loads(parse(data).payload)["predicate"]
            if said["outcome"] == "unknown":
                assert said["exit_code"] == "unknown"
            else:
                assert said["exit_code"] in self.ended[id_]


RunMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=10, deadline=None)
test_run_state_machine = RunMachine.TestCase
