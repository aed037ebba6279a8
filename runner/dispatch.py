"""Dispatching a run: sign what was decided, let the driver execute, sign a receipt for each ending, close the segment.

Dispatching a run again is resuming it: the driver says of every execution what became of it, so whatever was missing
when the one before was cut short — receipts, the segment — is made now, and nothing runs twice.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

from maestro.errors import ToolFailure, UsageError
from maestro.evidence.errors import BadEvidence
from maestro.evidence.signer import Signer, sign_statement
from maestro.evidence.trust import Trust
from maestro.ledger import durable as store
from runner import receipt, segment, session
from runner.drivers.driver import Driver
from runner.execution import Ending, Execution
from runner.run_folder import SUFFIX, RunFolder
from runner.session import Facts, Planned, Session
from runner.signing_time import signing_time
from runner.stored_run import StoredRun


@dataclass
class Summary:
    """What a dispatch leaves to tell."""

    run_id: str
    segment: segment.Segment
    resumed: bool
    endings: list[tuple[Execution, Ending]] = field(default_factory=list)


@dataclass(frozen=True)
class Dispatcher:
    """Everything a dispatch works with.

    Args:
        folder: the run's place in the ledger.
        signer: signs sessions, receipts and the segment.
        trust: the keys of the policy revision.
        now: the wall clock.
        keep: keeps the inputs of decisions, before the session that cites them is signed.
        had: called for every execution of which a receipt is there already, with its outcome.
        ended: called for every ending, in the order they come.
        waiting: called when another dispatcher holds the run.
        stored: the run in a store elsewhere; None where the folder is in the store itself.
        told: called with what somebody should know about that.
    """

    folder: RunFolder
    signer: Signer
    trust: Trust
    now: Callable[[], dt.datetime]
    keep: Callable[[Sequence[bytes]], None] = lambda _inputs: None
    had: Callable[[Execution, str], None] = lambda _execution, _outcome: None
    ended: Callable[[Execution, Ending], None] = lambda _execution, _ending: None
    waiting: Callable[[], None] = lambda: None
    stored: StoredRun | None = None
    told: Callable[[str], None] = lambda _words: None

    def dispatch(self, facts: Facts, planned: Sequence[Planned], driver: Driver) -> Summary:
        """Run everything of the plan that has not run, and leave the ledger complete.

        Raises:
            UsageError: the run was planned with other manifests; or something is missing, as ``Driver.provision``.
            BadEvidence: a session of the run is not believed.
            ToolFailure: the ledger cannot be written or the driver broke down; dispatching again completes the run.
        """
        self.trust.require(self.signer.key_id, self.now())
        going = [one for one in planned if one.denied is None or facts.break_glass is not None]
        executions = [execution for one in going for execution in one.executions(self.folder.run_id)]
        held_back = [
            execution for one in planned if one not in going for execution in one.executions(self.folder.run_id)
        ]

        def provision() -> None:
            for one in going:
                driver.provision(one.placement, [each for each in executions if each.task is one.task])

        if not self.folder.exists and (self.stored is None or not self.stored.is_there()):
            provision()  # what is missing is told before there is a run that nobody will resume
        self.folder.create()
        with self.folder.lock(self.waiting):
            self._pull()
            sessions = self._sessions(facts, planned)
            done = self._closed(executions, sessions)
            if done is not None:
                self._settle()
                return Summary(self.folder.run_id, done, resumed=True)
            provision()
            number = max(sessions, default=0) + 1
            self.keep([data for one in planned for data in one.inputs])
            said = session.statement(self.folder.run_id, number, self._signing_time(), facts, planned)
            signed = sign_statement(said, self.signer)
            self.folder.add_numbered("sessions", number, signed)
            while self.stored is not None and not self.stored.begin(number):
                self._pull()  # whoever worked on it has done one more thing
            sessions[number] = session.read(signed, self.trust, self.folder.run_id, number)
            return self._execute(executions, held_back, sessions, number, planned, driver)

    def _pull(self) -> None:
        words = self.stored.pull() if self.stored is not None else None
        if words is not None:
            self.told(words)

    def _settle(self) -> None:
        """Have in the store elsewhere whatever the run has left behind."""
        if self.stored is not None:
            self.stored.keep(*self.folder.evidence())
            self.stored.flush()

    def _sessions(self, facts: Facts, planned: Sequence[Planned]) -> dict[int, Session]:
        sessions = {}
        wanted = frozenset(one.identity for one in planned)
        for number, data in self.folder.numbered("sessions"):
            sessions[number] = session.read(data, self.trust, self.folder.run_id, number)
            if sessions[number].plan != wanted:
                raise UsageError(
                    f"the run {self.folder.run_id} was planned with other manifests than these",
                    remedy="a manifest has changed since, or other names are given: start a new run",
                )
            if sessions[number].predicate["rehearsal"] != facts.rehearsal:
                raise UsageError(
                    f"the run {self.folder.run_id} cannot be a rehearsal in part",
                    remedy="give --rehearse as it was given first, or start a new run",
                )
        return sessions

    def _closed(self, executions: Sequence[Execution], sessions: dict[int, Session]) -> segment.Segment | None:
        """The last segment, when it is complete and still covers all that there is to run."""
        last: segment.Segment | None = None
        for number, data in self.folder.numbered("segments"):
            last = segment.read(data, self.trust, run_id=self.folder.run_id, number=number)
        if last is None or not last.complete or not sessions:
            return None
        names = {f"receipts/{execution.id}{SUFFIX}" for execution in executions}
        return last if names <= set(last.files) else None

    def _execute(
        self,
        executions: Sequence[Execution],
        held_back: Sequence[Execution],
        sessions: dict[int, Session],
        number: int,
        planned: Sequence[Planned],
        driver: Driver,
    ) -> Summary:
        digests: dict[str, str] = {}
        outcomes: list[str] = []
        open_: dict[str, Execution] = {}
        there = set(self.folder.receipts())
        for execution in (*executions, *held_back):
            kept = self._kept(execution, sessions) if execution.id in there else None
            if kept is None:
                open_[execution.id] = execution
            else:
                digests[f"receipts/{execution.id}{SUFFIX}"] = segment.sha256(kept[0])
                outcomes.append(kept[1])
                self.had(execution, kept[1])
        endings: list[tuple[Execution, Ending]] = []
        # Denied by now, but a session before may have started some of it: that must not go without a receipt.
        denied_now = {execution.id for execution in held_back}
        elsewhere: dict[str, Any] = {}
        if self.stored is not None:
            elsewhere = {"claim": self.stored.claim, "lost": self.stored.lost()}
        with self.stored.carrying() if self.stored is not None else nullcontext():
            for ending in driver.execute(
                list(open_.values()), session=number, start_nothing_of=denied_now, **elsewhere
            ):
                execution = open_[ending.execution_id]
                self._require_last(number)
                data, outcome = self._signed(execution, ending, sessions)
                digests[f"receipts/{execution.id}{SUFFIX}"] = segment.sha256(data)
                outcomes.append(outcome)
                endings.append((execution, ending))
                self.ended(execution, ending)
        self._require_last(number)
        denied = tuple(one.task.subject for one in planned if one.denied is not None)
        missing = set(open_) - denied_now - {execution.id for execution, _ in endings}
        closed = self._close(digests, outcomes, denied, len(missing), sessions[number])
        return Summary(self.folder.run_id, closed, resumed=number > 1, endings=endings)

    def _signing_time(self) -> dt.datetime:
        return signing_time(self.now(), self.signer, self.trust)

    def _require_last(self, number: int) -> None:
        """Whoever lost the lock of a folder that is shared (it was frozen, the file system forgot) adds nothing to it.

        Raises:
            ToolFailure: another session has begun.
        """
        if self.folder.followed(number):
            raise ToolFailure(
                f"another dispatch has taken over the run {self.folder.run_id}: nothing more is started or signed here",
                where=str(self.folder.path),
                remedy="see that only one works on it",
            )

    def _signed(self, execution: Execution, ending: Ending, sessions: dict[int, Session]) -> tuple[bytes, str]:
        """A new receipt, written, and its outcome; the one that lies there, where one that is believed does."""
        started_in = sessions.get(ending.last.session)
        if started_in is None:
            raise BadEvidence(f"{execution.id} was started in session {ending.last.session}, of which nothing is left")
        at = self._signing_time().astimezone(dt.UTC).isoformat(timespec="microseconds")
        said = receipt.statement(self.folder.run_id, execution, ending, started_in, at)
        data = sign_statement(said, self.signer)
        path = self.folder.receipt_path(execution.id)
        try:
            store.write(path, data)
        except FileExistsError:
            kept = self._kept(execution, sessions)
            if kept is not None:
                return kept
            store.write(path, data, replace=True)
        if self.stored is not None:
            logs = [attempt.log.name for attempt in ending.attempts if attempt.log is not None]
            self.stored.keep(f"receipts/{execution.id}{SUFFIX}", *logs)
        return data, ending.last.outcome

    def _kept(self, execution: Execution, sessions: dict[int, Session]) -> tuple[bytes, str] | None:
        """The receipt that an earlier dispatch signed, and its outcome: once signed, it is what happened.

        Whatever became of log or journal since, nobody signs another story; ``receipts verify`` tells the difference.
        None for one that is torn (the disk was full) or not believed: log and journal make a new one.

        Raises:
            BadEvidence: it cites a session that is not there. What that one planned may be another manifest.
        """
        data = self.folder.receipt(execution.id) or b""
        try:
            found = receipt.read(data, self.trust, run_id=self.folder.run_id, execution=execution.id)
        except BadEvidence:
            return None
        if found.statement.predicate["session"].get("digest") not in [one.digest for one in sessions.values()]:
            raise BadEvidence(
                f"the receipt of {execution.id} cites a session that is not there",
                where=str(self.folder.receipt_path(execution.id)),
                remedy="put the run's sessions back from a copy, or start a new run",
            )
        return data, str(found.statement.predicate["outcome"])

    def _close(
        self, digests: dict[str, str], outcomes: list[str], denied: tuple[str, ...], missing: int, current: Session
    ) -> segment.Segment:
        store.sync_all(self.folder.path)
        for number, data in self.folder.numbered("sessions"):
            digests[f"sessions/{number}{SUFFIX}"] = segment.sha256(data)
        previous, last = None, 0
        for number, data in self.folder.numbered("segments"):
            previous, last = "sha256:" + segment.sha256(data), number
        closed = segment.Segment(
            run_id=self.folder.run_id,
            number=last + 1,
            made_at=self._signing_time().astimezone(dt.UTC).isoformat(timespec="microseconds"),
            previous=previous,
            files=digests,
            outcomes=segment.count(outcomes),
            denied=denied,
            missing=missing,
            rehearsal=current.predicate["rehearsal"],
        )
        self.folder.add_numbered("segments", closed.number, sign_statement(closed.statement(), self.signer))
        self._settle()
        return closed
