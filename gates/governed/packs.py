"""What of a change alters a pack: its files, modes, rules, and the files it judges."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

from gates.governed.question import CONFIG, FILES, GovernedChange, Question, changed_line, count, names, no_longer, verb
from gates.governed.rules import MILDER_MODE, NARROWER_MATCH, PACK_CHANGED, PACK_REMOVED, RULE_REMOVED
from gates.scene import Settings
from maestro.errors import MaestroError
from maestro.findings import MILDNESS, Mode
from maestro.patterns import compile_patterns
from policy.bundle.statement import ENDING
from policy.pack import Pack


def holds(pack: Pack, path: str) -> bool:
    """Whether the file at ``path`` is the pack's: in its folder, data it names elsewhere, or the bundle it came in."""
    if pack.bundle is not None:
        return path in (pack.bundle, pack.bundle + ENDING)
    return path == pack.path or path.startswith(pack.path.rstrip("/") + "/") or path in pack.data


def pack_changes(question: Question) -> Iterator[GovernedChange]:
    """One finding per pack that changes, or per way in which it becomes milder."""
    changed = [one.path for one in question.changes]
    before = question.before.packs.packs if question.before else ()
    after = () if isinstance(question.after, MaestroError) else question.after.packs.packs
    settings_touched = CONFIG in changed
    pending = set(changed)
    met: set[str] = set()
    for pack in before:
        same = next((other for other in after if other.name == pack.name), None)
        same = same or next((other for other in after if other.path == pack.path), None)
        if same is not None:
            met.add(same.path)
        touched = [path for path in changed if holds(pack, path) or (same is not None and holds(same, path))]
        pending.difference_update(touched)
        if same is None and not touched and isinstance(question.after, Settings) and _stands(question, pack):
            # Its own files are as they were, so another of the change's files keeps it from being read.
            beside = pack.path.rpartition("/")[0] + "/"
            touched = [path for path in changed if path.startswith(beside)]
            pending.difference_update(touched)
            yield _pack_removed(question, pack, touched)
            continue
        if not touched and not settings_touched:
            continue
        if same is None:
            # An unreadable maestro.yaml says nothing about packs; it is found as a change to the settings.
            if not isinstance(question.after, MaestroError):
                yield _pack_removed(question, pack, touched)
            elif touched:
                yield _pack_changed(question, pack, touched)
            continue
        precise = list(_milder_pack(question, pack, same, touched))
        yield from precise
        if touched and not precise:
            yield _pack_changed(question, same, touched)
    for pack in after:
        touched = [path for path in changed if holds(pack, path)]
        if pack.path in met or not (touched or settings_touched):
            continue
        pending.difference_update(touched)
        if question.before is None:
            # Nothing is known of the packs before; what changes of them is.
            if touched:
                yield _pack_changed(question, pack, touched)
            continue
        paths = tuple(touched) or (CONFIG,)
        yield GovernedChange(
            PACK_CHANGED, f"pack {pack.name} is added", changed_line(question, paths[0]), f"Pack/{pack.name}", paths
        )
    yield from _unreadable_packs(question, pending)


def _stands(question: Question, pack: Pack) -> bool:
    """Whether the head has the pack's files; a branch that was cut before it was added has not."""
    return any(f"{pack.path.rstrip('/')}/{name}" in question.change.head.entries for name in pack.modules)


def _unreadable_packs(question: Question, pending: set[str]) -> Iterator[GovernedChange]:
    """Files in folders whose pack cannot be read on either side."""
    sides = [side for side in (question.before, question.after) if isinstance(side, Settings)]
    folders = {problem.pack.rstrip("/") for side in sides for problem in side.packs.problems if problem.pack}
    for folder in sorted(folders):
        touched = tuple(sorted(path for path in pending if path == folder or path.startswith(folder + "/")))
        if touched:
            message = f"{count(len(touched), 'file')} of the pack in {folder} {verb(touched)}: {names(touched)}"
            yield GovernedChange(PACK_CHANGED, message, changed_line(question, touched[0]), folder, touched)


def _pack_changed(question: Question, pack: Pack, touched: Sequence[str]) -> GovernedChange:
    message = f"{count(len(touched), 'file')} of pack {pack.name} {verb(touched)}: {names(touched)}"
    return GovernedChange(
        PACK_CHANGED, message, changed_line(question, touched[0]), f"Pack/{pack.name}", tuple(touched)
    )


def _pack_removed(question: Question, pack: Pack, touched: Sequence[str]) -> GovernedChange:
    paths = tuple(touched) or (CONFIG,)
    location = changed_line(question, paths[0])
    message = f"pack {pack.name} would no longer judge {_reach(question, pack)}"
    if isinstance(question.after, Settings):
        for problem in question.after.packs.problems:
            if problem.pack.rstrip("/") == pack.path.rstrip("/"):
                message += f": {problem.message}"
                location = problem.location
                break
    return GovernedChange(PACK_REMOVED, message, location, f"Pack/{pack.name}", paths)


def _milder_pack(question: Question, old: Pack, new: Pack, touched: Sequence[str]) -> Iterator[GovernedChange]:
    paths = tuple(touched) or (CONFIG,)
    subject = f"Pack/{new.name}"
    if MILDNESS[new.mode] > MILDNESS[old.mode]:
        message = f"pack {new.name} goes from {old.mode} to {new.mode} for {_reach(question, new)}"
        yield GovernedChange(MILDER_MODE, message, changed_line(question, *paths, holding=r"\bmode\b"), subject, paths)
    modes_before, modes_after = _modes(old), _modes(new)
    gone = tuple(sorted(modes_before.keys() - modes_after.keys()))
    if gone:
        message = f"pack {new.name} loses {count(len(gone), 'rule')} ({names(gone)}) for {_reach(question, new)}"
        yield GovernedChange(RULE_REMOVED, message, changed_line(question, *paths), subject, paths)
    for suffix, mode in modes_after.items():
        was = modes_before.get(suffix)
        # What the pack's own mode makes of all its rules was said once, above.
        if was is None or MILDNESS[mode] <= max(MILDNESS[was], MILDNESS[new.mode]):
            continue
        location = next(rule.location for rule in new.rules if rule.suffix == suffix)
        message = f"rule {new.name}/{suffix} goes from {was} to {mode} for {_reach(question, new)}"
        yield GovernedChange(MILDER_MODE, message, location, f"{new.name}/{suffix}", paths)
    yield from _put_off(question, old, new, paths)
    if old.input == new.input == "document":
        lost = no_longer(question, compile_patterns(old.match), compile_patterns(new.match))
        if lost:
            message = f"pack {new.name} would no longer judge {count(len(lost), 'file')}: {names(lost)}"
            location = changed_line(question, *paths, holding=r"\bmatch\b")
            yield GovernedChange(NARROWER_MATCH, message, location, subject, paths)


def _put_off(question: Question, old: Pack, new: Pack, paths: tuple[str, ...]) -> Iterator[GovernedChange]:
    """What is as strict as before today, and will be milder than was announced: the first such day of each rule."""
    place = changed_line(question, *paths, holding=r"\b(effective_on|mode)\b")
    reach = _reach(question, new)
    told = {"": old.mode, **_modes(old)}
    now = {"": new.mode, **_modes(new)}
    said = {suffix for suffix, mode in now.items() if MILDNESS[mode] > MILDNESS[told.get(suffix, mode)]}
    for day in _days(old, new):
        was, then = old.on(day), new.on(day)
        before, after = {"": was.mode, **_modes(was)}, {"": then.mode, **_modes(then)}
        for suffix, mode in after.items():
            if suffix in said or "" in said or MILDNESS[mode] <= MILDNESS[before.get(suffix, mode)]:
                continue
            said.add(suffix)
            what = f"rule {new.name}/{suffix}" if suffix else f"pack {new.name}"
            message = f"{what} would be {mode} and not {before[suffix]} on {day} for {reach}"
            subject = f"{new.name}/{suffix}" if suffix else f"Pack/{new.name}"
            yield GovernedChange(MILDER_MODE, message, place, subject, paths)


def _days(*packs: Pack) -> list[dt.date]:
    """The days on which something in these packs hardens."""
    given = [pack.effective_on for pack in packs] + [rule.effective_on for pack in packs for rule in pack.rules]
    return sorted({day for day in given if day is not None})


def _modes(pack: Pack) -> dict[str, Mode]:
    """The strictest mode of the rules of each id."""
    out: dict[str, Mode] = {}
    for rule in pack.rules:
        mode = pack.mode_of(rule)
        if rule.suffix not in out or MILDNESS[mode] < MILDNESS[out[rule.suffix]]:
            out[rule.suffix] = mode
    return out


def _reach(question: Question, pack: Pack) -> str:
    """Whom the pack judges, counted where its patterns say so."""
    if pack.input == "document":
        match = compile_patterns(pack.match)
        paths = tuple(
            path for path, entry in question.change.head.entries.items() if entry.mode in FILES and match(path)
        )
        return count(len(paths), "file") + (f" ({names(sorted(paths))})" if paths else "")
    return {
        "flag-change": "every flag",
        "manifest-change": "every manifest",
        "placement-request": "every placement",
    }[pack.input]
