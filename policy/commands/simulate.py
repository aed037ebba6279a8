"""``maestro simulate``: what policy would decide about one file. Nothing is written, nothing is executed."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import shlex
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from maestro.errors import ToolFailure, UsageError
from maestro.world import World
from policy.bundle.door import BundleDoor
from policy.folder import Folder, folder_around, read_regular

if TYPE_CHECKING:
    from maestro.config import Config
    from policy.pack import Pack, Packs
    from policy.parity.lock import Lock
    from policy.simulation import Subject

CONFIG = "maestro.yaml"
_READ = (".yaml", ".yml", ".json")
_OURS = "maestro-conductor/"
_LARGEST_INPUTS = 10 << 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``simulate``."""
    parser.add_argument(
        "-m",
        "--manifest",
        required=True,
        type=Path,
        metavar="FILE",
        help="a Manifest or Flag, or any YAML or JSON file for packs that judge plain documents",
    )
    parser.add_argument(
        "-i",
        "--inputs",
        type=Path,
        metavar="JSON",
        help='an object whose members are put into the input: {"request": {"region": "europe-west1"}}',
    )
    parser.add_argument(
        "--pack", action="append", default=[], metavar="DIR", help="ask this pack instead of maestro.yaml's; repeatable"
    )
    parser.add_argument(
        "--bundle", type=Path, metavar="FILE", help="ask the packs of this signed bundle, one that maestro.yaml trusts"
    )
    parser.add_argument(
        "--repo", type=Path, metavar="DIR", help="where packs and pools are (default: the repository around here)"
    )
    parser.add_argument("--engine", choices=("auto", "conftest", "regopy", "both"), default="auto")
    parser.add_argument("--format", choices=("terminal", "json"), default="terminal")
    parser.add_argument(
        "--metrics", metavar="FILE", type=Path, help="write what was decided as OpenMetrics, in one step"
    )


def run(arguments: argparse.Namespace, world: World) -> int:
    """0 allowed, 10 denied, 1 no trustworthy answer.

    Raises:
        UsageError: the file, the inputs or maestro.yaml cannot be used.
        ToolFailure: nothing judges such a file, or a pack that should cannot.
    """
    from maestro.output_file import write
    from policy.decide import decide
    from policy.engines.choose import choose
    from policy.metrics import PolicyMetrics
    from policy.simulation import Outcome, allowed, as_json, as_text, inputs_of, overridden

    folder = folder_around(world.cwd / (arguments.repo or "."))
    root = folder.root
    config = _config(folder)
    changes = _changes(world.cwd / arguments.inputs) if arguments.inputs else {}
    manifest = (world.cwd / arguments.manifest).absolute()
    subject = _subject(manifest.parent.resolve() / manifest.name, root)
    now = world.now()
    door = BundleDoor(root, now, world.environ)
    packs = _packs(folder, config, door, [(world.cwd / name).resolve() for name in arguments.pack])
    if arguments.bundle is not None:
        found = door.admit_file(world.cwd / arguments.bundle, config, str(arguments.bundle))
        packs = [*(packs if arguments.pack else ()), *found.packs.packs]
    packs = [pack.on(now.astimezone(dt.UTC).date()) for pack in packs]
    places = subject.kind == "Manifest" and any(pack.input == "placement-request" for pack in packs)
    pools = _pools(folder, config) if places else []

    asked = [
        (pack, [overridden(value, changes) if changes else value for value in values])
        for pack in packs
        if (values := inputs_of(pack, subject, pools, now, named=bool(arguments.pack)))
    ]
    if not asked:
        what = f"a {subject.kind}" if subject.kind else "such a file"
        raise ToolFailure(
            f"no pack judges {what}, so nothing can be said about it",
            remedy="name one with --pack DIR, or let `packs` and their `match` in maestro.yaml cover it",
            where=str(arguments.manifest),
        )
    engine = choose(arguments.engine, world.environ, cache(lambda: _lock(folder)))
    outcomes = []
    metrics = PolicyMetrics()
    for pack, values in asked:
        begin = time.perf_counter()
        decisions = decide(pack, values, engine)
        metrics.add(decisions, time.perf_counter() - begin)
        outcomes += [Outcome(decision, pack.input == "placement-request") for decision in decisions]
    if arguments.format == "json":
        world.stdout.write(as_json(outcomes))
    else:
        world.stderr.write(as_text(outcomes, colour=world.colour(world.stderr)))
    if arguments.metrics is not None:
        write(world.cwd / arguments.metrics, metrics.text(), "the metrics")
    if any(outcome.decision.error is not None for outcome in outcomes):
        return 1
    return 0 if allowed(outcomes) else 10


def _lock(folder: Folder) -> Lock:
    """The folder's own; where nothing is governed, that of this tool, for the packs that came with it."""
    from policy.parity.lock import LOCK_PATH, lock_at, shipped

    return shipped() if not {CONFIG, LOCK_PATH} & folder.entries.keys() else lock_at(folder)


def _config(folder: Folder) -> Config:
    from maestro.config import load_config

    if CONFIG not in folder.entries:
        return load_config(CONFIG, b"apiVersion: maestro-conductor/v1\npacks: []\n")
    return load_config(CONFIG, folder.read(CONFIG))


def _packs(folder: Folder, config: Config, door: BundleDoor, named: Sequence[Path]) -> list[Pack]:
    """maestro.yaml's packs, or the named ones: with the settings that maestro.yaml gives them, if any."""
    from policy.pack import load_packs

    loaded = load_packs(folder, config, door)
    if not named:
        return _usable(loaded, folder.root)
    out: list[Pack] = []
    for path in named:
        if not path.is_dir():
            raise UsageError("there is no such folder", where=str(path))
        inside = path.relative_to(folder.root).as_posix() if path.is_relative_to(folder.root) else None
        known = [pack for pack in loaded.packs if pack.path == inside]
        if known:
            out += known
            continue
        problems = [problem for problem in loaded.problems if problem.pack == inside]
        if inside is not None and problems:
            _refuse(problems[0], folder.root)
        alone = config.model_copy(update={"packs": [path.name], "bundles": ()})
        out += _usable(load_packs(_Within(path), alone), path.parent)
    return out


class _Within(Folder):
    """One folder seen from its parent, so that the pack has a path and its neighbours are not read."""

    def __init__(self, path: Path) -> None:
        super().__init__(path.parent)
        inner = Folder(path).entries
        self.__dict__["entries"] = {f"{path.name}/{name}": entry for name, entry in inner.items()}


def _usable(loaded: Packs, root: Path) -> list[Pack]:
    for problem in loaded.problems:
        if problem.rule.mode == "enforce":
            _refuse(problem, root)
    return list(loaded.packs)


def _refuse(problem: Any, root: Path) -> NoReturn:  # noqa: ANN401
    place = problem.location
    raise ToolFailure(
        f"the pack {problem.pack} cannot judge: {problem.message}",
        remedy=problem.remedy or problem.rule.remedy,
        where=f"{root / place.path}:{place.line}:{place.column}",
    )


def _subject(path: Path, root: Path) -> Subject:
    """The file to judge: one of ours must be valid and alone, another's only readable."""
    from maestro.documents import parse
    from maestro.documents.reading import read
    from policy.simulation import Subject

    inside = path.relative_to(root).as_posix() if path.is_relative_to(root) else None
    shown = inside or str(path)
    data = read_regular(path)
    if path.suffix.lower() not in _READ:
        # HCL or INI can look like a YAML text, and every rule would then be silent about it.
        raise UsageError(
            f"only YAML and JSON are read, and only by these endings: {', '.join(_READ)}",
            remedy=f"convert it first, for example: conftest parse {shlex.quote(path.name)} > input.json",
            where=shown,
        )
    reading = read(shown, data, dialect="lenient")
    _no_problems(reading.problems)
    values = [document.value for document in reading.documents]
    if not values:
        raise UsageError("the file holds no document", where=shown)
    if not any(isinstance(value, dict) and str(value.get("apiVersion", "")).startswith(_OURS) for value in values):
        return Subject(None, tuple(values), inside)
    parsed = parse(shown, data)
    _no_problems(parsed.problems)
    if len(parsed.documents) != 1:
        raise UsageError(
            f"the file holds {len(parsed.documents)} documents, and one is simulated at a time",
            remedy="put the one that is meant into a file of its own",
            where=shown,
        )
    [document] = parsed.documents
    return Subject(document.kind, (document.raw.value,), inside)


def _no_problems(problems: Sequence[Any]) -> None:
    bad = [problem for problem in problems if problem.rule.mode == "enforce"]
    if bad:
        first, *others = (
            f"{one.location.path}:{one.location.line}:{one.location.column}: {one.message}" for one in bad
        )
        where, _, message = first.partition(": ")
        raise UsageError("\n".join([message, *others]), remedy=bad[0].remedy or bad[0].rule.remedy, where=where)


def _pools(folder: Folder, config: Config) -> list[Any]:
    """Every Pool of the repository, as written. One that cannot be read could be the one that matters: exit 2."""
    from maestro.documents import parse
    from maestro.patterns import compile_patterns

    governed = compile_patterns(config.documents)
    paths = [path for path, entry in folder.entries.items() if entry.mode == "100644" and governed(path)]
    pools = []
    for path, data in folder.read_many(path for path in paths if path.endswith((".yaml", ".yml"))).items():
        if b"Pool" not in data:
            continue
        parsed = parse(path, data)
        _no_problems(parsed.problems)
        pools += [document.raw.value for document in parsed.documents if document.kind == "Pool"]
    return pools


def _changes(path: Path) -> dict[str, Any]:
    """The object of ``-i``; numbers exact, no key twice."""
    data = read_regular(path)
    if len(data) > _LARGEST_INPUTS:
        raise UsageError("the inputs file is larger than 10 MB", where=str(path))
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise UsageError(
            f"this is not JSON: {error.msg}",
            remedy='give one JSON object, for example {"request": {"region": "europe-west1"}}',
            where=f"{path}:{error.lineno}:{error.colno}",
        ) from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"this is not JSON: {error}", where=str(path)) from None
    if not isinstance(value, dict):
        raise UsageError(
            "the inputs are not a JSON object",
            remedy='give members of the input, for example {"request": {"region": "europe-west1"}}',
            where=str(path),
        )
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        raise ValueError("an object has a member twice")
    return out


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")
