"""Asks both sides of a pack about the cases, a batch at a time, and adds up what differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from maestro.findings import MILDNESS, Hardening, Mode
from policy.decide import Decision
from policy.diff.cases import NOT_ASKED, Case, NotAsked, Origin, identity
from policy.diff.changes import ORDER, Kind, Standing, changes, loosens, rules_of, standing
from policy.diff.pairs import Pair, Side
from policy.diff.result import EXAMPLES, Example, Flow, ModeChange, PackDiff, PackState, Row
from policy.pack import Pack

Decide = Callable[[Pack, Sequence[Any]], "list[Decision]"]

BATCH = 2000
"""Cases held at once; conftest is asked about as many in one process."""


@dataclass
class _Group:
    origins: Counter[Origin] = field(default_factory=Counter)
    examples: list[Example] = field(default_factory=list)
    owners: Counter[str] = field(default_factory=Counter)


@dataclass
class Tally:
    """What a pack's cases add up to so far. Bounded but for the transitions and the digests of what was asked."""

    pair: Pair
    decide: Decide
    unusable: int = 0
    repeats: int = 0
    _pending: list[Case] = field(default_factory=list)
    _asked: Counter[Origin] = field(default_factory=Counter)
    _groups: dict[tuple[str, Kind, str], _Group] = field(default_factory=dict)
    _flows: Counter[tuple[Standing, Standing]] = field(default_factory=Counter)
    _loosened: _Group = field(default_factory=_Group)
    _loosened_rules: set[str] = field(default_factory=set)
    _unanswered: str | None = None
    _cannot_judge: str | None = None
    _spoke: set[str] = field(default_factory=set)
    _transitions: list[tuple[str, str, str, str, str]] = field(default_factory=list)
    _seen: set[tuple[str | None, str | None]] = field(default_factory=set)

    def add(self, case: Case) -> None:
        """Ask about ``case``, now or with others. A fixture or a recorded input that was asked before is not again."""
        if case.origin != "document":
            key = self._identities(case)
            if key in self._seen:
                self.repeats += case.origin == "recorded"
                return
            self._seen.add(key)
        self._pending.append(case)
        if len(self._pending) >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Ask about everything that waits."""
        cases, self._pending = self._pending, []
        before = _decisions(self.pair.before, [case.before for case in cases], self.decide)
        after = _decisions(self.pair.after, [case.after for case in cases], self.decide)
        for case, old, new in zip(cases, before, after, strict=True):
            self._compare(case, old, new)

    def result(self) -> PackDiff:
        """The sums, in a fixed order."""
        self.flush()
        rows = [
            Row(
                self._id(rule),
                kind,
                detail,
                group.origins.total(),
                dict(sorted(group.origins.items())),
                tuple(group.examples),
                tuple(sorted(group.owners.items(), key=lambda item: (-item[1], item[0]))),
            )
            for (rule, kind, detail), group in self._groups.items()
        ]
        rows.sort(key=lambda row: (ORDER.index(row.kind), -row.count, row.rule, row.detail))
        flows = [Flow(before, after, count) for (before, after), count in sorted(self._flows.items())]
        return PackDiff(
            name=self.pair.name,
            path=self.pair.path,
            owner=self.pair.owner,
            before=_state(self.pair.before),
            after=_after(self.pair.after, self._cannot_judge),
            rows=tuple(rows),
            flows=tuple(flows),
            mode_changes=tuple(mode_changes(self.pair)),
            asked=dict(sorted(self._asked.items())),
            unreached=self._unreached(),
            loosened=self._loosened.origins.total(),
            loosened_rules=tuple(sorted(map(self._id, self._loosened_rules))),
            loosened_by=tuple(self._loosened.examples),
            unanswered=self._unanswered,
            unusable=self.unusable,
            repeats=self.repeats,
            transitions=tuple(sorted(self._transitions)),
        )

    def _compare(self, case: Case, old: Decision | None, new: Decision | None) -> None:
        self._asked[case.origin] += 1
        self._flows[standing(old), standing(new)] += 1
        if new is not None and new.error_kind in ("compile", "unsupported"):
            self._cannot_judge = new.error
        if old is not None and new is not None and old.no_answer and new.no_answer:
            self._unanswered = self._unanswered or new.no_answer
        before, after = rules_of(old), rules_of(new)
        self._spoke |= before | after
        found = changes(old, new)
        if not found:
            return
        was, now = self._identities(case)
        for change in found:
            key = (change.rule, change.kind, change.detail)
            _count(self._groups.setdefault(key, _Group()), case, change.text)
            self._transitions.append((change.rule, change.kind, change.detail, was or "", now or ""))
        if loosens(old, new):
            gone = [change for change in found if change.kind in ("deny-to-allow", "mode-flip", "from-error")]
            self._loosened_rules.update(change.rule for change in gone)
            _count(self._loosened, case, "; ".join(change.text for change in gone))

    def _identities(self, case: Case) -> tuple[str | None, str | None]:
        kinds = [side.pack.input if side.pack else None for side in (self.pair.before, self.pair.after)]
        # We gave documents their time; fixtures and recordings came with theirs.
        ours = case.origin == "document"
        was = _identity(case.before, timeless=ours and kinds[0] not in (None, "document"))
        same = case.after is case.before and kinds[0] == kinds[1]
        now = was if same else _identity(case.after, timeless=ours and kinds[1] not in (None, "document"))
        return was, now

    def _id(self, rule: str) -> str:
        return f"{self.pair.name}/{rule}" if rule else self.pair.name

    def _unreached(self) -> tuple[str, ...]:
        """Rules of the pack as it would be that never spoke. A result may name another rule than its head's; then it
        cannot be told from here which head spoke, and none is accused."""
        pack = self.pair.after.pack
        if pack is None:
            return ()
        heads = {rule.suffix for rule in pack.rules}
        if self._spoke - heads - {"decision"}:
            return ()
        return tuple(self._id(rule) for rule in sorted(heads - self._spoke))


def _identity(value: Any | NotAsked, *, timeless: bool) -> str | None:  # noqa: ANN401
    try:
        return identity(value, timeless=timeless)
    except ValueError:
        return "not JSON"


def _count(group: _Group, case: Case, text: str) -> None:
    group.origins[case.origin] += 1
    owner = case.owner()
    if owner:
        group.owners[owner] += 1
    if len(group.examples) < EXAMPLES:
        group.examples.append(Example(case.origin, case.name, case.place(), owner, text))


def _decisions(side: Side, values: Iterable[Any | NotAsked], decide: Decide) -> list[Decision | None]:
    """One decision per value, None where the side is not asked. A pack that cannot be loaded answers nothing."""
    given = list(values)
    if side.pack is None:
        if side.problem is None:
            return [None] * len(given)
        broken = Decision("", "enforce", "", False, None, (), "", "", error=side.problem, error_kind="compile")
        return [broken] * len(given)
    asked = [value for value in given if value is not NOT_ASKED]
    answers = iter(decide(side.pack, asked) if asked else [])
    return [None if value is NOT_ASKED else next(answers) for value in given]


def _state(side: Side) -> PackState | None:
    if side.pack is None:
        return PackState(None, None, side.problem) if side.problem else None
    return PackState(side.pack.mode, side.pack.digest, None)


def _after(side: Side, cannot_judge: str | None) -> PackState | None:
    state = _state(side)
    return state if state is None or cannot_judge is None else replace(state, problem=cannot_judge)


def mode_changes(pair: Pair) -> list[ModeChange]:
    """The pack's own mode, then those of rules that change otherwise than with their pack's."""
    before, after = _modes(pair.before), _modes(pair.after)
    if pair.before.problem or pair.after.problem:
        return []
    out = []
    old = (pair.before.pack.mode, pair.before.pack.hardens) if pair.before.pack else (None, None)
    new = (pair.after.pack.mode, pair.after.pack.hardens) if pair.after.pack else (None, None)
    if old != new:
        out.append(ModeChange(pair.name, old[0], new[0], old[1], new[1]))
    for suffix in dict.fromkeys([*before, *after]):
        was, now = before.get(suffix), after.get(suffix)
        if was is None or now is None or was == now or (was, now) == (old, new):
            continue
        out.append(ModeChange(f"{pair.name}/{suffix}", was[0], now[0], was[1], now[1]))
    return out


def _modes(side: Side) -> dict[str, tuple[Mode, Hardening | None]]:
    """The strictest mode of the rules of each id, and what it will be."""
    out: dict[str, tuple[Mode, Hardening | None]] = {}
    if side.pack is not None:
        for rule in side.pack.rules:
            mode = side.pack.mode_of(rule)
            if rule.suffix not in out or MILDNESS[mode] < MILDNESS[out[rule.suffix][0]]:
                out[rule.suffix] = mode, side.pack.hardening_of(rule)
    return out
