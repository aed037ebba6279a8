"""``maestro init [DIR]``: adds what a governed repository needs and this one lacks. Edits no file."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

import policy
from gates.init_files.origin import own_origin, parse_action
from gates.init_files.plan import Plan, plan
from gates.init_files.survey import survey
from gates.init_files.write import write_new
from maestro import __version__
from maestro.errors import UsageError
from maestro.git_command import Git
from maestro.repository import Repository
from maestro.world import World
from policy.parity.lock import shipped_bytes

CODEOWNERS = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("dir", nargs="?", default=".", metavar="DIR", help="the repository (default: this folder)")
    parser.add_argument(
        "--action",
        metavar="OWNER/REPO@COMMIT",
        help="where the workflow gets Maestro from (default: where this installation came from)",
    )


def run(arguments: argparse.Namespace, world: World) -> int:
    """Find out what is missing, write it, say what is next."""
    action = parse_action(arguments.action) if arguments.action else own_origin()
    root = (world.cwd / arguments.dir).absolute()
    new = _make_repository(root, world)
    with Repository.open(root, world.environ) as repository:
        if repository.root.resolve() != root.resolve():
            raise UsageError(
                f"{root} lies inside the repository {repository.root}",
                remedy=f"govern that one: maestro init {shlex.quote(str(repository.root))}; "
                f"or make this folder one of its own: git init {shlex.quote(str(root))}",
            )
        snapshot = repository.worktree()
        found = survey(
            (path for path, entry in snapshot.entries.items() if entry.is_file),
            snapshot.read_many,
        )
        branch = _default_branch(repository)
    todo = plan(
        found,
        branch=branch,
        action=action,
        version=__version__,
        packs=shipped_packs(),
        lock=shipped_bytes(),
        today=world.now().date(),
    )
    write_new(root, todo.files)
    owners = next((path for path in CODEOWNERS if path in found.paths), None)
    world.stdout.write(_report(todo, arguments.dir, branch, owners, new=new))
    return 0


def _make_repository(root: Path, world: World) -> bool:
    """Make one where there is nothing yet; a folder with files in it is its owner's to turn into a repository."""
    if os.path.lexists(root) and not root.is_dir():
        raise UsageError(f"{root} is not a folder")
    if root.is_dir() and any(root.iterdir()):
        return False
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the folder {root}: {error.strerror}") from error
    Git(root, world.environ).output("init", "--quiet", "--initial-branch", "main", "--template=")
    return True


def _default_branch(repository: Repository) -> str:
    """The remote's default branch, else the branch that is checked out, else ``main``."""
    remote = repository.default_branch_rev(None)
    if remote:
        return remote.removeprefix("origin/")
    return repository.current_branch() or "main"


def shipped_packs() -> Mapping[str, bytes]:
    """The packs that come with this tool, without tests and fixtures; they judge only once a repository has them."""
    folder = Path(policy.__file__).with_name("packs")
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.suffix in (".rego", ".md", ".json", ".yaml")
        and not path.name.endswith("_test.rego")
        and "fixtures" not in path.relative_to(folder).parts
    }


def _report(todo: Plan, folder: str, branch: str, owners: str | None, *, new: bool) -> str:
    lines = []
    if new:
        lines.append(f"made a git repository in {folder}")
    lines += [f"kept   {path}" for path in todo.kept]
    lines += [f"wrote  {path}" for path in _by_pack(todo.files)]
    if not todo.files:
        lines.append("nothing to add, nothing was written")
    lines += [f"note   {note}" for note in todo.notes]
    if todo.files:
        lines += ["", *_codeowners(todo, branch, owners), "", *_next(todo, folder)]
    return "\n".join(lines) + "\n"


def _by_pack(paths: Iterable[str]) -> list[str]:
    """The paths, a pack's as its folder."""
    paths = list(paths)
    packs = {str(PurePosixPath(path).parent) for path in paths if path.endswith(".rego")}
    folders = (str(PurePosixPath(path).parent) for path in paths)
    return list(dict.fromkeys(f"{one}/" if one in packs else path for path, one in zip(paths, folders, strict=True)))


def _codeowners(todo: Plan, branch: str, owners: str | None) -> list[str]:
    where = owners or CODEOWNERS[0]
    paths = list(todo.deciding) + ([] if where.startswith(".github/") else [where])
    width = max(map(len, paths)) + 1
    return [
        f"Add these lines at the end of {where}, with your own owner, and require review from code owners on {branch}.",
        "Until then the check is advice: who opens a pull request could change what judges it.",
        "",
        *(f"  {'/' + path:<{width}}  @acme/platform" for path in paths),
    ]


def _next(todo: Plan, folder: str) -> list[str]:
    into = "" if folder == "." else f" --repo {shlex.quote(folder)}"
    git = "git" if folder == "." else f"git -C {shlex.quote(folder)}"
    tops = " ".join(shlex.quote(top) for top in dict.fromkeys(path.split("/")[0] for path in todo.files))
    return [
        "Next:",
        f"  maestro check --all{into}",
        f'  {git} add {tops} && {git} commit -m "Govern this repository with Maestro"',
        f"  maestro doctor --github{into}",
    ]
