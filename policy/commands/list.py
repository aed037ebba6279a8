"""``maestro policy list``: the packs that judge here, and what is wrong with any."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maestro.errors import UsageError
from maestro.world import World

if TYPE_CHECKING:
    from policy.pack import Pack, PackProblem, Packs

SCHEMA = "maestro-conductor/packs/v1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``policy list``."""
    parser.add_argument("--repo", type=Path, metavar="DIR", help="the repository (default: .)")
    parser.add_argument("--format", choices=("terminal", "json"), default="terminal")


def run(arguments: argparse.Namespace, world: World) -> int:
    """0 when every pack can judge, 10 when a problem stands in the way of one.

    Raises:
        UsageError: there is no such folder, no maestro.yaml, or it is wrong.
    """
    from maestro.config import CONFIG_PATH, load_config
    from policy.folder import Folder
    from policy.pack import load_packs

    root = (world.cwd / (arguments.repo or ".")).resolve()
    if not root.is_dir():
        raise UsageError("there is no such folder", where=str(root))
    folder = Folder(root)
    if CONFIG_PATH not in folder.entries:
        raise UsageError(f"there is no {CONFIG_PATH}", remedy="`maestro init` writes one", where=str(root))
    packs = load_packs(folder, load_config(CONFIG_PATH, folder.read(CONFIG_PATH)))
    world.stdout.write(as_json(packs) if arguments.format == "json" else as_text(packs))
    return 10 if any(problem.rule.mode == "enforce" for problem in packs.problems) else 0


def as_json(packs: Packs) -> str:
    """``{"schema", "packs": [{name, path, mode, owner, input, match, rego, digest, rules}], "problems": […]}``."""
    value = {
        "schema": SCHEMA,
        "packs": [_pack_json(pack) for pack in packs.packs],
        "problems": [_problem_json(problem) for problem in packs.problems],
    }
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _pack_json(pack: Pack) -> dict[str, Any]:
    return {
        "name": pack.name,
        "path": pack.path,
        "title": pack.title,
        "mode": pack.mode,
        "owner": pack.owner,
        "input": pack.input,
        "match": list(pack.match),
        "rego": pack.rego_version,
        "builtin_errors": pack.builtin_errors,
        "decides": pack.decides,
        "digest": pack.digest,
        "rules": [
            {"id": f"{pack.name}/{rule.suffix}", "rule": rule.name, "mode": pack.mode_of(rule), "title": rule.title}
            for rule in pack.rules
        ],
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


def as_text(packs: Packs) -> str:
    """A paragraph per pack, a line per rule; text from packs made visible."""
    from maestro.report.visible_text import visible

    lines: list[str] = []
    for pack in packs.packs:
        owner = f"owner {visible(pack.owner)}" if pack.owner else "no owner"
        lines.append(f"{pack.name}  {pack.mode}  {owner}  input {pack.input}  ({visible(pack.path)})")
        if pack.title:
            lines.append(f"  {visible(pack.title)}")
        if pack.match:
            lines.append(f"  judges {visible(', '.join(pack.match))}")
        if pack.builtin_errors == "undefined":
            lines.append("  a builtin that fails counts as undefined, as in conftest (custom.builtin_errors)")
        for rule in pack.rules:
            title = f"  {visible(rule.title)}" if rule.title else ""
            lines.append(f"  {pack.mode_of(rule):<7}  {pack.name}/{rule.suffix}{title}")
        if pack.decides:
            lines.append(f"  {pack.mode:<7}  {pack.name}/decision  decides")
        lines.append("")
    for problem in packs.problems:
        where = f"{visible(problem.location.path)}:{problem.location.line}:{problem.location.column}"
        lines.append(f"{where}: {problem.rule.mode}: {visible(problem.message)} [{problem.rule.id}]")
        lines.append(f"  → {problem.remedy or problem.rule.remedy}")
    return "\n".join(lines).rstrip("\n") + "\n" if lines else "maestro.yaml names no packs\n"
