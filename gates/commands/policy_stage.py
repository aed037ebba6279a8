"""``maestro policy stage``: the next mode of a pack or a rule, where what was decided so far allows it."""

from __future__ import annotations

import argparse
import datetime as dt
import difflib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gates.approvals import codeowners_of
from gates.assemble import Assembled, assemble
from gates.checking import Judge
from gates.pack_inputs import inputs_of
from gates.recorded_source import recorded_decisions
from gates.repairs import unified, write
from gates.scene import Settings
from gates.staged_files import step
from maestro.change import open_change
from maestro.counting import many
from maestro.errors import SelectionError, UsageError
from maestro.findings import MILDNESS, Mode
from maestro.own_checkout import select_here
from maestro.report.visible_text import shorten, visible
from maestro.repository import Repository
from maestro.selection import SelectionOptions
from maestro.world import World
from policy.diff.cases import owner_in
from policy.staging import DAYS, DECISIONS, NEXT, Evidence, gather

if TYPE_CHECKING:
    from policy.pack import Pack, PackRule

EXAMPLES = 5
"""Documents shown of each owner."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("name", metavar="PACK|RULE", help="a pack (acme.timeouts) or one rule of it by id")
    parser.add_argument("--repo", metavar="DIR", default=".", help="the repository (default: the one around here)")
    parser.add_argument("--target", metavar="REV", help="whose waivers and owners count (default: the default branch)")
    parser.add_argument("--decisions", metavar="FILE", help="decisions besides the ledger's, one JSON object a line")
    parser.add_argument("--min-decisions", metavar="N", type=_count, default=DECISIONS, help=f"default: {DECISIONS}")
    parser.add_argument("--min-days", metavar="N", type=_count, default=DAYS, help=f"different days (default: {DAYS})")
    parser.add_argument(
        "--blocked", metavar="N", type=_count, default=0, help="so many documents may be blocked at once (default: 0)"
    )
    parser.add_argument("--on", metavar="DATE", help="harden on that day, announced from now on, and not at once")
    parser.add_argument("--write", action="store_true", help="change the files of the working tree")
    parser.add_argument("--engine", choices=("auto", "conftest", "regopy", "both"), default="auto")


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"{text!r} is no number")
    return int(text)


def run(arguments: argparse.Namespace, world: World) -> int:
    """0 with the patch on standard output (or applied), 10 when something is lacking.

    Raises:
        UsageError: it cannot go on, or a line of the decisions cannot be read.
        SelectionError: there is no such pack, rule or file.
        ToolFailure: the ledger cannot be read.
    """
    today = world.now().astimezone(dt.UTC).date()
    on = None if arguments.on is None else _day(arguments.on, today)
    with Repository.open(world.cwd / arguments.repo, world.environ) as repository:
        options = SelectionOptions(target=arguments.target, head=None, all=True)
        change = open_change(repository, select_here(repository, options, world.environ))
        judge = Judge(arguments.engine, world)
        assembled = assemble(change, now=world.now(), decide=judge, approvals=lambda: (), gate_ids=())
        settings = assembled.scene.head_settings
        if not isinstance(settings, Settings):
            raise UsageError(settings.message, where=settings.where, remedy=settings.remedy)
        pack, rule = _named(arguments.name, settings)
        now = pack.mode if rule is None else pack.mode_of(rule)
        announced = pack.hardens if rule is None else pack.hardening_of(rule)
        if announced is not None and on is None:
            world.stderr.write(
                f"{arguments.name} is {now}, and {announced.mode} from {announced.on} on: nothing to do\n"
            )
            return 0
        mode = _next(arguments.name, pack, rule, now)
        patches, after = step(change.head, settings.config, pack, rule, mode, on)
        recorded = recorded_decisions(world, arguments.decisions, assembled.scene.settings.config, repository.root)
        evidence = gather(recorded.decisions, pack, None if rule is None else arguments.name)
        touched = list(_touched(assembled, settings, pack, after, mode, arguments.name if rule is not None else None))
        when = "now" if on is None else f"from {on} on"
        said = _words(evidence, recorded.not_believed)
        world.stderr.write(f"{arguments.name}: {now} → {mode}, {when}\n\n{said}\n{_whom(touched, mode)}\n")
        lacking = evidence.lacks(arguments.min_decisions, arguments.min_days)
        lacking += [f"no answer about {one.subject} today" for one in touched if one.error][:3]
        blocked = sum(one.waived_by is None and not one.error for one in touched)
        if mode == "enforce" and on is None and blocked > arguments.blocked:
            lacking.append(f"{many(blocked, 'document')} would be blocked at once")
        if lacking:
            world.stderr.write(f"not yet: {'; '.join(lacking)}\n{_advice(mode, blocked, arguments.blocked, on)}")
            return 10
        for patch in patches:
            if arguments.write:
                write(repository.root / patch.path, patch)
            else:
                world.stdout.writelines(unified(patch))
    how = "commit it and open a pull request; it decides once it is merged" if arguments.write else "--write applies it"
    world.stderr.write(f"  → {how}\n")
    return 0


def _day(text: str, today: dt.date) -> dt.date:
    try:
        on = dt.date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        on = None
    if on is None:
        raise UsageError(f"--on wants a date such as 2027-01-15, not {text!r}")
    if on <= today:
        raise UsageError(f"--on {on} leaves nobody a day to prepare", remedy="choose a later day, or leave --on out")
    return on


def _named(name: str, settings: Settings) -> tuple[Pack, PackRule | None]:
    packs = settings.packs.packs
    for pack in packs:
        if pack.name == name:
            return pack, None
        for rule in pack.rules:
            if f"{pack.name}/{rule.suffix}" == name:
                return pack, rule
    for problem in settings.packs.problems:
        if problem.rule.mode == "enforce" and problem.pack.rpartition("/")[2] in name.replace("/", ".").split("."):
            place = f"{problem.location.path}:{problem.location.line}:{problem.location.column}"
            raise UsageError(f"the pack cannot judge: {problem.message}", where=place, remedy=problem.rule.remedy)
    known = [one.name for one in packs] + [f"{one.name}/{rule.suffix}" for one in packs for rule in one.rules]
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise SelectionError(f"there is no pack or rule {name!r}", remedy=f"{hint}`maestro policy list` shows them")


def _next(name: str, pack: Pack, rule: PackRule | None, now: Mode) -> Mode:
    """The mode to come; where an announced day is moved, the one that was announced."""
    announced = pack.hardens if rule is None else pack.hardening_of(rule)
    mode = announced.mode if announced is not None else NEXT.get(now)
    if mode is None:
        raise UsageError(f"{name} enforces already: there is no stricter mode")
    if rule is None:
        return mode
    if "mode" not in rule.custom:
        raise UsageError(
            f"{name} has the mode of its pack, {now}", remedy=f"stage the pack: maestro policy stage {pack.name}"
        )
    if rule.kind == "warn" and mode == "enforce":
        raise UsageError(f"{name} is a warn rule: it never blocks", remedy="name it deny_… to let it")
    if MILDNESS[mode] < MILDNESS[pack.mode]:
        raise UsageError(
            f"{name} cannot be {mode}: its pack is {pack.mode}", remedy=f"maestro policy stage {pack.name}"
        )
    return mode


@dataclass(frozen=True)
class _Touched:
    """A document that the next mode would meet. ``error``: the pack has no answer about it."""

    subject: str
    place: str
    owner: str | None
    message: str
    waived_by: str | None = None
    error: bool = False


def _touched(
    assembled: Assembled, settings: Settings, pack: Pack, after: Pack, mode: Mode, rule: str | None
) -> Iterator[_Touched]:
    """Every document of the working tree that ``after`` meets with ``mode``, and ``pack`` does not."""
    change = replace(assembled.scene.change, judge_all=True)
    scene = replace(assembled.scene, change=change, settings=settings)
    owners = codeowners_of(change.policy)
    waivers = assembled.waivers()
    judged = list(inputs_of(scene, after, lambda _: None))
    decisions = scene.decide(after, [one.value for one in judged]) if judged else []
    for one, decision in zip(judged, decisions, strict=True):
        place = one.locate(None)
        where = f"{place.path}:{place.line}"
        owner = one.owner or owner_in(one.value) or " ".join(owners.owners_of(place.path)) or None
        if decision.error is not None:
            yield _Touched(one.subject, where, owner, f"no answer: {decision.error}", error=True)
            continue
        milder = {found.suffix: pack.mode_of(found) for found in pack.rules}
        for reason in decision.reasons:
            was = milder.get(reason.rule.partition("/")[2], pack.mode)
            if reason.mode == mode and was != mode and rule in (None, reason.rule):
                held = waivers.get((reason.rule, one.subject))
                yield _Touched(one.subject, where, owner, f"{reason.rule}: {reason.message}", held)
                break


def _words(evidence: Evidence, not_believed: int) -> str:
    days = many(len(evidence.days), "day")
    subjects = many(len(evidence.subjects), "subject")
    lines = [
        f"recorded: {many(evidence.decisions, 'decision')} about {subjects} on {days}; it spoke in {evidence.spoke:,}"
    ]
    if evidence.errors:
        lines.append(f"          {many(evidence.errors, 'decision')} had no answer")
    if evidence.earlier:
        lines.append(f"          {evidence.earlier:,} by another version or in another mode, which prove nothing")
    if not_believed:
        files = many(not_believed, "file")
        lines.append(f"          {files} of the ledger not believed and not counted: see `maestro policy audit`")
    return "\n".join(lines) + "\n"


def _whom(touched: Sequence[_Touched], mode: Mode) -> str:
    """The documents of today, by owner, with examples."""
    verb = "blocked" if mode == "enforce" else "warned"
    if not touched:
        return f"today nobody would be {verb}: every document was judged\n"
    lines = [f"today these would be {verb}:"]
    counts = Counter(one.owner for one in touched)
    for owner, count in sorted(counts.items(), key=lambda item: (-item[1], item[0] or "\U0010ffff")):
        lines.append(f"  {visible(owner or 'nobody named')}: {count:,}")
        mine = [one for one in touched if one.owner == owner]
        for one in mine[:EXAMPLES]:
            waived = f" (waiver {one.waived_by})" if one.waived_by is not None else ""
            lines.append(visible(f"    {one.place}  {one.subject}  {shorten(one.message, 160)}{waived}"))
        if count > EXAMPLES:
            lines.append(f"    … and {count - EXAMPLES:,} more")
    return "\n".join(lines) + "\n"


def _advice(mode: Mode, blocked: int, allowed: int, on: dt.date | None) -> str:
    if mode == "enforce" and on is None and blocked > allowed:
        return "  → let them be repaired (`maestro fix`) or waived, or announce it: --on DATE\n"
    return (
        "  → let it decide for longer (`maestro check --record` in the job on push records), or say what is enough: "
        "--min-decisions, --min-days\n"
    )
