"""What a change of packs does to decisions: the packs of the policy revision and of the head, over one corpus.

The corpus is every document of the head, the fixtures of both revisions, and recorded inputs where some are given. The
gate ``policy-diff``, ``maestro policy diff`` and ``maestro approve`` show the same result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gates.approvals import codeowners_of
from gates.document_index import DocumentIndex
from gates.pack_inputs import Judged, inputs_of
from gates.scene import Scene, Settings
from maestro.codeowners import Codeowners
from maestro.errors import MaestroError, ToolFailure, UsageError
from maestro.patterns import compile_patterns
from policy.diff.cases import NOT_ASKED, Case, owner_in
from policy.diff.compare import Tally
from policy.diff.fixtures import fixture_inputs
from policy.diff.pairs import Pair, pairs, unreadable
from policy.diff.recorded import Recorded, Unusable, pack_of, read_recorded
from policy.diff.references import Path as InputPath
from policy.diff.references import input_paths, looked_at
from policy.diff.result import PolicyDiff, digest_of
from policy.diff.words import approval_of, headline
from policy.pack import Pack, Packs

if TYPE_CHECKING:
    from maestro.findings import Finding

_Key = tuple[str, int, tuple[str | int, ...], bool]


@dataclass(frozen=True)
class Recordings:
    """A file of recorded inputs; ``name`` as the user wrote it."""

    name: str
    path: Path


@dataclass
class _Notes:
    """What was left out, said once each, with how often."""

    counts: dict[str, int] = field(default_factory=dict)

    def add(self, words: str) -> None:
        self.counts[words] = self.counts.get(words, 0) + 1

    def lines(self) -> tuple[str, ...]:
        return tuple(words if count == 1 else f"{words} ({count:,} times)" for words, count in self.counts.items())


def comparable(scene: Scene) -> str | None:
    """Why there is nothing to compare, or None."""
    if isinstance(scene.head_settings, MaestroError):
        return f"the maestro.yaml of the change cannot be read: {scene.head_settings.message}"
    if not scene.change.preview and scene.settings.snapshot is not scene.change.policy:
        return "the target's maestro.yaml cannot be read, so there is nothing to compare with"
    return None


def changed_pairs(scene: Scene) -> tuple[list[Pair], list[Pair]]:
    """The packs that differ between the revisions, and those that are equal; ``comparable`` must hold."""
    before, after = _sides(scene)
    found = pairs(before.packs if before else Packs((), ()), after.packs)
    # Which files are ours also says how they are read, so then no pack is certainly asked what it was asked before.
    same = before is not None and before.config.documents == after.config.documents
    return [one for one in found if one.changed or not same], [one for one in found if same and not one.changed]


def decision_diff(
    scene: Scene,
    *,
    recordings: Sequence[Recordings] = (),
    only: Sequence[str] = (),
    skip_unchanged: bool = True,
    engine: Callable[[], str | None] = lambda: None,
    started: Callable[[str], None] = lambda _: None,
) -> PolicyDiff:
    """Compare. A pack that is equal on both sides answers equally, so asking it can be skipped.

    Args:
        scene: ``comparable`` must hold.
        recordings: recorded inputs to ask about as well.
        only: names of packs; all when empty.
        skip_unchanged: False asks the equal ones too, to prove that nothing is lost by skipping them.
        engine: names what answered, once it has.
        started: told what is being worked on.

    Raises:
        UsageError: a line of a recording cannot be read.
        ToolFailure: the engine is missing, or a recording cannot be opened.
    """
    changed, equal = changed_pairs(scene)
    chosen = [pair for pair in [*changed, *([] if skip_unchanged else equal)] if not only or pair.name in only]
    notes = _Notes(dict.fromkeys(_unreadable(scene, [*changed, *equal]), 1))
    tallies = [Tally(pair, scene.decide) for pair in chosen]
    corpus = _Corpus(scene, notes)
    for tally in tallies:
        started(f"comparing: {tally.pair.name}")
        for case in corpus.cases(tally.pair):
            tally.add(case)
        tally.flush()
    every = frozenset(pair.name for pair in [*changed, *equal])
    lines = sum(_replay(recording, tallies, every, notes) for recording in recordings) if tallies else 0
    results = [(tally.pair, tally.result()) for tally in tallies]
    shown = tuple(result for pair, result in results if pair in changed or result.rows)
    return PolicyDiff(
        policy_revision=scene.change.policy.commit,
        head=scene.change.head.commit or "worktree",
        packs=shown,
        unchanged=tuple(pair.name for pair in equal if not only or pair.name in only),
        engine=engine(),
        notes=notes.lines(),
        recorded_lines=lines,
        digest=digest_of(shown),
    )


def in_short(scene: Scene) -> list[str]:
    """The diff in a few lines, for somebody who is about to approve it; no line where no pack changes."""
    if comparable(scene) is not None or not any(pair.changed for pair in changed_pairs(scene)[0]):
        return []
    try:
        diff = decision_diff(scene)
    except MaestroError as error:
        return [f"What that does to decisions could not be computed: {error.message}"]
    silent = [f"  {pack.name}: no answer on either side: {pack.unanswered}" for pack in diff.packs if pack.unanswered]
    asks = [f"  {pack.name}: {words}" for pack in diff.packs if (words := approval_of(pack))]
    return [f"What that does to decisions: {headline(diff)}", *asks, *silent, f"  decision diff    {diff.digest}"]


def _sides(scene: Scene) -> tuple[Settings | None, Settings]:
    after = scene.head_settings
    if isinstance(after, MaestroError):
        raise UsageError(after.message, where=after.where, remedy=after.remedy)
    return (None if scene.change.preview else scene.settings), after


def _unreadable(scene: Scene, found: Sequence[Pair]) -> list[str]:
    before, after = _sides(scene)
    return unreadable(before.packs if before else Packs((), ()), after.packs, found)


class _Corpus:
    """The documents of the head and the fixtures of both revisions, as each side of a pair would be given them."""

    def __init__(self, scene: Scene, notes: _Notes) -> None:
        before, after = _sides(scene)
        everything = replace(scene.change, judge_all=True)
        whole = replace(scene, change=everything, extra_inputs=(), only_packs=None)
        self._before = whole if before else None
        index = scene.at_head
        if before is None or before.config.documents != after.config.documents:
            index = DocumentIndex(scene.change.head, compile_patterns(after.config.documents))
        self._after = replace(whole, settings=after, at_head=index)
        self._owners = codeowners_of(scene.change.policy)
        self._notes = notes
        self._known: dict[tuple[bool, str, tuple[str, ...]], dict[_Key, Judged]] = {}

    def cases(self, pair: Pair) -> Iterator[Case]:
        """Documents, then fixtures."""
        yield from self._documents(pair)
        yield from self._fixtures(pair)

    def _documents(self, pair: Pair) -> Iterator[Case]:
        after = self._inputs(self._after, pair.after.pack)
        if self._same_inputs(pair):
            before = after
        else:
            before = self._inputs(self._before, pair.before.pack)
        broken_before, broken_after = pair.before.problem is not None, pair.after.problem is not None
        for key in dict.fromkeys([*before, *after]):
            old, new = before.get(key), after.get(key)
            # A pack that cannot be loaded is still in charge of what its other side judges.
            was = old.value if old else new.value if new and broken_before else NOT_ASKED
            now = new.value if new else old.value if old and broken_after else NOT_ASKED
            judged = new or old
            if judged is not None:
                yield _document_case(judged, was, now, self._owners)

    def _same_inputs(self, pair: Pair) -> bool:
        old, new = pair.before.pack, pair.after.pack
        same_index = self._before is not None and self._before.at_head is self._after.at_head
        return same_index and bool(old and new) and (old.input, old.match) == (new.input, new.match)  # type: ignore[union-attr]

    def _inputs(self, scene: Scene | None, pack: Pack | None) -> dict[_Key, Judged]:
        """What a pack is given; packs that look at the same files are given the same, read once."""
        if scene is None or pack is None:
            return {}
        key = (scene.at_head is self._after.at_head, pack.input, pack.match)
        if key not in self._known:
            judged = inputs_of(scene, pack, self._unreadable)
            self._known[key] = {(one.raw.path, one.raw.index, one.prefix, one.as_1_1): one for one in judged}
        return self._known[key]

    def _unreadable(self, finding: Finding) -> None:
        if finding.rule == "mc.policy/unreadable":
            self._notes.counts[f"{finding.location.path} cannot be read and was left out"] = 1

    def _fixtures(self, pair: Pair) -> Iterator[Case]:
        sides = [(self._after, pair.after.pack), (self._before, pair.before.pack)]
        for side, pack in sides:
            if side is None or pack is None:
                continue
            snapshot = side.settings.snapshot
            found, without = fixture_inputs(snapshot, pack)
            for path in without:
                self._notes.counts[f"{path} holds no input and was left out"] = 1
            for fixture in found:
                owner = owner_in(fixture.value)
                yield _case("fixture", fixture.name, f"{fixture.path}:{fixture.line}", owner, pair, fixture.value)


def _document_case(judged: Judged, was: Any, now: Any, owners: Codeowners) -> Case:  # noqa: ANN401
    def place() -> str:
        location = judged.locate(None)
        return f"{location.path}:{location.line}"

    def owner() -> str | None:
        path = judged.raw.path
        return judged.owner or owner_in(judged.value) or " ".join(owners.owners_of(path)) or None

    name = f"{judged.subject} (as YAML 1.1)" if judged.as_1_1 else judged.subject
    return Case("document", name, place, owner, was, now)


def _case(origin: Any, name: str, place: str, owner: str | None, pair: Pair, value: Any) -> Case:  # noqa: ANN401
    """A case that both sides are given as it is; a side that does not exist is not asked."""
    sides = [value if side.pack or side.problem else NOT_ASKED for side in (pair.before, pair.after)]
    return Case(origin, name, lambda: place, lambda: owner, sides[0], sides[1])


def _replay(recordings: Recordings, tallies: Sequence[Tally], names: frozenset[str], notes: _Notes) -> int:
    """Ask the packs about every line they are concerned with; how many lines there are."""
    by_name = {tally.pair.name: tally for tally in tallies}
    paths = {tally.pair.name: _references(tally.pair.packs) for tally in tallies}
    lines = 0
    with ExitStack() as stack:
        try:
            stream = stack.enter_context(recordings.path.open("rb"))
        except OSError as error:
            raise ToolFailure(f"cannot read: {error.strerror}", where=recordings.name) from error
        for line in read_recorded(stream, recordings.name):
            lines += 1
            if isinstance(line, Unusable):
                notes.add(f"{recordings.name}: unusable: {line.why}")
                continue
            for name in _concerned(line, by_name, names, recordings.name, notes):
                tally = by_name[name]
                if any(looked_at(paths[name], missing) for missing in line.altered):
                    tally.unusable += 1
                    continue
                place = f"{recordings.name}:{line.line}"
                tally.add(_case("recorded", f"line {line.line}", place, owner_in(line.value), tally.pair, line.value))
    for tally in tallies:
        tally.flush()
    return lines


def _references(packs: Iterable[Pack]) -> frozenset[InputPath]:
    return frozenset(path for pack in packs for path in input_paths(pack.modules))


def _concerned(
    line: Recorded, chosen: dict[str, Tally], names: frozenset[str], file: str, notes: _Notes
) -> Iterable[str]:
    """The compared packs that a line is for."""
    if line.path is None and line.pack is None:
        return list(chosen)
    name = line.pack if line.pack is not None else pack_of(line.path or (), names)
    if name is None or name not in names:
        notes.add(f"{file}: left out: decided by something that is no pack here")
        return []
    return [name] if name in chosen else []
