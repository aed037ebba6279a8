"""The packs of two revisions, side by side. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from policy import pack_rules
from policy.pack import Pack, PackProblem, Packs


@dataclass(frozen=True)
class Side:
    """A pack at one revision. Without a pack: why it cannot judge there, or (without a problem) there is none."""

    pack: Pack | None = None
    problem: str | None = None


@dataclass(frozen=True)
class Pair:
    """A pack before and after the change; ``name`` and ``path`` are those it would have after the merge."""

    name: str
    path: str
    before: Side
    after: Side

    @property
    def changed(self) -> bool:
        """Whether anything about the pack differs."""
        return self.before != self.after

    @property
    def packs(self) -> tuple[Pack, ...]:
        """The sides that can judge."""
        return tuple(side.pack for side in (self.before, self.after) if side.pack is not None)

    @property
    def owner(self) -> str | None:
        """Who answers for it: as the policy revision says, for a pull request cannot appoint its own approver."""
        return next((pack.owner for pack in self.packs), None)


def pairs(before: Packs, after: Packs) -> list[Pair]:
    """Every pack of either revision, by name, else by folder; those that cannot be read there have their problem."""
    out: list[Pair] = []
    met: set[str] = set()
    for old in before.packs:
        new = next((one for one in after.packs if one.name == old.name), None)
        new = new or next(
            (one for one in after.packs if one.path == old.path and not _named(before.packs, one.name)), None
        )
        if new is not None:
            met.add(new.name)
        problem = _problem(old, after.problems) if new is None else None
        shown = new or old
        out.append(Pair(shown.name, shown.path, Side(old), Side(new, problem)))
    out += [
        Pair(new.name, new.path, Side(None, _problem(new, before.problems)), Side(new))
        for new in after.packs
        if new.name not in met
    ]
    return sorted(out, key=lambda pair: pair.name)


def unreadable(before: Packs, after: Packs, found: Sequence[Pair]) -> list[str]:
    """What no pair speaks of: packs that cannot be loaded after the change, and could not before it."""
    folders = {pair.path.rstrip("/") for pair in found}
    lines = [
        f"{problem.pack} cannot judge on either side: {_where(problem)}: {problem.message}"
        for problem in after.problems
        if problem.rule.mode == "enforce"
        and problem.pack.rstrip("/") not in folders
        and any(other.rule.mode == "enforce" and other.pack == problem.pack for other in before.problems)
    ]
    return list(dict.fromkeys(lines))


def _named(packs: Sequence[Pack], name: str) -> bool:
    return any(pack.name == name for pack in packs)


def _problem(pack: Pack, problems: Sequence[PackProblem]) -> str | None:
    """Why the other revision cannot load this pack, where it tries to."""
    for problem in problems:
        if problem.rule.mode != "enforce":
            continue
        same_folder = problem.pack.rstrip("/") == pack.path.rstrip("/")
        shared = problem.rule is pack_rules.SAME_NAMESPACE and pack.name in problem.message.split()
        if same_folder or shared:
            return f"{_where(problem)}: {problem.message}"
    return None


def _where(problem: PackProblem) -> str:
    return f"{problem.location.path}:{problem.location.line}"
