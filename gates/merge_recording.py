"""``maestro check --record``: what the job on push found about a merge, kept as signed evidence.

Pull-request jobs record nothing: nothing is merged yet, and a key that such a job can read is a key that whoever opens
a pull request can read.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from gates.pack_inputs import Judged
from gates.scene import Scene, Settings
from maestro.canonical_json import dumps
from maestro.errors import MaestroError, ToolFailure, UsageError
from maestro.evidence.errors import BadEvidence
from maestro.evidence.signer import Signer
from maestro.evidence.trust import Trust, trust_of
from maestro.ledger.entry import Entry
from maestro.ledger.log import Log
from maestro.report.model import Report
from maestro.repository import Repository
from maestro.selection import Selection
from policy.merge_record import KIND, PREFIX, Blocking, GateOutcome, MergeRecord, read, sign
from policy.recorded_decision import RecordedDecision, RecordedReason

if TYPE_CHECKING:
    from maestro.ledger.head import Head
    from maestro.ledger.store import Store
    from policy.decide import Decision
    from policy.pack import Pack

_INSTEAD = "leave --record out there; the job on push to the default branch records what was merged"


@dataclass
class Told:
    """The decisions of one check, and the inputs they were about (canonical JSON)."""

    decisions: list[tuple[Judged, Decision]] = field(default_factory=list)
    inputs: list[bytes] = field(default_factory=list)

    def decided(self, _pack: Pack, judged: Sequence[Judged], decisions: Sequence[Decision]) -> None:
        """See ``gates.scene.Decided``."""
        for one, decision in zip(judged, decisions, strict=True):
            self.decisions.append((one, decision))
            if decision.input_digest:  # empty where the input is no JSON; its error says so
                self.inputs.append(dumps(one.value))


def refuse_where_nothing_is_merged(environ: Mapping[str, str], selection: Selection) -> None:
    """Asked before anything is judged.

    Raises:
        UsageError: the job is a pull request's or a queue's, or what is judged is the working tree.
    """
    event = environ.get("GITHUB_EVENT_NAME", "")
    if selection.pull_request is not None or event.startswith("pull_request"):
        raise UsageError(
            "--record in a pull request's job: nothing is merged yet, and a pull request, above all one from a fork, "
            "must not reach the signing key",
            remedy=_INSTEAD,
        )
    if event == "merge_group" or environ.get("CI_PIPELINE_SOURCE") == "merge_request_event":
        raise UsageError("--record before the merge: nothing is merged yet", remedy=_INSTEAD)
    if selection.head is None:
        raise UsageError(
            "--record of a working tree: only what is merged is recorded",
            remedy="name the merge: --target BEFORE --head AFTER, both commits of the default branch",
        )


def nothing_decided_before(repository: Repository, scene: Scene) -> bool:
    """Whether the commit is the one that brings maestro.yaml: nothing decided before it, so nothing is to be kept."""
    if scene.change.preview:
        return True
    head = scene.change.head.commit
    return scene.change.policy.commit == head and head is not None and not repository.parents(head)


def settings_from_now_on(scene: Scene) -> Settings:
    """Those of the merge where they can be read: an audit takes the keys and the ledger's place from the tip."""
    return scene.settings if isinstance(scene.head_settings, MaestroError) else scene.head_settings


def record(
    repository: Repository, scene: Scene, report: Report, told: Told, *, signer: Signer, now: dt.datetime, store: Store
) -> MergeRecord:
    """Keep the inputs, then sign and keep the record.

    Raises:
        UsageError: what was judged is no merge into the default branch; the key is not one that maestro.yaml lists.
        ToolFailure: the ledger cannot be written.
    """
    commit, policy_revision = _merge(repository, scene)
    trust_of(settings_from_now_on(scene).config.keys).require(signer.key_id, now)
    made = MergeRecord(
        commit=commit,
        tree=scene.change.head.tree_id(),
        policy_revision=policy_revision,
        made_at=now,
        tool_version=report.tool_version,
        engine=report.engine,
        allowed=report.exit_code == 0,
        summary=asdict(report.summary),
        gates={one.gate: GateOutcome(one.outcome, one.judged, one.reason) for one in report.verdicts},
        blocking=tuple(
            Blocking(finding.rule, finding.subject)
            for verdict in report.verdicts
            for finding in verdict.findings
            if finding.blocks
        ),
        decisions=tuple(_recorded(one, decision, commit, policy_revision, now) for one, decision in told.decisions),
    )
    from policy.kept_inputs import keep

    keep(store, told.inputs)
    for one in sign(made, signer):
        if not store.create(one.name, one.data):
            found = store.read(one.name)
            if found is None:
                raise ToolFailure("the ledger lost a record while it was written", where=one.name)
    return made


def enter(
    store: Store, commit: str, *, signer: Signer, trust: Trust, now: dt.datetime, origin: str | None
) -> Head | None:
    """Enter the records of a merge into the ledger's log, those too that an earlier attempt kept and did not enter.

    A record entered cannot be taken away unseen any more: the checkpoint says so to whoever keeps it.

    Args:
        store: the ledger.
        commit: the merge.
        signer: signs the checkpoint.
        trust: the keys of maestro.yaml; what they did not sign is not entered.
        now: the wall clock.
        origin: the log's name, where maestro.yaml gives one.

    Raises:
        BadEvidence: the log is not believed.
        ToolFailure: the ledger cannot be reached or written; the same command again completes it.
    """
    at = now.astimezone(dt.UTC).isoformat(timespec="microseconds")
    entries, oldest = [], now
    there = store.now()
    names = [name for name in there.names(PREFIX) if f"/{commit[:12]}-" in name]
    there.prefetch(names)
    for name in names:
        found = there.read(name)
        if found is None:
            continue
        try:
            oldest = min(oldest, read(found.data, trust, name=name).made_at)
        except BadEvidence:
            continue  # an audit has words for it
        entries.append(Entry(KIND, name, hashlib.sha256(found.data).hexdigest(), at))
    return Log(store).append(entries, signer, trust, since=oldest, origin=origin) if entries else None


def _merge(repository: Repository, scene: Scene) -> tuple[str, str]:
    """The commit and the policy revision, where both are what a record can be about."""
    commit, policy_revision = scene.change.head.commit, scene.change.policy.commit
    branch = repository.default_branch_rev(scene.settings.config.default_branch)
    if commit is None or policy_revision is None or branch is None:
        raise UsageError("--record: nothing decided about this tree", remedy=_INSTEAD)
    tip = repository.resolve(branch)
    if commit != tip and not repository.is_ancestor(commit, tip):
        raise UsageError(
            f"--record: {commit[:12]} is not merged: it is no ancestor of {branch} at {tip[:12]}",
            remedy=f"fetch {branch} as it is now (actions/checkout: `fetch-depth: 0`), or leave --record out",
        )
    if repository.is_ancestor(commit, policy_revision):
        raise UsageError(
            f"--record: the policy of {policy_revision[:12]} is not older than what it judges, {commit[:12]}, "
            "so a merge would be judged by the policy it brought",
            remedy="name the merge: --target BEFORE --head AFTER, as the job on push does by itself",
        )
    return commit, policy_revision


def _recorded(
    judged: Judged, decision: Decision, commit: str, policy_revision: str, now: dt.datetime
) -> RecordedDecision:
    return RecordedDecision(
        made_at=now,
        phase="merge",
        commit=commit,
        policy_revision=policy_revision,
        pack=decision.pack,
        pack_digest=decision.pack_digest,
        mode=decision.mode,
        engine=decision.engine,
        subject=judged.subject,
        path=judged.raw.path,
        owner=judged.owner,
        input_digest=decision.input_digest,
        allow=decision.allow,
        reasons=tuple(RecordedReason(reason.rule, reason.mode) for reason in decision.reasons),
        error=decision.error,
    )
