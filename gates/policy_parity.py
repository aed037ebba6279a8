"""Gate ``policy-parity``: ``policy/parity.lock`` says of every pack what asking both engines says.

Without conftest the lock decides which packs regopy may judge, so a change must not write itself into it. Whether an
entry is about the pack as it is now, and about the inputs that its fixtures give, is told by digests. Whether the
engines agree is asked again for every entry that the change brings; without a conftest to ask, that blocks, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from gates.scene import Scene, Settings
from maestro.errors import MaestroError, ToolFailure
from maestro.findings import Finding, GateResult, Location, Rule, Skipped, result_of
from policy.parity.lock import LOCK_PATH, Entry, Lock, lock_at

if TYPE_CHECKING:
    from policy.pack import Pack

ID = "policy-parity"
NEEDS_REGO = True
OF_THE_CHANGE_ITSELF = True

WRITE = "run `maestro policy parity --write` with conftest at hand, and commit policy/parity.lock"

UNREADABLE = Rule("mc.policy-parity/unreadable", "The parity lock can be read", WRITE)
STALE = Rule("mc.policy-parity/stale", "The parity lock is about the packs as they are", WRITE)
UNTRUE = Rule("mc.policy-parity/untrue", "The parity lock says what both engines say", WRITE)
NOT_RECOMPUTED = Rule(
    "mc.policy-parity/not_recomputed",
    "What a change says of two engines is asked of both",
    "let the job that checks have conftest (`maestro doctor` says how): nothing else can tell whether it is true",
)
REMOVED = Rule(
    "mc.policy-parity/removed",
    "A parity lock is not taken away unnoticed",
    "keep it where any job or person judges without conftest; otherwise nothing is lost",
    mode="warn",
)

RULES = (UNREADABLE, STALE, UNTRUE, NOT_RECOMPUTED, REMOVED)


def judge(scene: Scene) -> GateResult:
    """Compare the lock of the head with its packs, and ask both engines about what is new in it."""
    if scene.change.preview:
        return Skipped("nothing decides here before the merge")
    settings = scene.head_settings
    if isinstance(settings, MaestroError):
        return Skipped("the maestro.yaml of the change cannot be read")
    paths = scene.changed_paths
    packs = settings.packs.packs
    whole = scene.change.judge_all or LOCK_PATH in paths or "maestro.yaml" in paths
    touched = [pack for pack in packs if whole or any(_holds(pack, path) for path in paths)]
    if not touched and not whole:
        return Skipped("no pack is touched, nor the lock")
    old, new = lock_at(scene.change.policy), lock_at(scene.change.head)
    if not new.there:
        if not old.there:
            return Skipped(f"there is no {LOCK_PATH}: without conftest nothing is judged here")
        words = f"{LOCK_PATH} is gone: without conftest no pack judges after the merge"
        return result_of(1, [REMOVED.finding(words, Location(LOCK_PATH), subject=LOCK_PATH)])
    objection = _unusable(new)
    if objection is not None:
        return result_of(1, [objection])
    findings: list[Finding] = []
    claimed: list[tuple[Pack, Entry]] = []
    for pack in touched:
        entry = new.packs.get(pack.name)
        why = _stale(scene, pack, entry)
        if why is not None:
            findings.append(_about(STALE, pack, f"{pack.name}: {why}", f"maestro policy parity --write {pack.name}"))
        elif entry is not None and entry.alike and not _known(old, new, pack.name):
            claimed.append((pack, entry))
    findings += _without_pack(settings, new)
    findings += _asked_again(scene, claimed)
    return result_of(len(touched), findings)


def _holds(pack: Pack, path: str) -> bool:
    return pack.path == "." or path.startswith(f"{pack.path.rstrip('/')}/") or path in pack.data


def _unusable(lock: Lock) -> Finding | None:
    from policy.engines.proven import regopy_version
    from policy.parity.inputs import METHOD

    place = Location(LOCK_PATH, lock.line)
    if lock.problem is not None:
        return UNREADABLE.finding(f"{LOCK_PATH} cannot be used: {lock.problem}", place, subject=LOCK_PATH)
    if lock.regopy != regopy_version():
        words = f"{LOCK_PATH} was made with regopy {lock.regopy}, and here {regopy_version()} would judge"
        return STALE.finding(words, place, subject=LOCK_PATH)
    if lock.method != METHOD:
        words = (
            f"{LOCK_PATH} was made by a version of Maestro that asks other inputs (method {lock.method}, not {METHOD})"
        )
        return STALE.finding(words, place, subject=LOCK_PATH)
    return None


def _stale(scene: Scene, pack: Pack, entry: Entry | None) -> str | None:
    """Why the entry is not about the pack as the change leaves it, or None."""
    from policy.engines.proven import program_digest
    from policy.parity.inputs import digest_of, inputs_of

    if entry is None:
        return f"{LOCK_PATH} has no entry for this pack"
    if entry.program != program_digest(pack.program()):
        return f"the entry in {LOCK_PATH} is about other rules or data than the pack has now"
    inputs = inputs_of(scene.change.head, pack)
    if (entry.asked, entry.inputs) != (len(inputs), digest_of(inputs)):
        return f"the entry in {LOCK_PATH} is about other inputs than the fixtures give now"
    return None


def _known(old: Lock, new: Lock, name: str) -> bool:
    """Whether the policy revision says the same of the same engines."""
    engines = (old.opa, old.regopy, old.method) == (new.opa, new.regopy, new.method)
    return old.problem is None and engines and old.packs.get(name) == new.packs[name]


def _without_pack(settings: Settings, lock: Lock) -> Iterator[Finding]:
    names = {pack.name for pack in settings.packs.packs}
    for name in sorted(lock.packs.keys() - names):
        words = f"{LOCK_PATH} has an entry for {name}, which is no pack that judges here"
        yield STALE.finding(words, Location(LOCK_PATH), subject=f"Pack/{name}", remedy=WRITE)


def _asked_again(scene: Scene, claimed: Sequence[tuple[Pack, Entry]]) -> Iterator[Finding]:
    for pack, entry in claimed:
        try:
            if scene.prove is None:
                raise ToolFailure("there are not two engines here")
            made = scene.prove(scene.change.head, pack, _inputs_before(scene, pack))
        except ToolFailure as error:
            words = (
                f"{pack.name}: whether both engines answer alike, as {LOCK_PATH} says, cannot be asked: {error.message}"
            )
            yield _about(NOT_RECOMPUTED, pack, words, None)
            continue
        if made != entry:
            yield _about(UNTRUE, pack, f"{pack.name}: {_difference(entry, made)}", None)


def _inputs_before(scene: Scene, pack: Pack) -> list[Any]:
    """What the pack's fixtures at the policy revision give: a change must not remove what would show a difference."""
    from policy.parity.inputs import inputs_of

    before = next((one for one in scene.settings.packs.packs if one.name == pack.name), None)
    return inputs_of(scene.settings.snapshot, before) if before is not None else []


def _difference(entry: Entry, made: Entry) -> str:
    from policy.parity.proof import shown

    if made.why is not None:
        example = shown(made)
        return f"{LOCK_PATH} says that both engines answer alike, but {made.why}" + (f"; {example}" if example else "")
    return (
        f"{LOCK_PATH} says {entry.equal} equal, {entry.refused} refused, {entry.reached} of {entry.bodies} bodies; "
        f"asking gives {made.equal}, {made.refused}, {made.reached} of {made.bodies}"
    )


def _about(rule: Rule, pack: Pack, message: str, command: str | None) -> Finding:
    remedy = None if command is None else f"run `{command}` with conftest at hand, and commit {LOCK_PATH}"
    return rule.finding(message, pack.location, subject=f"Pack/{pack.name}", owner=pack.owner, remedy=remedy)
