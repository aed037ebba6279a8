"""Judging what lies in the ledger's folder: is each receipt what was signed, by whom we believe, and are all there?

Within a run the last closed segment answers for completeness, across runs the log that segments are entered into, and
for the end of the log a checkpoint that is known from elsewhere. Without one, whoever asks is told what is not proven.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from maestro.counting import many
from maestro.errors import MaestroError, ToolFailure
from maestro.evidence.errors import BadEvidence
from maestro.evidence.trust import Trust
from maestro.evidence.verify import Verified
from maestro.shares import shared
from runner import receipt, segment, session, step
from runner.logged import entry_name
from runner.run_folder import KINDS, SUFFIX, RunFolder, chunks
from runner.session import Session
from runner.step import Step

BREAK_GLASS_RULE = "mc.run/break_glass"
NOT_PROVEN = (
    "not proven: that no run or record is missing at the end; whoever can write here could bring back an older state "
    "of it (compare it with a checkpoint kept elsewhere: --checkpoint FILE)"
)

COUNTED = ("outcome", "rehearsal", "break_glass")
"""What a report counts of the believed receipts."""

Kind = Literal[
    "changed",
    "missing",
    "extra",
    "not-believed",
    "unclosed",
    "no-decision",
    "break-glass-open",
    "unreadable",
    "unlogged",
    "reordered",
    "forked",
    "truncated",
    "foreign",
]


@dataclass(frozen=True)
class Objection:
    """Something that does not hold. ``file`` is relative to the ledger's folder."""

    kind: Kind
    run_id: str
    file: str
    message: str


@dataclass(frozen=True)
class Unfinished:
    """How far a run has come that a store elsewhere has as steps only, by those of them that are believed.

    Args:
        steps: how many.
        session: which session took the last one.
        heard: when, by its own word.
        claimed: executions that may have started.
        open: those of them without a receipt.
    """

    steps: int
    session: int
    heard: str
    claimed: int
    open: int


@dataclass
class RunReport:
    """What was found in one run. ``receipts`` are the believed ones, by execution id; ``sessions`` too, by digest.

    Of a receipt's predicate only ``COUNTED`` is kept where no more was asked for.
    """

    run_id: str
    objections: list[Objection] = field(default_factory=list)
    receipts: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    complete: bool = False
    unfinished: Unfinished | None = None
    readable: bool = True
    """False where nothing of it could be had: not even what there is can be said."""

    @property
    def outcomes(self) -> dict[str, int]:
        """How often each outcome occurs."""
        return segment.count(str(said["outcome"]) for said in self.receipts.values())

    @property
    def rehearsals(self) -> int:
        """How many receipts are of a rehearsal: they prove nothing about production."""
        return sum(said["rehearsal"] for said in self.receipts.values())

    @property
    def broken_glass(self) -> int:
        """How many executions ran in spite of a deny."""
        return sum(said.get("break_glass") is not None for said in self.receipts.values())


@dataclass(frozen=True)
class Logged:
    """What the ledger's log says of segments.

    Args:
        names: every segment that was entered.
        proven: by SHA-256 of a segment, when it existed for sure.
    """

    names: frozenset[str]
    proven: Mapping[str, dt.datetime]


def check_run(
    folder: RunFolder,
    trust: Trust,
    closed_by: Callable[[str], bool],
    logged: Logged | None = None,
    *,
    only: Set[str] | None = None,
    counted: bool = False,
) -> RunReport:
    """Everything that can be said about one run.

    Args:
        folder: the run.
        trust: the keys of the policy revision.
        closed_by: whether a merged document closes the break-glass of the run with that id.
        logged: the ledger's log; None where there is none.
        only: look at these executions alone; what else the run lacks or has too much is not asked then.
        counted: whether it is enough to know ``COUNTED`` of each receipt.
    """
    return _Check(folder, trust, closed_by, logged, RunReport(folder.run_id), only, counted=counted).report()


def _digest_of_file(path: str) -> str:
    """Hexadecimal SHA-256."""
    hashed = hashlib.sha256()
    for data in chunks(path):
        hashed.update(data)
    return hashed.hexdigest()


def _name_of(execution: str) -> str:
    return f"receipts/{execution}{SUFFIX}"


def decision_faults(said: Mapping[str, Any], sessions: Mapping[str, Session]) -> Iterator[str]:
    """Why the believed ``sessions``, by digest, did not allow what a receipt says."""
    found = sessions.get(said["session"].get("digest"))
    if found is None:
        yield "the session it cites, with the decision that allowed it, is not there or not believed"
        return
    try:
        manifest = found.manifest(said["manifest"]["subject"])
    except BadEvidence as error:
        yield error.message
        return
    decisions = manifest["decisions"]
    if said["decisions"] != found.decision_digests(manifest["subject"]) or not decisions:
        yield "it does not cite the decisions that were made about its manifest"
    if said["manifest"].get("tenant") != manifest.get("tenant"):
        yield "it names another tenant than the one whose manifest was decided about"
    if said["manifest"].get("digest") != manifest["digest"] or said.get("placement") != manifest["placement"]:
        yield "its manifest or placement is not the one that was decided about"
    if said["rehearsal"] != found.predicate["rehearsal"]:
        yield "it hides that the run was a rehearsal"
    allowed = manifest["denied"] is None and found.predicate["verdict"]["allowed"] is True
    if not allowed and (said.get("break_glass") is None or said.get("break_glass") != found.predicate["break_glass"]):
        yield "it was denied, and no break-glass allowed it all the same"


_Judged = tuple[dict[str, Any] | None, list[tuple[Kind, str]]]
"""What a receipt says, None where it is not believed, and the objections to it."""


@dataclass
class _Check:
    folder: RunFolder
    trust: Trust
    closed_by: Callable[[str], bool]
    logged: Logged | None
    out: RunReport
    only: Set[str] | None = None
    counted: bool = False
    listed: Mapping[str, str] = field(default_factory=dict)
    """The files that the last segment lists, with their SHA-256."""
    closed: bool = False
    proven: dict[str, dt.datetime] = field(default_factory=dict)
    """By SHA-256 of a file, when it existed for sure: a segment in the log takes what it lists along."""

    def report(self) -> RunReport:
        why = self.folder.unreadable
        if why is not None:
            self.out.readable = False
            self._object("unreadable", "", why)
            return self.out
        try:
            self._steps()
            last = self._last_segment()
            self._read_sessions()
            self.closed, self.listed = last is not None, last.files if last else {}
            if self.only is not None:
                self._alone(self.only)
            else:
                there = self.folder.receipts()
                self._receipts(there)
                self._listed_but_gone(there)
                if last is not None:
                    self._counts(last)
        except MaestroError as error:
            self._object("unreadable", "", error.message)
        if self.out.broken_glass and not self.closed_by(self.folder.run_id):
            self._object(
                "break-glass-open",
                "",
                f"{many(self.out.broken_glass, 'execution')} ran in spite of a deny{self._why()}; "
                "a merged Waiver closes it: "
                f"`maestro waive {BREAK_GLASS_RULE} Run/{self.folder.run_id} --until DATE --reason TEXT`",
            )
        return self.out

    def _alone(self, wanted: Set[str]) -> None:
        there = {execution: self.folder.receipt_path(execution).exists() for execution in sorted(wanted)}
        self._receipts([execution for execution in there if there[execution]])
        for execution in there:
            if not there[execution]:
                self._object("missing", _name_of(execution), "it is not there")

    def _why(self) -> str:
        """The reasons that were given, and by whom they were approved."""
        glasses = [
            said["break_glass"] for said in self.out.receipts.values() if isinstance(said.get("break_glass"), dict)
        ]
        words: list[str] = []
        for glass in glasses:
            given = glass.get("approvals")
            who = [str(one.get("who")) for one in given if isinstance(one, dict)] if isinstance(given, list) else []
            said = f"{glass.get('reason')!r}, approved by {', '.join(who) or 'nobody'}"
            words += [said] if said not in words else []
        return f" ({'; '.join(words)})" if words else ""

    def _object(self, kind: Kind, name: str, message: str) -> None:
        self.out.objections.append(Objection(kind, self.out.run_id, f"runs/{self.out.run_id}/{name}", message))

    def _read_sessions(self) -> None:
        for number, data in self.folder.numbered("sessions"):
            try:
                found = session.read(data, self._trust(data), self.folder.run_id, number)
            except BadEvidence as error:
                self._object("not-believed", f"sessions/{number}{SUFFIX}", error.message)
            else:
                self.out.sessions[found.digest] = found

    def _trust(self, data: bytes) -> Trust:
        """The keys, for a file of which it may be proven that it is old."""
        if not self.proven and (self.logged is None or not self.logged.proven):
            return self.trust
        digest = segment.sha256(data)
        known = self.logged.proven if self.logged is not None else {}
        return self.trust.since(known.get(digest) or self.proven.get(digest))

    def _taken_along(self, said: segment.Segment, data: bytes) -> None:
        when = self.logged.proven.get(segment.sha256(data)) if self.logged is not None else None
        if when is not None:
            for digest in said.files.values():
                self.proven.setdefault(digest, when)

    def _last_segment(self) -> segment.Segment | None:
        """The last segment, believed, with an unbroken line of those before it."""
        last: segment.Segment | None = None
        before: str | None = None
        expected = 1
        for number, data in self.folder.numbered("segments"):
            name = f"segments/{number}{SUFFIX}"
            try:
                last = segment.read(data, self._trust(data), run_id=self.folder.run_id, number=number)
            except BadEvidence as error:
                self._object("not-believed", name, error.message)
                last, before, expected = None, None, number + 1
                continue
            self._taken_along(last, data)
            if self.logged is not None and entry_name(self.folder.run_id, number) not in self.logged.names:
                self._object(
                    "unlogged",
                    name,
                    f"the ledger's log does not list it; `maestro run --resume {self.folder.run_id}` enters it",
                )
            if number != expected or (last.previous != before and number != 1):
                self._object("missing", name, f"segment {number} does not follow the one before it")
            before, expected = "sha256:" + segment.sha256(data), number + 1
        if last is None:
            self._object("unclosed", "segments", self._not_closed())
        elif not last.complete:
            self._object("unclosed", "segments", f"closed as incomplete, without {many(last.missing, 'execution')}")
        self.out.complete = last is not None and last.complete
        return last

    def _not_closed(self) -> str:
        how = self.out.unfinished
        if how is None:
            return "no segment closes this run: what it lacks nobody can say; resume it"
        return (
            f"it goes on elsewhere, or was cut short: {many(how.steps, 'step')} and no segment are there; session "
            f"{how.session} took the last one at {how.heard}; {how.open} of {many(how.claimed, 'claimed execution')} "
            "without a receipt; not proven: that no later step was taken away; once nothing works on it any more, "
            f"`maestro run --resume {self.folder.run_id}` completes it"
        )

    def _steps(self) -> None:
        """Where the run is steps only: each is signed, none is missing before the last, and each file is in one."""
        believed: list[Step] = []
        for number, data in self.folder.numbered("steps"):
            try:
                believed.append(step.read(data, self._trust(data), run_id=self.folder.run_id, number=number))
            except BadEvidence as error:
                self._object("not-believed", f"steps/{number}{SUFFIX}", error.message)
        if not believed:
            return
        try:
            taken = step.taken(believed)
        except BadEvidence as error:
            self._object("missing", "steps", error.message)
            return
        there = {name: path for name, path in self._carried() if self.only is None}
        for name, path in there.items():
            wanted = taken.files.get(name)
            try:
                if wanted is None:
                    self._object("extra", name, "no step that is believed carries it")
                elif wanted != _digest_of_file(str(path)):
                    self._object("changed", name, "it is not the file that the step lists")
            except OSError as error:
                self._object("unreadable", name, f"it cannot be read: {error.strerror}")
        for name in taken.files.keys() - there.keys() if self.only is None else ():
            self._object("missing", name, "a step lists it, and it is not there")
        receipts = set(self.folder.receipts())
        last = believed[-1]
        open_ = sum(execution not in receipts for execution in taken.claims)
        self.out.unfinished = Unfinished(len(believed), last.session, last.made_at, len(taken.claims), open_)

    def _carried(self) -> Iterator[tuple[str, Path]]:
        for kind in KINDS:
            for path in sorted((self.folder.path / kind).glob("*")):
                if path.is_file():
                    yield f"{kind}/{path.name}", path

    def _receipts(self, executions: Sequence[str]) -> None:
        for execution, (said, objections) in zip(executions, shared(self._judged, executions), strict=True):
            if said is not None:
                self.out.receipts[execution] = said
            for kind, message in objections:
                self._object(kind, _name_of(execution), message)

    def _judged(self, execution: str) -> _Judged:
        """One receipt; many are judged in copies of this process, so what is found is only handed back."""
        objections: list[tuple[Kind, str]] = []
        try:
            data = self.folder.receipt(execution) or b""
        except ToolFailure as error:
            return None, [("unreadable", error.message)]
        wanted = self.listed.get(_name_of(execution))
        if self.closed and wanted is None:
            objections.append(("extra", "the closed segment does not list it"))
        elif wanted is not None and wanted != segment.sha256(data):
            objections.append(("changed", "it is not the file that the segment lists"))
        try:
            verified = receipt.read(data, self._trust(data), run_id=self.out.run_id, execution=execution)
        except BadEvidence as error:
            return None, [*objections, ("not-believed", error.message)]
        said = verified.statement.predicate
        objections += [("no-decision", message) for message in decision_faults(said, self.out.sessions)]
        objections += self._log_faults(verified)
        if self.closed and wanted is None:
            return None, objections
        return ({key: said.get(key) for key in COUNTED} if self.counted else dict(said)), objections

    def _log_faults(self, verified: Verified) -> Iterator[tuple[Kind, str]]:
        for subject in verified.statement.subjects:
            parent, _, name = subject.name.partition("/")
            if parent != "logs" or "/" in name or name in ("", ".", ".."):
                yield "changed", f"it speaks of a log outside of its run: {subject.name!r:.200}"
                continue
            try:
                digest = _digest_of_file(f"{self._logs}/{name}")
            except (FileNotFoundError, IsADirectoryError):
                yield "missing", f"its log {subject.name} is gone"
            except OSError as error:
                yield "unreadable", f"its log {subject.name} cannot be read: {error.strerror}"
            else:
                if digest != subject.digest.get("sha256"):
                    yield "changed", f"its log {subject.name} is not the one that was signed"

    @cached_property
    def _logs(self) -> str:
        return str(self.folder.path / "logs")

    def _listed_but_gone(self, there: Sequence[str]) -> None:
        looked_at = {_name_of(execution) for execution in there}
        for name, wanted in self.listed.items():
            if name in looked_at:
                continue
            kind, _, rest = name.partition("/")
            path = self.folder.path / kind / rest
            if kind not in ("receipts", "sessions") or "/" in rest or not path.is_file():
                self._object("missing", name, "the segment lists it, and it is not there")
            elif segment.sha256(path.read_bytes()) != wanted:
                self._object("changed", name, "it is not the file that the segment lists")

    def _counts(self, last: segment.Segment) -> None:
        spoilt = any(one.kind in ("missing", "not-believed", "changed", "unreadable") for one in self.out.objections)
        if not spoilt and self.out.outcomes != dict(last.outcomes):
            self._object("changed", "segments", "the segment's counts are not those of its receipts")
