"""``maestro policy bundle build``: the packs of a revision as an OPA bundle, the same bytes every time."""

from __future__ import annotations

import argparse
import datetime as dt
import re
from pathlib import Path
from typing import TYPE_CHECKING

from maestro.errors import UsageError
from maestro.world import World

if TYPE_CHECKING:
    from maestro.repository import Repository

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
_DAYS = 180
UNSIGNED = ".unsigned.tar.gz"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``policy bundle build``."""
    parser.add_argument(
        "--repo", type=Path, metavar="DIR", default=Path(), help="the repository (default: the one around here)"
    )
    parser.add_argument("--name", default="policy", help="what the bundle calls itself (default: policy)")
    parser.add_argument(
        "--revision", type=int, metavar="N", help="its revision (default: the next after the highest tag NAME-bundle/N)"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--head", metavar="REV", default="HEAD", help="the commit whose packs it holds (default: HEAD)")
    what.add_argument(
        "--from-revision", type=int, metavar="M", help="the packs of the tag NAME-bundle/M, to go back to them"
    )
    parser.add_argument(
        "--expires", metavar="DATE", help=f"the last day it is loaded on (default: {_DAYS} days from today)"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help=f"default: NAME-N{UNSIGNED}")


def run(arguments: argparse.Namespace, world: World) -> int:
    """0 when it is written.

    Raises:
        UsageError: a revision, date or name that is wrong, or packs that cannot travel.
    """
    from maestro.config import CONFIG_PATH, load_config
    from maestro.repository import Repository
    from policy.bundle.building import build
    from policy.bundle.files import write_file
    from policy.bundle.words import as_lines

    name: str = arguments.name
    if not _NAME.fullmatch(name):
        raise UsageError(f"--name {name!r:.60} is not lower-case letters, digits, - and _")
    today = world.now().astimezone(dt.UTC).date()
    expires = _day(arguments.expires, today) if arguments.expires else today + dt.timedelta(days=_DAYS)
    with Repository.open(world.cwd / arguments.repo, world.environ) as repository:
        tags = {int(tag): commit for tag, commit in repository.tags(f"{name}-bundle/").items() if _is_number(tag)}
        commit = _commit(repository, arguments, tags, name)
        revision = _revision(arguments.revision, tags, commit, name)
        snapshot = repository.snapshot(commit)
        if CONFIG_PATH not in snapshot.entries:
            raise UsageError(f"there is no {CONFIG_PATH} at {commit[:12]}", remedy="`maestro init` writes one")
        config = load_config(CONFIG_PATH, snapshot.read(CONFIG_PATH))
        archive, said = build(snapshot, config, name=name, revision=revision, commit=commit, expires=expires)
    file = arguments.output or Path(f"{name}-{revision}{UNSIGNED}")
    write_file(world.cwd / file, archive)
    world.stdout.write(f"{file}\n")
    lines = [*as_lines(said, today), f"  → sign it: maestro policy bundle sign {file}"]
    if tags.get(revision) != commit:
        lines.append(f"  → keep the number: git tag {name}-bundle/{revision} {commit[:12]}")
    world.stderr.write("\n".join(lines) + "\n")
    return 0


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[1-9][0-9]{0,14}", text) is not None


def _commit(repository: Repository, arguments: argparse.Namespace, tags: dict[int, str], name: str) -> str:
    old = arguments.from_revision
    if old is None:
        return repository.resolve(arguments.head)
    if old not in tags:
        raise UsageError(
            f"there is no tag {name}-bundle/{old} here, so nobody knows what revision {old} was built from",
            remedy="fetch it (`git fetch --tags`), or name the commit: `--head COMMIT`, as `policy bundle show` has it",
        )
    return tags[old]


def _revision(given: int | None, tags: dict[int, str], commit: str, name: str) -> int:
    if given is None:
        if not tags:
            raise UsageError(
                f"which revision is it? there is no tag {name}-bundle/N here to count on from",
                remedy="give the number (`--revision 1` for the very first), or `git fetch --tags`",
            )
        return max(tags) + 1
    if not 1 <= given < 10**15:
        raise UsageError(f"--revision {given} is not a whole number from 1")
    if tags.get(given, commit) != commit:
        raise UsageError(
            f"revision {given} is that of {tags[given][:12]}, and one number stands for one content",
            remedy=f"the next free one is {max(tags) + 1}",
        )
    return given


def _day(text: str, today: dt.date) -> dt.date:
    try:
        day = dt.date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--expires wants a date such as 2027-01-31, not {text!r}") from error
    if day < today:
        raise UsageError(f"--expires {day} lies in the past; nobody could load it", remedy="choose a later day")
    return day
