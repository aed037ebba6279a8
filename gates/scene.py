"""What a gate is given: everything it may look at, nothing it could change."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from gates.document_index import DocumentIndex
from gates.owners import OwnerBook
from maestro.change import ChangeSet
from maestro.config import Config
from maestro.errors import MaestroError, ToolFailure
from maestro.findings import Finding
from maestro.patterns import compile_patterns
from maestro.repository import Snapshot

if TYPE_CHECKING:
    from gates.approvals import Approval
    from gates.pack_inputs import Judged
    from maestro.documents.json_value import Json
    from policy.decide import Decision
    from policy.pack import Files, Pack, Packs
    from policy.parity.lock import Entry


class CouldNotJudge(ToolFailure):
    """A gate got no trustworthy answer for part of its work; the findings it does have are kept.

    The harness turns it into an ``errored`` verdict, which blocks.
    """

    def __init__(
        self, message: str, *, remedy: str | None = None, judged: int = 0, findings: tuple[Finding, ...] = ()
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.judged = judged
        self.findings = findings


@dataclass(frozen=True)
class ExtraInput:
    """A file that is not in git, to be judged by one pack: ``--input FILE=PACK``."""

    path: str
    data: bytes
    pack: str


Decide = Callable[["Pack", Sequence["Json"]], "list[Decision]"]
"""``policy.decide.decide`` bound to the engine in use."""

Prove = Callable[["Files", "Pack", "Sequence[Json]"], "Entry"]
"""``policy.parity.proof.prove`` bound to both engines; raises ToolFailure where there are not two."""


Decided = Callable[["Pack", Sequence["Judged"], Sequence["Decision"]], None]
"""Told of every decision about the change itself; never of those about the target or the state after the merge."""


def tell_nobody(_pack: Pack, _judged: Sequence[Judged], _decisions: Sequence[Decision]) -> None:
    """Decisions that are not kept."""


@dataclass(frozen=True)
class Settings:
    """What decides, as it stands at one revision: maestro.yaml, owners, packs."""

    snapshot: Snapshot
    config: Config
    owners: OwnerBook
    packs: Packs


@dataclass(frozen=True)
class Scene:
    """One change to be judged.

    ``settings`` are those of the policy revision (in preview, the head's own); ``head_settings`` those that would
    hold after the merge, or the error that says why they cannot be read.
    """

    change: ChangeSet
    settings: Settings
    head_settings: Settings | MaestroError
    at_head: DocumentIndex
    at_base: DocumentIndex
    at_policy: DocumentIndex
    now: dt.datetime
    decide: Decide
    approvals: Callable[[], Sequence[Approval]]
    gate_ids: tuple[str, ...] = ()
    extra_inputs: tuple[ExtraInput, ...] = ()
    only_packs: frozenset[str] | None = field(default=None)
    """Pack names to ask, when not all of them are wanted again."""
    decided: Decided = tell_nobody
    prove: Prove | None = None
    """None where nothing is proved, only shown."""

    @property
    def lock_snapshot(self) -> Snapshot:
        """Where ``policy/parity.lock`` is believed: never at the head, unless nothing decides before the merge."""
        return self.change.head if self.change.preview else self.change.policy

    @property
    def today(self) -> dt.date:
        """The day of ``now`` in UTC."""
        return self.now.astimezone(dt.UTC).date()

    @property
    def changed_paths(self) -> tuple[str, ...]:
        """Every path the change adds, changes or removes."""
        return tuple(change.path for change in self.change.changes)

    @property
    def scope(self) -> tuple[str, ...]:
        """The governed files to judge: all of them, or those the change leaves behind in another form."""
        if self.change.judge_all:
            return self.at_head.paths
        return tuple(path for path in self.changed_paths if self.at_head.has(path))

    def at_target(self) -> Scene:
        """The same question about the target as it is: what it finds was there before this change."""
        return replace(
            self,
            change=replace(self.change, head=self.change.policy, base=self.change.policy),
            head_settings=self.settings,  # else what is wrong with the change's own would count as there before
            at_head=self.at_policy,
            at_base=self.at_policy,
            extra_inputs=(),
            decided=tell_nobody,
        )

    def after_merge(self, only_packs: frozenset[str]) -> Scene | None:
        """The whole repository under the settings this change would bring, or None where they cannot be read."""
        if isinstance(self.head_settings, MaestroError):
            return None
        return replace(
            self,
            change=replace(self.change, judge_all=True),
            settings=self.head_settings,
            at_head=DocumentIndex(self.change.head, compile_patterns(self.head_settings.config.documents)),
            only_packs=only_packs,
            extra_inputs=(),
            decided=tell_nobody,
        )
