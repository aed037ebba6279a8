"""Judging what lies in the ledger's folder: is each receipt what was signed, by whom we believe, and are all there?

Within a run the last closed segment answers for completeness. Across runs nothing does yet: a run that was removed as a
whole leaves no trace here, and whoever asks is told so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from maestro.errors import MaestroError
from maestro.evidence.errors import BadEvidence
from maestro.evidence.trust import Trust
from maestro.evidence.verify import Verified
from runner import receipt, segment, session
from runner.run_folder import SUFFIX, RunFolder
from runner.session import Session

BREAK_GLASS_RULE = "mc.run/break_glass"
NOT_PROVEN = (
    "not proven: that no run is missing as a whole; a run that was removed entirely leaves no trace in this folder"
)

Kind = Literal[
    "changed",
    "missing",
    "extra",
    "not-believed",
    "unclosed",
    "no-decision",
    "break-glass-open",
    "unreadable",
]


@dataclass(frozen=True)
class Objection:
    """Something that does not hold. ``file`` is relative to the ledger's folder."""

    kind: Kind
    run_id: str
    file: str
    message: str


@dataclass
class RunReport:
    """What was found in one run. ``receipts`` are the believed ones, by execution id; ``sessions`` too, by digest."""

    run_id: str
    objections: list[Objection] = field(default_factory=list)
    receipts: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    complete: bool = False

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


def check_run(folder: RunFolder, trust: Trust, closed_by: Callable[[str], bool]) -> RunReport:
    """Everything that can be said about one run.

    Args:
        folder: the run.
        trust: the keys of the policy revision.
        closed_by: whether a merged document closes the break-glass of the run with that id.
    """
    return _Check(folder, trust, closed_by, RunReport(folder.run_id)).report()


@dataclass
class _Check:
    folder: RunFolder
    trust: Trust
    closed_by: Callable[[str], bool]
    out: RunReport

    def report(self) -> RunReport:
        try:
            self._read_sessions()
            last = self._last_segment()
            listed = dict(last.files) if last else {}
            for execution, path in self.folder.receipts().items():
                self._receipt(execution, path, listed, closed=last is not None)
            self._listed_but_gone(listed)
            if last is not None:
                self._counts(last)
        except MaestroError as error:
            self._object("unreadable", "", error.message)
        if self.out.broken_glass and not self.closed_by(self.folder.run_id):
            self._object(
                "break-glass-open",
                "",
                f"{self.out.broken_glass} execution(s) ran in spite of a deny{self._why()}; a merged Waiver closes it: "
                f"`maestro waive {BREAK_GLASS_RULE} Run/{self.folder.run_id} --until DATE --reason TEXT`",
            )
        return self.out

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
                found = session.read(data, self.trust, self.folder.run_id, number)
            except BadEvidence as error:
                self._object("not-believed", f"sessions/{number}{SUFFIX}", error.message)
            else:
                self.out.sessions[found.digest] = found

    def _last_segment(self) -> segment.Segment | None:
        """The last segment, believed, with an unbroken line of those before it."""
        last: segment.Segment | None = None
        before: str | None = None
        expected = 1
        for number, data in self.folder.numbered("segments"):
            name = f"segments/{number}{SUFFIX}"
            try:
                last = segment.read(data, self.trust, run_id=self.folder.run_id, number=number)
            except BadEvidence as error:
                self._object("not-believed", name, error.message)
                last, before, expected = None, None, number + 1
                continue
            if number != expected or (last.previous != before and number != 1):
                self._object("missing", name, f"segment {number} does not follow the one before it")
            before, expected = "sha256:" + segment.sha256(data), number + 1
        if last is None:
            self._object("unclosed", "segments", "no segment closes this run: what it lacks nobody can say; resume it")
        elif not last.complete:
            self._object("unclosed", "segments", f"closed as incomplete, {last.missing} execution(s) have not run")
        self.out.complete = last is not None and last.complete
        return last

    def _receipt(self, execution: str, path: Path, listed: dict[str, str], *, closed: bool) -> None:
        name = f"receipts/{path.name}"
        data = self.folder.receipt(execution) or b""
        wanted = listed.pop(name, None)
        if closed and wanted is None:
            self._object("extra", name, "the closed segment does not list it")
        elif wanted is not None and wanted != segment.sha256(data):
            self._object("changed", name, "it is not the file that the segment lists")
        try:
            verified = receipt.read(data, self.trust, run_id=self.folder.run_id, execution=execution)
        except BadEvidence as error:
            self._object("not-believed", name, error.message)
            return
        said = verified.statement.predicate
        if wanted is not None or not closed:
            self.out.receipts[execution] = said
        for message in self._decision_faults(said):
            self._object("no-decision", name, message)
        for kind, message in self._log_faults(verified):
            self._object(kind, name, message)

    def _decision_faults(self, said: Mapping[str, Any]) -> Iterator[str]:
        found = self.out.sessions.get(said["session"].get("digest"))
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
        if said["manifest"].get("digest") != manifest["digest"] or said.get("placement") != manifest["placement"]:
            yield "its manifest or placement is not the one that was decided about"
        if said["rehearsal"] != found.predicate["rehearsal"]:
            yield "it hides that the run was a rehearsal"
        allowed = manifest["denied"] is None and found.predicate["verdict"]["allowed"] is True
        if not allowed and (
            said.get("break_glass") is None or said.get("break_glass") != found.predicate["break_glass"]
        ):
            yield "it was denied, and no break-glass allowed it all the same"

    def _log_faults(self, verified: Verified) -> Iterator[tuple[Kind, str]]:
        for subject in verified.statement.subjects:
            parent, _, name = subject.name.partition("/")
            path = self.folder.path / "logs" / name
            if parent != "logs" or "/" in name or name in ("", ".", ".."):
                yield "changed", f"it speaks of a log outside of its run: {subject.name!r:.200}"
            elif not path.is_file():
                yield "missing", f"its log {subject.name} is gone"
            else:
                with path.open("rb") as file:
                    if hashlib.file_digest(file, "sha256").hexdigest() != subject.digest.get("sha256"):
                        yield "changed", f"its log {subject.name} is not the one that was signed"

    def _listed_but_gone(self, listed: dict[str, str]) -> None:
        for name, wanted in listed.items():
            kind, _, rest = name.partition("/")
            path = self.folder.path / kind / rest
            if kind not in ("receipts", "sessions") or "/" in rest or not path.is_file():
                self._object("missing", name, "the segment lists it, and it is not there")
            elif segment.sha256(path.read_bytes()) != wanted:
                self._object("changed", name, "it is not the file that the segment lists")

    def _counts(self, last: segment.Segment) -> None:
        spoilt = any(one.kind in ("missing", "not-believed", "changed") for one in self.out.objections)
        if not spoilt and self.out.outcomes != dict(last.outcomes):
            self._object("changed", "segments", "the segment's counts are not those of its receipts")
