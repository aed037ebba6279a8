"""The audit itself: what was merged, what the ledger holds, and whether the one accounts for the other. Pure.

Merges are listed by git, so one without a record shows, wherever it stood. Runs, and several records of one merge, are
listed by the ledger's log alone: whether one is missing as a whole, the log cut back with it, only a checkpoint known
from elsewhere can tell (``runner.audit.completeness``).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from maestro.evidence.errors import BadEvidence
from maestro.evidence.verdict import TreeVerdict
from maestro.history import History
from maestro.metrics import DecisionLabels
from policy.kept_inputs import KeptInputs
from policy.merge_record import MergeRecord
from policy.metrics import outcome_of
from policy.recorded_decision import RecordedDecision
from runner.audit.completeness import NO_CHECKPOINT, Completeness
from runner.audit.disagreements import Disagreements, compare
from runner.audit.finding import Finding, Kind, finding
from runner.audit.verdicts import (
    PhaseVerdict,
    VerdictsCompared,
    after_merge,
    at_check,
    at_execution,
    compare_verdicts,
)
from runner.ledger_check import Kind as Objected
from runner.ledger_check import RunReport
from runner.recorded import decisions_of
from runner.run_folder import SUFFIX
from runner.session import Session

UNCHECKED_RULE = "mc.audit/unchecked_merge"
"""What a merged waiver of ``Commit/<id>`` answers for."""


@dataclass(frozen=True)
class Ledger:
    """What lies in the ledger: believed records by name, runs, inputs, and what is objected to already."""

    records: Mapping[str, MergeRecord]
    objections: tuple[Finding, ...]
    runs: tuple[RunReport, ...]
    inputs: KeptInputs
    input_of: Callable[[str], Any]

    @property
    def policy_revisions(self) -> frozenset[str]:
        """Every commit whose policy decided something, as far as it is believed."""
        sessions = [session for run in self.runs for session in run.sessions.values()]
        sources = [session.predicate["source"] for session in sessions]
        cited = [source.get("policy_revision") for source in sources if isinstance(source, dict)]
        return frozenset([one.policy_revision for one in self.records.values()] + [one for one in cited if one])


@dataclass(frozen=True)
class BrokenGlass:
    """A run in spite of a deny: allowed, and listed. ``closed`` by a merged waiver."""

    run_id: str
    executions: int
    reason: str
    closed: bool


@dataclass(frozen=True)
class Audit:
    """Everything there is to say."""

    findings: tuple[Finding, ...]
    merges: int
    recorded: int
    """Merges with a verdict of their own that allowed them."""
    in_a_range: int
    """Merges that came in one push with the one that has the verdict."""
    answered_for: tuple[str, ...]
    """Commits of unchecked merges that a merged waiver answers for."""
    records: int
    runs: int
    executions: int
    rehearsals: int
    broken_glass: tuple[BrokenGlass, ...]
    decisions: Mapping[str, int]
    """By phase."""
    outcomes: Mapping[DecisionLabels, int]
    """Of the same decisions."""
    inputs_kept: int
    inputs_gone: int
    inputs_altered: int
    disagreements: Disagreements
    verdicts: VerdictsCompared
    """The same of whole verdicts, that of the pull request among them."""
    completeness: Completeness


def audit(
    history: History,
    first: int,
    ledger: Ledger,
    packs_at: Callable[[str], Mapping[str, str] | str],
    *,
    answered: frozenset[str] = frozenset(),
    branch: str,
    completeness: Completeness = NO_CHECKPOINT,
    attested: Sequence[TreeVerdict] = (),
) -> Audit:
    """Hold the ledger against the history.

    Args:
        history: of the default branch.
        first: from which place of its line on each commit must have a verdict that allowed it.
        ledger: what was read, believed by the keys of the tip.
        packs_at: name → digest of the packs of a commit, or why there are none.
        answered: commits of unchecked merges that merged waivers answer for.
        branch: its name, for words.
        completeness: what a log over the ledger can prove.
        attested: believed verdicts of pull requests' jobs, which are in no ledger.
    """
    return _Audit(history, first, ledger, packs_at, answered, branch).conclude(completeness, attested)


@dataclass
class _Verdicts:
    """What records say of one commit."""

    allowed: list[MergeRecord]
    blocked: list[tuple[str, MergeRecord]]


class _Audit:
    def __init__(
        self,
        history: History,
        first: int,
        ledger: Ledger,
        packs_at: Callable[[str], Mapping[str, str] | str],
        answered: frozenset[str],
        branch: str,
    ) -> None:
        self.history = history
        self.first = first
        self.ledger = ledger
        self.packs_at = packs_at
        self.answered = answered
        self.branch = branch
        self.findings: list[Finding] = list(ledger.objections)
        self.decisions: list[RecordedDecision] = []
        self.at_execution: list[PhaseVerdict] = []

    def conclude(self, completeness: Completeness, attested: Sequence[TreeVerdict]) -> Audit:
        verdicts = self._records()
        recorded, in_a_range, answered_for = self._merges(verdicts)
        glass = tuple(self._runs())
        for name in self.ledger.inputs.altered:
            self._find("input-altered", name, "it is not what its name, the digest that decisions cite, says")
        cited = {one.input_digest for one in self.decisions if one.input_digest}
        runs = self.ledger.runs
        return Audit(
            findings=tuple(sorted(set(self.findings))),
            merges=len(self.history.line) - self.first,
            recorded=recorded,
            in_a_range=in_a_range,
            answered_for=answered_for,
            records=len({record.whole for record in self.ledger.records.values()}),
            runs=len(runs),
            executions=sum(len(run.receipts) for run in runs),
            rehearsals=sum(run.rehearsals for run in runs),
            broken_glass=glass,
            decisions=Counter(one.phase for one in self.decisions),
            outcomes=Counter(DecisionLabels(one.pack, one.mode, outcome_of(one)) for one in self.decisions),
            inputs_kept=len(self.ledger.inputs.intact),
            inputs_gone=len(cited - self.ledger.inputs.intact),
            inputs_altered=len(self.ledger.inputs.altered),
            disagreements=compare(self.decisions, self.history.place, self.ledger.input_of),
            verdicts=compare_verdicts(
                [*map(at_check, attested), *map(after_merge, self.ledger.records.values()), *self.at_execution]
            ),
            completeness=completeness,
        )

    def _find(self, kind: Kind, place: str, message: str, *, subject: str = "", remedy: str | None = None) -> None:
        self.findings.append(finding(kind, place, message, subject=subject, remedy=remedy))

    # Records of merges

    def _records(self) -> Mapping[str, _Verdicts]:
        """What they say by commit, of those that git bears out."""
        verdicts: dict[str, _Verdicts] = defaultdict(lambda: _Verdicts([], []))
        whole: dict[bytes, dict[int, tuple[str, MergeRecord]]] = defaultdict(dict)
        for name, record in self.ledger.records.items():
            if self._borne_out(name, record):
                whole[record.whole][record.part] = (name, record)
                for one in record.decisions:
                    self._pack(one, name)
                self.decisions += record.decisions
        for parts in whole.values():
            name, record = min(parts.values(), key=lambda one: one[1].part)
            missing = sorted(set(range(1, record.parts + 1)) - set(parts))
            if missing:
                said = ", ".join(map(str, missing))
                self._find("record-incomplete", name, f"part {said} of {record.parts} is not there")
            elif record.allowed:
                verdicts[record.commit].allowed.append(record)
            else:
                verdicts[record.commit].blocked.append((name, record))
        return verdicts

    def _borne_out(self, name: str, record: MergeRecord) -> bool:
        place = self.history.place.get(record.commit)
        if place is None:
            self._find(
                "record-contradicts-git",
                name,
                f"it is about {record.commit[:12]}, which never was the tip of {self.branch}",
            )
            return False
        if self.history.line[place].tree != record.tree:
            self._find("record-contradicts-git", name, f"the tree of {record.commit[:12]} is not the one it speaks of")
            return False
        if record.policy_revision not in self.history:
            self._find(
                "pack-not-on-default-branch",
                name,
                f"it was judged by the policy of {record.policy_revision[:12]}, which is not merged into {self.branch}",
            )
            return False
        if not self.history.is_before(record.policy_revision, record.commit):
            self._find(
                "record-contradicts-git",
                name,
                f"the policy of {record.policy_revision[:12]} is not older than {record.commit[:12]}, which it judged",
            )
            return False
        return True

    def _merges(self, verdicts: Mapping[str, _Verdicts]) -> tuple[int, int, tuple[str, ...]]:
        """How many merges have their own verdict, how many came along with one, which somebody answered for."""
        along = self._along(verdicts)
        recorded = in_a_range = 0
        answered_for = []
        for place in range(self.first, len(self.history.line)):
            commit = self.history.line[place].commit
            said = verdicts.get(commit) or _Verdicts([], [])
            blocked = [(name, one) for name, one in said.blocked if not (one.undecided and said.allowed)]
            if commit in self.answered and (blocked or not said.allowed):
                answered_for.append(commit)
            elif blocked:
                self._unchecked(*blocked[0])
            elif said.allowed:
                recorded += 1
            elif place in along:
                in_a_range += 1
            else:
                self._unrecorded(place)
        return recorded, in_a_range, tuple(answered_for)

    def _along(self, verdicts: Mapping[str, _Verdicts]) -> frozenset[int]:
        """The places of commits between a policy revision and the commit that a record judged against it as one."""
        begins: Counter[int] = Counter()
        for said in verdicts.values():
            for record in (*said.allowed, *(one for _, one in said.blocked)):
                before = self.history.place.get(record.policy_revision)
                if before is not None:  # else the branch was led round it: then the record is of its commit alone
                    begins[before + 1] += 1
                    begins[self.history.place[record.commit]] -= 1
        covered, depth = set(), 0
        for place in range(len(self.history.line)):
            depth += begins[place]
            if depth:
                covered.add(place)
        return frozenset(covered)

    def _unchecked(self, name: str, record: MergeRecord) -> None:
        why = ", ".join(f"{one.rule} on {one.subject}" for one in record.blocking[:3])
        if len(record.blocking) > 3:
            why += f" and {len(record.blocking) - 3} more"
        if not why:
            why = ", ".join(
                f"gate {gate} {one.outcome}" for gate, one in record.gates.items() if one.outcome == "errored"
            )
        commit = record.commit
        self._find(
            "unchecked-merge",
            name,
            f"{commit[:12]} was merged, and the check by the policy of {record.policy_revision[:12]} "
            f"does not allow it: {why or 'see the record'}",
            subject=f"Commit/{commit}",
            remedy="repair or revert it in a pull request, and answer for it: "
            f"`maestro waive {UNCHECKED_RULE} Commit/{commit} --until DATE --reason TEXT`, merged",
        )

    def _unrecorded(self, place: int) -> None:
        commit = self.history.line[place].commit
        before = self.history.line[max(place - 1, 0)].commit
        self._find(
            "record-missing",
            commit,
            f"{commit[:12]} was merged, and no record that is believed says what the check found",
            subject=f"Commit/{commit}",
            remedy="restore the ledger; where the job on push did not run, record the merge now: "
            f"`maestro check --record --target {before[:12]} --head {commit[:12]}`",
        )

    # Decisions, of merges and of executions

    def _pack(self, one: RecordedDecision, place: str) -> None:
        """Whether the pack that decided is the one of that name at the policy revision."""
        if not one.pack_digest and one.error is not None and not one.allow:
            return  # a pack that could not be loaded decided nothing, and allowed nothing
        packs = self.packs_at(one.policy_revision)
        revision = one.policy_revision[:12]
        if isinstance(packs, str):
            message = f"the pack {one.pack} of {revision} cannot be compared: {packs}"
        elif one.pack not in packs:
            message = f"there is no pack {one.pack} at {revision}"
        elif packs[one.pack] != one.pack_digest:
            message = f"the pack {one.pack} at {revision} is not the one that decided"
        else:
            return
        self._find("decision-without-pack", place, message, subject=one.subject)

    # Runs

    def _runs(self) -> Iterator[BrokenGlass]:
        for run in self.ledger.runs:
            for objection in run.objections:
                kind = _KIND_OF[objection.kind]
                if kind is not None:
                    self._find(kind, objection.file, objection.message, subject=f"Run/{run.run_id}")
            for session in run.sessions.values():
                self._session(run.run_id, session)
            for execution, said in run.receipts.items():
                cited = run.sessions.get(said["session"].get("digest"))
                if cited is not None and said.get("source") != cited.predicate["source"]:
                    self._find(
                        "execution-without-decision",
                        f"runs/{run.run_id}/receipts/{execution}{SUFFIX}",
                        "it speaks of another commit than the session that decided",
                        subject=f"Run/{run.run_id}",
                    )
            if run.broken_glass:
                closed = all(one.kind != "break-glass-open" for one in run.objections)
                yield BrokenGlass(run.run_id, run.broken_glass, _reason(run), closed)

    def _session(self, run_id: str, session: Session) -> None:
        place = f"runs/{run_id}/sessions/{session.number}{SUFFIX}"
        subject = f"Run/{run_id}"
        try:
            decisions = list(decisions_of(session))
            source = {key: str(session.predicate["source"][key]) for key in ("commit", "tree", "policy_revision")}
            denied = {one["subject"] for one in session.predicate["manifests"] if one["denied"] is not None}
        except (BadEvidence, KeyError, TypeError) as error:
            self._find("record-not-believed", place, f"the session is malformed: {error}", subject=subject)
            return
        commit, revision = source["commit"], source["policy_revision"]
        if commit not in self.history:
            self._find(
                "execution-not-merged", place, f"{commit[:12]} is not merged into {self.branch}", subject=subject
            )
        at = self.history.place.get(commit)
        if at is not None and self.history.line[at].tree != source["tree"]:
            self._find(
                "execution-not-merged", place, f"the tree of {commit[:12]} is not the one it speaks of", subject=subject
            )
        if revision not in self.history:
            self._find(
                "pack-not-on-default-branch",
                place,
                f"policy of {revision[:12]} decided, which is not merged into {self.branch}",
                subject=subject,
            )
            return
        for one in decisions:
            self._pack(one, place)
            if not one.allow and one.subject not in denied:
                self._find(
                    "execution-without-decision",
                    place,
                    f"{one.pack} did not allow {one.subject}, and the session says that nothing was in the way",
                    subject=subject,
                )
        self.decisions += decisions
        self.at_execution.append(at_execution(session))


_KIND_OF: Mapping[Objected, Kind | None] = {
    "changed": "run-altered",
    "missing": "run-altered",
    "extra": "run-altered",
    "not-believed": "record-not-believed",
    "unclosed": "run-unclosed",
    "no-decision": "execution-without-decision",
    "break-glass-open": None,  # listed; `receipts verify` objects until somebody answers for it
    "unreadable": "run-unreadable",
    "unlogged": "record-unlogged",
}


def _reason(run: RunReport) -> str:
    reasons: Sequence[str] = [
        str(said["break_glass"].get("reason"))
        for said in run.receipts.values()
        if isinstance(said.get("break_glass"), dict)
    ]
    return next(iter(reasons), "")
