"""``maestro policy list``: the packs that judge here, when they were last changed, and what is wrong with any."""

from __future__ import annotations

import argparse
import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maestro.errors import MaestroError
from maestro.report.staged import announced, hardening_json, mode_words
from maestro.world import World

if TYPE_CHECKING:
    from maestro.last_change import LastChange
    from policy.coverage import Coverage
    from policy.folder import Folder
    from policy.pack import Pack, PackProblem, Packs

SCHEMA = "maestro-conductor/packs/v1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``policy list``."""
    parser.add_argument("--repo", type=Path, metavar="DIR", help="the repository (default: the one around here)")
    parser.add_argument(
        "--coverage", action="store_true", help="also how many rule bodies the fixtures reach (asks conftest)"
    )
    parser.add_argument("--format", choices=("terminal", "json"), default="terminal")


def run(arguments: argparse.Namespace, world: World) -> int:
    """0 when every pack can judge, 10 when a problem stands in the way of one.

    Raises:
        UsageError: there is no such folder, no maestro.yaml, or it is wrong.
        ToolFailure: coverage is asked for, and there is no conftest to ask.
    """
    from maestro.config import CONFIG_PATH, load_config
    from policy.bundle.door import BundleDoor
    from policy.folder import governed_folder
    from policy.pack import load_packs

    folder = governed_folder(world.cwd / (arguments.repo or "."))
    root = folder.root
    packs = load_packs(
        folder, load_config(CONFIG_PATH, folder.read(CONFIG_PATH)), BundleDoor(root, world.now(), world.environ)
    )
    packs = packs.on(world.now().astimezone(dt.UTC).date())
    changes = _last_changes(root, packs, world)
    coverage = _coverage(folder, packs, world) if arguments.coverage else None
    write = as_json if arguments.format == "json" else as_text
    world.stdout.write(write(packs, changes, coverage))
    return 10 if any(problem.rule.mode == "enforce" for problem in packs.problems) else 0


def _last_changes(root: Path, packs: Packs, world: World) -> dict[str, LastChange]:
    """By the pack's name. Nothing where the folder is no git repository, or has no commit."""
    from maestro.last_change import last_changes
    from maestro.repository import Repository

    try:
        with Repository.open(root, world.environ) as repository:
            inside = root.relative_to(repository.root.resolve())
            places = {pack.name: (inside / pack.path).as_posix() for pack in packs.packs}
            found = last_changes(repository, places.values())
    except (MaestroError, ValueError):
        return {}
    return {name: found[place] for name, place in places.items() if place in found}


def _coverage(folder: Folder, packs: Packs, world: World) -> dict[str, Coverage]:
    from policy.engines.choose import trusted_conftest
    from policy.pack_check import coverage_of

    engine = trusted_conftest(world.environ)
    return {pack.name: coverage_of(folder, pack, engine) for pack in packs.packs}


def as_json(
    packs: Packs, changes: Mapping[str, LastChange] | None = None, coverage: Mapping[str, Coverage] | None = None
) -> str:
    """``{"schema", "packs": [{name, path, mode, owner, input, match, rego, digest, last_change, rules}], "problems":
    […]}``; ``bodies`` {total, by_fixtures, unknown} in each pack when ``coverage`` is given."""
    value = {
        "schema": SCHEMA,
        "packs": [
            _pack_json(pack, (changes or {}).get(pack.name), (coverage or {}).get(pack.name)) for pack in packs.packs
        ],
        "problems": [_problem_json(problem) for problem in packs.problems],
    }
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _pack_json(pack: Pack, change: LastChange | None, coverage: Coverage | None) -> dict[str, Any]:
    bodies = {} if coverage is None else {"bodies": _bodies_json(coverage)}
    return {
        "name": pack.name,
        "path": pack.path,
        "title": pack.title,
        "mode": pack.mode,
        "hardens": hardening_json(pack.hardens),
        "owner": pack.owner,
        "input": pack.input,
        "match": list(pack.match),
        "rego": pack.rego_version,
        "builtin_errors": pack.builtin_errors,
        "decides": pack.decides,
        "digest": pack.digest,
        "last_change": {"commit": change.commit, "date": change.date} if change else None,
        **bodies,
        "rules": [
            {
                "id": f"{pack.name}/{rule.suffix}",
                "rule": rule.name,
                "mode": pack.mode_of(rule),
                "hardens": hardening_json(pack.hardening_of(rule)),
                "title": rule.title,
            }
            for rule in pack.rules
        ],
    }


def _bodies_json(coverage: Coverage) -> dict[str, int]:
    return {
        "total": len(coverage.bodies),
        "by_fixtures": coverage.reached("fixtures"),
        "unknown": len(coverage.unknown),
    }


def _problem_json(problem: PackProblem) -> dict[str, Any]:
    return {
        "rule": problem.rule.id,
        "mode": problem.rule.mode,
        "message": problem.message,
        "remedy": problem.remedy or problem.rule.remedy,
        "path": problem.location.path,
        "line": problem.location.line,
        "column": problem.location.column,
    }


def as_text(
    packs: Packs, changes: Mapping[str, LastChange] | None = None, coverage: Mapping[str, Coverage] | None = None
) -> str:
    """A paragraph per pack, a line per rule; text from packs made visible."""
    from maestro.report.visible_text import visible

    lines: list[str] = []
    for pack in packs.packs:
        owner = f"owner {visible(pack.owner)}" if pack.owner else "no owner"
        lines.append(
            f"{pack.name}  {mode_words(pack.mode, pack.hardens)}  {owner}  input {pack.input}  ({visible(pack.path)})"
        )
        if pack.title:
            lines.append(f"  {visible(pack.title)}")
        if changes and pack.name in changes:
            lines.append(f"  last change {changes[pack.name].date}, {changes[pack.name].commit}")
        if coverage and pack.name in coverage:
            bodies = _bodies_json(coverage[pack.name])
            unknown = f", {bodies['unknown']} not known" if bodies["unknown"] else ""
            lines.append(f"  fixtures reach {bodies['by_fixtures']} of {bodies['total']} bodies{unknown}")
        if pack.match:
            lines.append(f"  judges {visible(', '.join(pack.match))}")
        if pack.builtin_errors == "undefined":
            lines.append("  a builtin that fails counts as undefined, as in conftest (custom.builtin_errors)")
        for rule in pack.rules:
            title = f"  {visible(rule.title)}" if rule.title else ""
            then = pack.hardening_of(rule)
            title += f"  ({announced(then)})" if then is not None and then != pack.hardens else ""
            lines.append(f"  {pack.mode_of(rule):<7}  {pack.name}/{rule.suffix}{title}")
        if pack.decides:
            lines.append(f"  {pack.mode:<7}  {pack.name}/decision  decides")
        lines.append("")
    for problem in packs.problems:
        where = f"{visible(problem.location.path)}:{problem.location.line}:{problem.location.column}"
        lines.append(f"{where}: {problem.rule.mode}: {visible(problem.message)} [{problem.rule.id}]")
        lines.append(f"  → {problem.remedy or problem.rule.remedy}")
    return "\n".join(lines).rstrip("\n") + "\n" if lines else "maestro.yaml names no packs\n"
