"""``maestro policy parity``: which packs the embedded engine judges as conftest does, and the lock that says so."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from maestro.errors import SelectionError, ToolFailure, UsageError
from maestro.progress import Progress, wanted
from maestro.world import World

if TYPE_CHECKING:
    from policy.pack import Pack
    from policy.parity.lock import Entry, Lock

SCHEMA = "maestro-conductor/parity/v1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``policy parity``."""
    parser.add_argument("pack", nargs="*", metavar="PACK", help="a pack's name or folder (default: every pack)")
    parser.add_argument("--repo", type=Path, metavar="DIR", help="the repository (default: the one around here)")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--write", action="store_true", help="write policy/parity.lock")
    how.add_argument("--check", action="store_true", help="fail where policy/parity.lock says something else")
    parser.add_argument("--format", choices=("terminal", "json"), default="terminal")


def run(arguments: argparse.Namespace, world: World) -> int:
    """0; with ``--check`` 10 when the lock says something else.

    Raises:
        UsageError: there is no such folder, no maestro.yaml, or it is wrong; the lock cannot be written.
        SelectionError: there is no such pack, or none at all.
        ToolFailure: there is no conftest to ask, or a pack cannot be read.
    """
    from concurrent.futures import ThreadPoolExecutor

    from maestro.config import CONFIG_PATH, load_config
    from policy.engines.choose import trusted_conftest, unlocked_regopy
    from policy.folder import governed_folder
    from policy.pack import load_packs
    from policy.parity.lock import LOCK_PATH, lock_at, render
    from policy.parity.proof import new_lock, prove

    folder = governed_folder(world.cwd / (arguments.repo or "."))
    root = folder.root
    loaded = load_packs(folder, load_config(CONFIG_PATH, folder.read(CONFIG_PATH)))
    for problem in loaded.problems:
        if problem.rule.mode == "enforce":
            place = f"{problem.location.path}:{problem.location.line}:{problem.location.column}"
            raise ToolFailure(problem.message, remedy=problem.remedy or problem.rule.remedy, where=place)
    packs = _selected(loaded.packs, arguments.pack)
    conftest, regopy = trusted_conftest(world.environ), unlocked_regopy()
    entries: dict[str, Entry] = {}
    enabled = wanted(world.stderr, world.environ, quiet=False)
    with Progress(world.stderr, enabled=enabled) as progress, ThreadPoolExecutor(max_workers=2) as pool:
        asked = pool.map(lambda pack: prove(folder, pack, conftest, regopy), packs)
        for pack in packs:
            progress.step(f"asking both engines: {pack.name}")
            entries[pack.name] = next(asked)
    there = lock_at(folder)
    made = new_lock(conftest, entries)
    if arguments.pack:
        made = _with_the_rest(there, made, [pack.name for pack in loaded.packs])
    stale = differences(there, made)
    if arguments.format == "json":
        world.stdout.write(as_json(made, entries, stale))
    else:
        world.stdout.write(as_text(made, entries))
    if arguments.write:
        written = _write(root, render(made))
        world.stderr.write(f"{LOCK_PATH} {'is written' if written else 'was like this already'}\n")
    elif arguments.check:
        if stale:
            world.stderr.write("".join(f"{line}\n" for line in stale))
            world.stderr.write("  → run `maestro policy parity --write`, and commit policy/parity.lock\n")
            return 10
        world.stderr.write(f"{LOCK_PATH} says the same\n")
    return 0


def _selected(packs: Sequence[Pack], names: Sequence[str]) -> list[Pack]:
    if not packs:
        raise SelectionError("there is no pack here", remedy="`packs` in maestro.yaml names the folders of packs")
    chosen: list[Pack] = []
    for name in names:
        folder = name.removeprefix("./").rstrip("/")
        found = [pack for pack in packs if pack.name == name or pack.path == folder]
        if not found:
            raise SelectionError(
                f"there is no pack {name!r}", remedy="there are: " + ", ".join(pack.name for pack in packs)
            )
        chosen += [pack for pack in found if pack not in chosen]
    return chosen or list(packs)


def _with_the_rest(there: Lock, made: Lock, names: Sequence[str]) -> Lock:
    """The new entries among those that were not asked about again.

    Raises:
        UsageError: the rest was made by other engines, or cannot be read, so that it cannot be kept.
    """
    rest = {name: entry for name, entry in there.packs.items() if name not in made.packs and name in names}
    same = (there.opa, there.regopy, there.method) == (made.opa, made.regopy, made.method)
    if there.there and (there.problem is not None or (rest and not same)):
        why = there.problem or "it was made with other engines"
        raise UsageError(f"the rest of policy/parity.lock cannot be kept: {why}", remedy="name no pack: ask about all")
    return replace(made, packs={**rest, **made.packs})


def differences(there: Lock, made: Lock) -> list[str]:
    """What a lock says otherwise than one that was made now, a line each."""
    if not there.there:
        return ["there is no policy/parity.lock"]
    if there.problem is not None:
        return [f"policy/parity.lock cannot be used: {there.problem}"]
    out = [
        f"{what}: the lock was made with {getattr(there, what)}, here is {getattr(made, what)}"
        for what in ("opa", "regopy", "method")
        if getattr(there, what) != getattr(made, what)
    ]
    for name in sorted({*there.packs, *made.packs}):
        old, new = there.packs.get(name), made.packs.get(name)
        if old == new:
            continue
        if old is None or new is None:
            out.append(f"{name}: {'is not in the lock' if old is None else 'is in the lock, and no pack here'}")
        elif old.program != new.program:
            out.append(f"{name}: the lock is about other rules or data than the pack has now")
        elif old.inputs != new.inputs:
            out.append(f"{name}: the lock is about other inputs than the fixtures give now")
        else:
            out.append(f"{name}: the lock says {_verdict(old)}; asking gives {_verdict(new)}")
    return out


def _verdict(entry: Entry) -> str:
    counts = f"{entry.equal} equal, {entry.refused} refused, {entry.reached} of {entry.bodies} bodies"
    return f"alike ({counts})" if entry.alike else f"not alike ({counts}; {entry.why})"


def _write(root: Path, content: bytes) -> bool:
    """Put the lock in place as a whole; False where it was like this."""
    from policy.parity.lock import LOCK_PATH

    path = root / LOCK_PATH
    try:
        if path.is_symlink() or path.parent.is_symlink():
            raise UsageError("this is a link, and no file is written through one", where=str(path))
        if path.is_file() and path.read_bytes() == content:
            return False
        path.parent.mkdir(exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".parity-")
        with open(handle, "wb") as stream:  # noqa: PTH123
            stream.write(content)
        Path(name).chmod(0o644)
        os.replace(name, path)  # noqa: PTH105
    except OSError as error:
        raise UsageError(f"cannot write: {error.strerror}", where=str(path)) from None
    return True


def as_json(made: Lock, entries: Mapping[str, Entry], stale: Sequence[str]) -> str:
    """``{"schema", "engines", "packs": {name: entry as in the lock}, "differs": […]}``: of the packs asked about."""
    from policy.parity.lock import render

    lock = json.loads(render(replace(made, packs=entries)))
    value = {"schema": SCHEMA, "engines": lock["engines"], "packs": lock["packs"], "differs": list(stale)}
    return json.dumps(value, indent=2) + "\n"


def as_text(made: Lock, entries: Mapping[str, Entry]) -> str:
    """A line per pack; where the engines differ, why, and the smallest input that shows it."""
    from maestro.report.visible_text import visible
    from policy.parity.proof import shown

    width = max(len(name) for name in entries)
    lines = [f"conftest with OPA {made.opa}; regopy {made.regopy}", ""]
    for name, entry in entries.items():
        word = "alike" if entry.alike else "NOT ALIKE"
        counts = f"{entry.asked} inputs: {entry.equal} equal, {entry.refused} refused by regopy"
        bodies = f"; {entry.reached} of {entry.bodies} bodies reached" if entry.bodies else ""
        lines.append(f"{visible(name):<{width}}  {word:<9}  {counts}{bodies}")
        if entry.why is not None:
            lines.append(f"{'':<{width}}  {visible(entry.why)}")
            lines += [f"{'':<{width}}  {visible(example)}"] if (example := shown(entry)) else []
    return "\n".join(lines) + "\n"
