"""Builds the scene of a check from a repository: the one place where gates meet git and the engines."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gates.approvals import codeowners_of
from gates.document_index import DocumentIndex
from gates.owners import OwnerBook
from gates.scene import Decide, Decided, ExtraInput, Prove, Scene, Settings, tell_nobody
from gates.waivers import held
from maestro.change import ChangeSet
from maestro.codeowners import LOCATIONS
from maestro.config import Ledger, load_config
from maestro.errors import MaestroError, SelectionError, UsageError
from maestro.patterns import compile_patterns
from maestro.repository import Snapshot
from policy.pack import Door, load_packs

if TYPE_CHECKING:
    from gates.approvals import Approval

CONFIG_FILE = "maestro.yaml"
_REPAIRS = ("policy/", "waivers/")


@dataclass(frozen=True)
class Assembled:
    """A scene, what the harness needs beside it, and notes for the report."""

    scene: Scene
    waivers: Callable[[], Mapping[tuple[str, str], str]]
    changed_packs: frozenset[str]
    settings_changed: bool
    notes: tuple[str, ...]


def settings_at(
    snapshot: Snapshot, *, day: dt.date, door: Door | None = None, ledger: Ledger | None = None
) -> Settings:
    """What decides at ``snapshot``, on ``day`` (UTC): rules harden on a date; signed bundles come in by the ``door``.

    Which revision of a bundle was seen is asked of ``ledger``: where that is None, of the one that is named there.

    Raises:
        UsageError: no maestro.yaml there, or it cannot be read.
    """
    if CONFIG_FILE not in snapshot.entries:
        raise UsageError("there is no maestro.yaml", remedy="`maestro init` writes one, and edits no file of yours")
    config = load_config(CONFIG_FILE, snapshot.read(CONFIG_FILE))
    owners = OwnerBook.of(codeowners_of(snapshot).all_owners, config.owners)
    asked = config if ledger is None else config.model_copy(update={"ledger": ledger})
    return Settings(snapshot, config, owners, load_packs(snapshot, asked, door).on(day))


def _merged_ledger(policy: Snapshot) -> Ledger:
    """The ledger that is asked about bundles of the head: a change does not choose whom the check talks to."""
    try:
        return load_config(CONFIG_FILE, policy.read(CONFIG_FILE)).ledger
    except (KeyError, MaestroError):
        return Ledger()


def assemble(
    change: ChangeSet,
    *,
    now: dt.datetime,
    decide: Decide,
    approvals: Callable[[], Sequence[Approval]],
    gate_ids: tuple[str, ...],
    extra_inputs: tuple[ExtraInput, ...] = (),
    prove: Prove | None = None,
    decided: Decided = tell_nobody,
    door: Door | None = None,
) -> Assembled:
    """The scene of ``change``.

    Raises:
        UsageError: neither the target nor the head has a maestro.yaml that can be read.
        SelectionError: the patterns match nothing in the whole repository, or an extra input names no pack.
    """
    notes: list[str] = []
    day = now.astimezone(dt.UTC).date()
    head_settings: Settings | MaestroError
    try:
        head_settings = settings_at(change.head, day=day, door=door, ledger=_merged_ledger(change.policy))
    except MaestroError as error:
        head_settings = error
    if CONFIG_FILE not in change.policy.entries:
        if isinstance(head_settings, MaestroError):
            raise head_settings
        change = replace(change, preview=True)
        settings = head_settings
    else:
        settings = _binding(change, head_settings, day, notes, door)
    scene = Scene(
        change=change,
        settings=settings,
        head_settings=head_settings,
        at_head=_index(change.head, settings),
        at_base=_index(change.base, settings),
        at_policy=_index(change.policy, settings),
        now=now,
        decide=decide,
        approvals=approvals,
        gate_ids=gate_ids,
        extra_inputs=extra_inputs,
        prove=prove,
        decided=decided,
    )
    _refuse_empty_selection(scene)
    changed_packs, settings_changed = _changed_settings(settings, head_settings, scene)
    return Assembled(
        scene,
        waivers=lambda: held(scene.at_policy, scene.today),
        changed_packs=changed_packs,
        settings_changed=settings_changed,
        notes=tuple(notes),
    )


def _binding(
    change: ChangeSet, head_settings: Settings | MaestroError, day: dt.date, notes: list[str], door: Door | None
) -> Settings:
    try:
        return settings_at(change.policy, day=day, door=door)
    except MaestroError as error:
        # Only a change that repairs what decides, and nothing else, may be judged by what it brings itself;
        # governance still asks for its approval.
        paths = [one.path for one in change.changes]
        repair = all(path == CONFIG_FILE or path.startswith(_REPAIRS) for path in paths)
        if not paths or not repair or isinstance(head_settings, MaestroError):
            raise UsageError(
                f"the target's maestro.yaml cannot be read: {error.message}",
                where=error.where,
                remedy="repair it in a pull request that touches only maestro.yaml, policy/ or waivers/",
            ) from error
        notes.append(
            f"the target's maestro.yaml cannot be read ({error.message}); "
            "this change repairs it and is judged by its own"
        )
        return head_settings


def _index(snapshot: Snapshot, settings: Settings) -> DocumentIndex:
    return DocumentIndex(snapshot, compile_patterns(settings.config.documents))


def _refuse_empty_selection(scene: Scene) -> None:
    names = sorted(pack.name for pack in scene.settings.packs.packs)
    for extra in scene.extra_inputs:
        if extra.pack not in names:
            raise SelectionError(
                f"--input {extra.path}={extra.pack}: there is no pack {extra.pack!r}",
                remedy="the packs are: " + (", ".join(names) or "none"),
            )
    if scene.at_head.paths or scene.at_base.paths or scene.extra_inputs or scene.settings.packs.problems:
        return
    matches = [compile_patterns(pack.match) for pack in scene.settings.packs.packs if pack.match]
    if any(match(path) for match in matches for path in scene.change.head.entries):
        return
    raise SelectionError(
        "the patterns of maestro.yaml match nothing in the whole repository",
        where=CONFIG_FILE,
        remedy="correct `documents`, or the `match` of a pack",
    )


def _changed_settings(settings: Settings, head: Settings | MaestroError, scene: Scene) -> tuple[frozenset[str], bool]:
    """(packs that would judge differently after the merge, whether any setting changes)."""
    if isinstance(head, MaestroError) or head is settings:
        return frozenset(), False
    known = {pack.name: (pack.digest, pack.mode, pack.match) for pack in settings.packs.packs}
    changed = frozenset(
        pack.name for pack in head.packs.packs if known.get(pack.name) != (pack.digest, pack.mode, pack.match)
    )
    touched = {CONFIG_FILE, *LOCATIONS} & set(scene.changed_paths)
    return changed, bool(changed or touched)
